// Made by `make words` of locale/*/LC_MESSAGES/page.po; changes belong there.
import { speak } from '../lib/words.js';

speak({
  "That isn’t allowed here.": "Здесь это не разрешено.",
  "That was a lot: wait {count} second.": [
    "Слишком часто: подождите {count} секунду.",
    "Слишком часто: подождите {count} секунды.",
    "Слишком часто: подождите {count} секунд."
  ],
  "The server doesn’t understand this page. Reload it.": "Сервер не понимает эту страницу. Перезагрузите её.",
  "This session’s chat is full.": "Чат этой встречи заполнен.",
  "This session’s transcript is full: nothing more is written down.": "Расшифровка этой встречи заполнена: больше ничего не записывается.",
  "{time} of what you said could not be transcribed.": "Не распознано {time} вашей речи."
});
