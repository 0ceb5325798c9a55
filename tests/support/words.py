"""Keeps `locale/` in step with the code: `make words`.

Strings are extracted from templates and Python into one catalogue, from the page's modules into
another; what is new comes with an empty translation, what nobody uses any more goes. Then the
translations are compiled to what is read at run time: a `.mo` file, and a module of the page.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from tests.support import ROOT
from web.words import DOMAIN, FOLDER, LANGUAGES

TRANSLATED = tuple(one for one in LANGUAGES if one != "en")  # English stands in the code
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "N_": None,
    "t": None,
    "ngettext": (1, 2),
    "tn": (1, 2),
}
WIDTH = 120


@dataclass(frozen=True)
class Domain:
    """A catalogue: its name, and where its strings stand with what extracts them."""

    name: str
    sources: tuple[tuple[str, str], ...]


SERVER = Domain(
    DOMAIN,
    (
        ("app.py", "python"),
        ("core/**.py", "python"),
        ("routes/**.py", "python"),
        ("web/**.py", "python"),
        ("templates/**.html", "jinja2.ext:babel_extract"),
    ),
)
PAGE = Domain("page", (("static/js/**.js", "javascript"),))
DOMAINS = (SERVER, PAGE)
# A placeholder that a translation must have too: %(name)s or {name}.
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|\{(\w+)\}")


def po_path(domain: Domain, language: str) -> Path:
    """Return where the translations of a catalogue are kept."""
    return FOLDER / language / "LC_MESSAGES" / f"{domain.name}.po"


def extracted(domain: Domain) -> Catalog:
    """Return all strings of a catalogue as the code has them now."""
    catalog = Catalog(domain=domain.name, charset="utf-8", fuzzy=False)
    found = extract_from_dir(
        ROOT,
        method_map=list(domain.sources),
        options_map={"templates/**.html": {"extensions": "jinja2.ext.i18n", "trimmed": "true"}},
        keywords=KEYWORDS,
        comment_tags=("Translators:",),
        strip_comment_tags=True,
        directory_filter=_is_ours,
    )
    for path, _, message, comments, context in found:
        # Without line numbers, which would change with every line above.
        catalog.add(message, None, [(path, 0)], auto_comments=comments, context=context)
    return catalog


def _is_ours(folder: str | Path) -> bool:
    name = Path(folder).name
    return not name.startswith(".") and name not in ("vendor", "words", "tests", "node_modules")


def updated(domain: Domain, language: str) -> Catalog:
    """Return the translations with what the code has now, nothing more, in a fixed order."""
    path = po_path(domain, language)
    known = _read(path, language)
    fresh = extracted(domain)
    catalog = Catalog(locale=language, domain=domain.name, charset="utf-8", fuzzy=False)
    catalog.header_comment = known.header_comment if path.exists() else ""
    for message in fresh:
        if not message.id:
            continue
        old = known.get(message.id, message.context)
        places = [(place, 0) for place, _ in sorted(set(message.locations))]
        catalog.add(
            message.id,
            old.string if old is not None else None,
            places,
            auto_comments=message.auto_comments,
            context=message.context,
        )
    return catalog


def _read(path: Path, language: str) -> Catalog:
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def as_po(catalog: Catalog) -> str:
    """Return a catalogue as people edit it. Its header has no dates, which change by themselves."""
    out = io.BytesIO()
    write_po(
        out, catalog, width=WIDTH, sort_by_file=True, ignore_obsolete=True, include_lineno=False
    )
    header = re.compile(
        r'^"(?:POT-Creation-Date|PO-Revision-Date|Generated-By|Project-Id-Version|'
        r"Report-Msgid-Bugs-To|Last-Translator|Language-Team): .*\n",
        re.MULTILINE,
    )
    return header.sub("", out.getvalue().decode())


def as_mo(catalog: Catalog) -> bytes:
    """Return a catalogue as gettext reads it. Strings without a translation are left out."""
    out = io.BytesIO()
    catalog.creation_date = datetime(2026, 1, 1, tzinfo=UTC)  # the same words, the same bytes
    write_mo(out, catalog)
    return out.getvalue()


def as_module(catalog: Catalog) -> str:
    """Return a catalogue as a module of the page, which hands it to lib/words.js."""
    words = {}
    for message in catalog:
        if message.id and complete(message):
            key = message.id[0] if isinstance(message.id, tuple) else message.id
            words[key] = message.string
    lines = json.dumps(words, ensure_ascii=False, indent=2, sort_keys=True)
    return (
        "// Made by `make words` of locale/*/LC_MESSAGES/page.po; changes belong there.\n"
        f"import {{ speak }} from '../lib/words.js';\n\nspeak({lines});\n"
    )


def complete(message: Message) -> bool:
    """Whether all forms of a message are translated."""
    return all(_forms(message.string))


def _forms(text: object) -> list[str]:
    """Return a singular and its plurals, or the one text there is."""
    return [str(one or "") for one in (text if isinstance(text, tuple | list) else (text,))]


def mistakes(message: Message) -> Iterator[str]:
    """Yield what is wrong with a translation."""
    if not complete(message):
        yield "has no translation"
        return
    wanted = [_placeholders(one) for one in _forms(message.id)]
    for form in _forms(message.string):
        # A singular may spell its number out.
        if _placeholders(form) not in wanted:
            yield f"has other placeholders: {form!r}"


def _placeholders(text: str) -> frozenset[str]:
    return frozenset(one or other for one, other in PLACEHOLDER.findall(text))


def outputs() -> Iterator[tuple[Path, bytes]]:
    """Yield every file that is made here, and what it should hold."""
    for language in TRANSLATED:
        for domain in DOMAINS:
            catalog, path = updated(domain, language), po_path(domain, language)
            yield path, as_po(catalog).encode()
            if domain is SERVER:
                yield path.with_suffix(".mo"), as_mo(catalog)
            else:
                module = ROOT / "static" / "js" / "words" / f"{language}.js"
                yield module, as_module(catalog).encode()


def main() -> int:
    """Write what has changed, and say what is still to be translated."""
    for path, content in list(outputs()):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
            print("written:", path.relative_to(ROOT))
    missing = 0
    for language in TRANSLATED:
        for domain in DOMAINS:
            for message in updated(domain, language):
                for mistake in mistakes(message) if message.id else ():
                    missing += 1
                    print(
                        f"{po_path(domain, language).relative_to(ROOT)}: {message.id!r} {mistake}"
                    )
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
