// Made by `make words` of locale/*/LC_MESSAGES/page.po; changes belong there.
import { speak } from '../lib/words.js';

speak({
  "GLADIA_API_URL or GLADIA_API_KEY is malformed": "GLADIA_API_URL или GLADIA_API_KEY записаны с ошибкой",
  "Gladia refused the settings": "Gladia не приняла настройки",
  "Gladia refused the settings: {detail}": "Gladia не приняла настройки: {detail}",
  "That isn’t allowed here.": "Здесь это не разрешено.",
  "That was a lot: wait {count} second.": [
    "Слишком часто: подождите {count} секунду.",
    "Слишком часто: подождите {count} секунды.",
    "Слишком часто: подождите {count} секунд."
  ],
  "The server doesn’t understand this page. Reload it.": "Сервер не понимает эту страницу. Перезагрузите её.",
  "This session’s chat is full.": "Чат этой встречи заполнен.",
  "This session’s transcript is full: nothing more is written down.": "Расшифровка этой встречи заполнена: больше ничего не записывается.",
  "all transcription streams are busy; catching up": "все потоки распознавания заняты; навёрстываем",
  "the Gladia credit is used up: captions go on after a top-up at app.gladia.io": "средства на счёте Gladia закончились: субтитры продолжатся после пополнения на app.gladia.io",
  "the Gladia key was refused: check GLADIA_API_KEY": "Gladia не приняла ключ: проверьте GLADIA_API_KEY",
  "the Gladia plan doesn’t allow this: see app.gladia.io": "тариф Gladia этого не разрешает: см. app.gladia.io",
  "the connection to the speech service broke; catching up": "связь со службой распознавания прервалась; навёрстываем",
  "the local speech engine can’t be loaded ({detail}): set GLADIA_API_KEY": "локальное распознавание не загружается ({detail}): задайте GLADIA_API_KEY",
  "the local speech engine failed: {detail}": "сбой локального распознавания: {detail}",
  "the local speech engine has no package for this platform: set GLADIA_API_KEY to transcribe with Gladia": "для этой платформы нет пакета локального распознавания: задайте GLADIA_API_KEY, чтобы распознавать через Gladia",
  "the local speech engine isn’t running": "локальное распознавание не запущено",
  "the speech service can’t be reached": "служба распознавания недоступна",
  "the speech service doesn’t answer in time": "служба распознавания не отвечает вовремя",
  "the speech service has trouble at the moment": "у службы распознавания сейчас неполадки",
  "the speech service takes no further stream now": "служба распознавания пока не принимает новых потоков",
  "they are switched off by SPEECH_ENGINE": "они отключены настройкой SPEECH_ENGINE",
  "they need GLADIA_API_KEY": "для них нужен GLADIA_API_KEY",
  "this machine is transcribing slower than people speak": "этот компьютер распознаёт медленнее, чем говорят",
  "this space has used up its minutes of captions for today; they go on at 00:00 UTC, or when whoever runs this server allows more": "пространство израсходовало минуты субтитров на сегодня; они продолжатся в 00:00 UTC или когда тот, кто управляет сервером, разрешит больше",
  "what answers isn’t Gladia: check GLADIA_API_URL": "отвечает не Gladia: проверьте GLADIA_API_URL",
  "{time} of what you said could not be transcribed.": "Не распознано {time} вашей речи."
});
