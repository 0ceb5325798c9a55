"""What each model is known to write where nobody speaks: see `voicing`."""

from __future__ import annotations

import re

from core.speech.local.recognizer import Habits

# Moonshine: seen on noises.
ENGLISH = Habits(
    re.compile(
        r"you|bye|uh|h?m+(?: h?m+)*|thanks?(?: you)?(?: (?:so|very) much)?(?: for watching)?"
        r"|transcript emily beynon|[\d ]+"
    ),
    is_latin=True,
)

# Whisper: seen on noises, and the ends of films that its users report. The credits of a film are
# nobody's words in a call, whatever is heard.
FILMS = Habits(
    re.compile(
        r"you|oh|so|okay|bye(?: bye)*|uh|h?m+(?: h?m+)*|the end|[\d ]+"
        r"|thanks?(?: you)?(?: (?:so|very) much)?(?: for (?:watching|listening))?"
        r"|(?:please )?(?:like and )?subscribe(?: to (?:my|the) channel)?|see you(?: next time)?"
        r"|ну|да|угу|ага|пока(?: пока)*|спасибо(?: (?:большое|за (?:просмотр|внимание)))?"
        r"|продолжение следует|до свидания|(?:и )?подписывайтесь на (?:мой |наш )?канал"
        r"|gracias(?: por ver(?: el vídeo)?)?|merci(?: d avoir regardé cette vidéo)?"
        r"|danke|tschüss|vielen dank(?: fürs? zuschauen)?|obrigad[oa]"
        r"|ご視聴ありがとうございました|谢谢(?:观看|大家)?"
    ),
    re.compile(
        r".*(?:dimatorzok|amara ?org).*"
        r"|субтитры (?:сделал|создавал|делал|подготовил|добавил).*"
        r"|(?:редактор|корректор) субтитров.*|subtitles? by .*"
        r"|sous titr(?:es|age) (?:réalisés )?par .*"
        r"|untertitel(?:ung)? (?:der|von|im auftrag|by) .*|subtítulos (?:realizados )?por .*"
        r"|legendas pela .*|字幕.*"
    ),
)

# Transducers and CTC write what they hear, sound by sound: nothing into silence, and syllables into
# noise.
SYLLABLES = Habits(
    re.compile(r"\w{1,3}|(?:и|а|о|э|м|ну|да|угу|ага|h?m+|uh|oh)(?: \w{1,2})*|[\d ]+")
)
