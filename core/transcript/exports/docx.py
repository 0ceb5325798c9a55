"""A transcript as a document (Office Open XML, ECMA-376), written as its lines come.

A library would have all of it in memory. What a transcript needs is little: paragraphs in a few
styles, names in the colours of the page, and words that go from right to left.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from unicodedata import bidirectional, category
from xml.sax.saxutils import escape, quoteattr

from core.lines import Line
from core.transcript.exports.entries import Entry, Turns, Wanted, clean, clock, entries, goes_left
from core.transcript.exports.names import moment
from core.zipping import Zip

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_ABOUT = f"{_PACKAGE}/relationships/metadata/core-properties"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_KIND = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_PACKAGE_KIND = "application/vnd.openxmlformats-package"

_TYPES = f"""{_HEAD}<Types xmlns="{_PACKAGE}/content-types">
<Default Extension="rels" ContentType="{_PACKAGE_KIND}.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/word/document.xml" ContentType="{_KIND}.document.main+xml"/>
<Override PartName="/word/styles.xml" ContentType="{_KIND}.styles+xml"/>
<Override PartName="/docProps/core.xml" ContentType="{_PACKAGE_KIND}.core-properties+xml"/>
</Types>"""
_PARTS = f"""{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">
<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="word/document.xml"/>
<Relationship Id="rId2" Type="{_ABOUT}" Target="docProps/core.xml"/>
</Relationships>"""
_OF_DOCUMENT = f"""{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">
<Relationship Id="rId1" Type="{_OFFICE}/styles" Target="styles.xml"/>
</Relationships>"""
# Of somebody's hue, as on the page in light colours: oklch(0.46 0.115 h).
_COLOURS = (
    *("8D3936", "006C54", "773E7B", "575F00", "385498", "874300"),
    *("006976", "87385B", "25682C", "5E4891", "755100", "00608E"),
)
_GREY = "6B6B6B"


def _style(name: str, paragraph: str, run: str) -> str:
    own = "" if name in ("Title", "Subtitle") else ' w:customStyle="1"'
    return (
        f'<w:style w:type="paragraph"{own} w:styleId="{name}"><w:name w:val="{name}"/>'
        f'<w:basedOn w:val="Normal"/><w:qFormat/><w:pPr>{paragraph}</w:pPr><w:rPr>{run}</w:rPr>'
        "</w:style>"
    )


def _size(half_points: int) -> str:
    return f'<w:sz w:val="{half_points}"/><w:szCs w:val="{half_points}"/>'


_STYLES = (
    f'{_HEAD}<w:styles xmlns:w="{_WORD}"><w:docDefaults><w:rPrDefault><w:rPr>'
    f'<w:rFonts w:ascii="Calibri" w:hAnsi="Calibri" w:cs="Arial"/>{_size(22)}</w:rPr>'
    '</w:rPrDefault><w:pPrDefault><w:pPr><w:spacing w:after="60" w:line="276" w:lineRule="auto"/>'
    "</w:pPr></w:pPrDefault></w:docDefaults>"
    '<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/>'
    "</w:style>"
    + _style("Title", '<w:spacing w:after="60"/>', f"<w:b/><w:bCs/>{_size(40)}")
    + _style("Subtitle", '<w:spacing w:after="240"/>', f'<w:color w:val="{_GREY}"/>')
    + _style("Speaker", '<w:keepNext/><w:spacing w:before="200" w:after="20"/>', _size(22))
    + _style("Original", '<w:ind w:left="360"/>', f'<w:color w:val="{_GREY}"/>')
    + _style("Note", "", f'<w:i/><w:iCs/><w:color w:val="{_GREY}"/>')
    + '<w:style w:type="character" w:customStyle="1" w:styleId="Time"><w:name w:val="Time"/>'
    f'<w:rPr><w:color w:val="{_GREY}"/>{_size(18)}</w:rPr></w:style></w:styles>'
)
_BEGIN = f'{_HEAD}<w:document xmlns:w="{_WORD}"><w:body>'
_END = (
    '<w:sectPr><w:pgSz w:w="11906" w:h="16838"/>'
    '<w:pgMar w:top="1134" w:right="1134" w:bottom="1134" w:left="1134" w:header="567"'
    ' w:footer="567" w:gutter="0"/></w:sectPr></w:body></w:document>'
)


class Docx:
    """A document: its title, when the session began, and turns by speaker."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._turns = Turns()
        self._zip = Zip()

    def begin(self) -> bytes:
        """Return all parts but the document, and its head."""
        session = self._wanted.session
        title, began = clean(session.title), self._wanted.began
        at = (session.started_at or session.created_at).astimezone(UTC)
        told = bytearray()
        for name, text in (
            ("[Content_Types].xml", _TYPES),
            ("_rels/.rels", _PARTS),
            ("docProps/core.xml", _properties(title, at)),
            ("word/_rels/document.xml.rels", _OF_DOCUMENT),
            ("word/styles.xml", _STYLES),
        ):
            told += self._zip.begin(name, at) + self._zip.write(text.encode())
        told += self._zip.begin("word/document.xml", at)
        head = _BEGIN + (_paragraph("Title", _runs(title), title) if title else "")
        if began is not None:
            head += _paragraph("Subtitle", _run(moment(began)))
        return bytes(told) + self._zip.write(head.encode())

    def lines(self, lines: list[Line]) -> bytes:
        """Return paragraphs."""
        some = entries(lines, self._wanted)
        return self._zip.write("".join(map(self._paragraphs, some)).encode())

    def end(self) -> bytes:
        """Return the end of the document, and the table of contents."""
        return self._zip.write(_END.encode()) + self._zip.end()

    def _paragraphs(self, one: Entry) -> str:
        begins, timed = self._turns.begins(one), self._turns.timed(one)
        at = ""
        if timed and self._wanted.times:
            at = _run(clock(one.start), '<w:rStyle w:val="Time"/>')
        if begins:
            colour = _GREY if one.note else _COLOURS[one.hue % len(_COLOURS)]
            name = _runs(one.name, f'<w:b/><w:bCs/><w:color w:val="{colour}"/>')
            head = _paragraph("Speaker", name + (_run(" ") + at if at else ""), one.name)
            at = ""
        else:
            head = ""
        if one.note:
            return head + _paragraph("Note", at + (_run(" ") if at else "") + _runs(one.text))
        words = (at + _run(" ") if at else "") + _runs(one.text, language=one.language)
        said = ""
        if one.original:
            own = _runs(one.original, language=one.original_language)
            said = _paragraph("Original", own, one.original)
        return head + _paragraph("", words, one.text) + said


def _paragraph(style: str, runs: str, text: str = "") -> str:
    """Return a paragraph; `text` is what decides from where to where it goes."""
    about = f'<w:pStyle w:val="{style}"/>' if style else ""
    about += "<w:bidi/>" if goes_left(text) else ""
    return f"<w:p>{f'<w:pPr>{about}</w:pPr>' if about else ''}{runs}</w:p>"


def _runs(text: str, about: str = "", language: str | None = None) -> str:
    """Return text as runs, of which each goes in one direction."""
    return "".join(
        _run(part, about + _direction(left=left, language=language))
        for left, part in _directed(text)
    )


def _direction(*, left: bool, language: str | None) -> str:
    """Return the properties of a run; they stand in this order in the schema."""
    spoken = ""
    if language:
        spoken = f"<w:lang {'w:bidi' if left else 'w:val'}={quoteattr(clean(language))}/>"
    return ("<w:rtl/>" if left else "") + spoken


def _directed(text: str) -> Iterator[tuple[bool, str]]:
    """Divide text where its direction changes; what has none goes with what is before it."""
    if text.isascii():
        yield False, text
        return
    left = bool(goes_left(text))
    told = list[tuple[bool, str]]()
    for letter in text:
        kind = bidirectional(letter)
        if kind in ("R", "AL", "L") and category(letter)[0] != "M":
            left = kind != "L"
        told.append((left, letter))
    for direction, some in groupby(told, key=lambda one: one[0]):
        yield direction, "".join(letter for _, letter in some)


def _run(text: str, about: str = "") -> str:
    properties = f"<w:rPr>{about}</w:rPr>" if about else ""
    return f'<w:r>{properties}<w:t xml:space="preserve">{escape(text)}</w:t></w:r>'


def _properties(title: str, at: datetime) -> str:
    when = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    return (
        f'{_HEAD}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{escape(title)}</dc:title>"
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{when}</dcterms:created></cp:coreProperties>'
    )
