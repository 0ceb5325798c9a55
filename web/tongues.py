"""What languages are called, in the language of whoever reads it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from core.words import N_
from web.words import gettext, language

# By the codes of core.spoken.CODES.
NAMES: Final[Mapping[str, str]] = {
    "af": N_("Afrikaans"),
    "am": N_("Amharic"),
    "ar": N_("Arabic"),
    "as": N_("Assamese"),
    "az": N_("Azerbaijani"),
    "ba": N_("Bashkir"),
    "be": N_("Belarusian"),
    "bg": N_("Bulgarian"),
    "bn": N_("Bengali"),
    "bo": N_("Tibetan"),
    "br": N_("Breton"),
    "bs": N_("Bosnian"),
    "ca": N_("Catalan"),
    "cs": N_("Czech"),
    "cy": N_("Welsh"),
    "da": N_("Danish"),
    "de": N_("German"),
    "el": N_("Greek"),
    "en": N_("English"),
    "es": N_("Spanish"),
    "et": N_("Estonian"),
    "eu": N_("Basque"),
    "fa": N_("Persian"),
    "fi": N_("Finnish"),
    "fo": N_("Faroese"),
    "fr": N_("French"),
    "gl": N_("Galician"),
    "gu": N_("Gujarati"),
    "ha": N_("Hausa"),
    "haw": N_("Hawaiian"),
    "he": N_("Hebrew"),
    "hi": N_("Hindi"),
    "hr": N_("Croatian"),
    "ht": N_("Haitian Creole"),
    "hu": N_("Hungarian"),
    "hy": N_("Armenian"),
    "id": N_("Indonesian"),
    "is": N_("Icelandic"),
    "it": N_("Italian"),
    "ja": N_("Japanese"),
    "jw": N_("Javanese"),
    "ka": N_("Georgian"),
    "kk": N_("Kazakh"),
    "km": N_("Khmer"),
    "kn": N_("Kannada"),
    "ko": N_("Korean"),
    "la": N_("Latin"),
    "lb": N_("Luxembourgish"),
    "ln": N_("Lingala"),
    "lo": N_("Lao"),
    "lt": N_("Lithuanian"),
    "lv": N_("Latvian"),
    "mg": N_("Malagasy"),
    "mi": N_("Māori"),
    "mk": N_("Macedonian"),
    "ml": N_("Malayalam"),
    "mn": N_("Mongolian"),
    "mr": N_("Marathi"),
    "ms": N_("Malay"),
    "mt": N_("Maltese"),
    "my": N_("Burmese"),
    "ne": N_("Nepali"),
    "nl": N_("Dutch"),
    "nn": N_("Norwegian Nynorsk"),
    "no": N_("Norwegian"),
    "oc": N_("Occitan"),
    "pa": N_("Punjabi"),
    "pl": N_("Polish"),
    "ps": N_("Pashto"),
    "pt": N_("Portuguese"),
    "ro": N_("Romanian"),
    "ru": N_("Russian"),
    "sa": N_("Sanskrit"),
    "sd": N_("Sindhi"),
    "si": N_("Sinhala"),
    "sk": N_("Slovak"),
    "sl": N_("Slovenian"),
    "sn": N_("Shona"),
    "so": N_("Somali"),
    "sq": N_("Albanian"),
    "sr": N_("Serbian"),
    "su": N_("Sundanese"),
    "sv": N_("Swedish"),
    "sw": N_("Swahili"),
    "ta": N_("Tamil"),
    "te": N_("Telugu"),
    "tg": N_("Tajik"),
    "th": N_("Thai"),
    "tk": N_("Turkmen"),
    "tl": N_("Tagalog"),
    "tr": N_("Turkish"),
    "tt": N_("Tatar"),
    "uk": N_("Ukrainian"),
    "ur": N_("Urdu"),
    "uz": N_("Uzbek"),
    "vi": N_("Vietnamese"),
    "wo": N_("Wolof"),
    "yi": N_("Yiddish"),
    "yo": N_("Yoruba"),
    "zh": N_("Chinese"),
}
# Codes that browsers and standards have another one for: of the `lang` of a text.
_TAGS: Final[Mapping[str, str]] = {"jw": "jv"}


def called(code: str) -> str:
    """Return what a language is called; its code where we don't know it."""
    return gettext(NAMES[code]) if code in NAMES else code


def tag(code: str) -> str:
    """Return a code as the `lang` attribute of a text wants it."""
    return _TAGS.get(code, code)


def listed(codes: Iterable[str]) -> str:
    """Return what languages are called, with commas."""
    return ", ".join(map(called, codes))


def by_name(codes: Collection[str]) -> list[tuple[str, str]]:
    """Return codes and what they are called, in the order of the alphabet.

    Those that pages can be in come first: they are asked for most.
    """
    ours = [code for code in dict.fromkeys((language(), "en", "ru")) if code in codes]
    others = sorted((called(code), code) for code in codes if code not in ours)
    return [*((code, called(code)) for code in ours), *((code, name) for name, code in others)]
