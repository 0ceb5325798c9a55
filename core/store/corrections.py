"""Corrections, made: what lines have become, who made them so, and what they were before.

Utterances are never changed. One that was corrected has rows in corrected_lines that are read in
its place, and each correction a row in `corrections`, whose id is the revision of what it made.
Corrections of one session are made one after the other, under a lock of the session's row: so of
two at the same moment one is first, and the other sees what it did; the ids of a session rise in
the order in which they can be seen; and lines that are locked together are no deadlock.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from core.corrections import (
    MAX_PARTS,
    MAX_RESTORED,
    MAX_TEXT,
    By,
    Change,
    Heard,
    Kind,
    NotNeighboursError,
    NotSpeechError,
    Seen,
    StaleError,
    Target,
    TooLongError,
    TooManyPartsError,
    UnknownLineError,
    Version,
)
from core.database import Database
from core.lines import SPEECH, LineId
from core.store import corrected
from core.store.correction_log import alone, note, write
from core.store.speakers import speaker_for

SHORTEST_S = 0.001  # seconds of a part of a line that had no length


async def edit(
    db: Database, by: By, run: Sequence[Seen], texts: Sequence[str] | None, to: Target | None
) -> list[Change]:
    """Give the first of these lines other words, and all of them another speaker; all or nothing.

    Of several texts each becomes a line of its own; None leaves words, or speakers, as they are.
    Returns what has changed. Raises UnknownLineError, NotSpeechError, StaleError, TooManyPartsError
    or TooManySpeakersError.
    """
    async with alone(db, by.session):
        lines, now = await _as_seen(db, by, run)
        after = now
        if to is not None:
            speaker = await speaker_for(db, by.session, to)
            after = [replace(one, speaker=speaker) for one in now]
        parts = _divided(after[0], texts, lines) if texts is not None else after[:1]
        first = Change(now[0], parts[0])
        kind: Kind = "ASSIGN" if parts[0].text == now[0].text else "EDIT"
        if len(parts) > 1:
            kind = "SPLIT"
        split = [Change(None, one) for one in parts[1:]]
        others = [Change(*both) for both in zip(now[1:], after[1:], strict=True)]
        done = await write(db, by, kind, [one for one in [first, *split] if not _same(one)])
        return done + await write(db, by, "ASSIGN", [one for one in others if not _same(one)])


def _divided(now: Version, texts: Sequence[str], lines: Collection[Version]) -> list[Version]:
    """Return the parts of a line that is to have these texts, its time divided as they are long."""
    number = max(one.line.part for one in lines if one.line.number == now.line.number) + 1
    if number + len(texts) - 1 > MAX_PARTS:
        raise TooManyPartsError
    # Letters say how long something was more truly than words, and there are tongues without gaps.
    sizes = [max(1, sum(not c.isspace() for c in text)) for text in texts]
    length = max(now.end - now.start, SHORTEST_S * (len(texts) - 1))
    parts, start, done = [], now.start, 0
    for index, (text, size) in enumerate(zip(texts, sizes, strict=True)):
        done += size
        last = index == len(texts) - 1
        end = now.end if last else now.start + length * done / sum(sizes)
        line = now.line if index == 0 else now.line._replace(part=number + index - 1)
        parts.append(replace(now, line=line, text=text, start=start, end=max(start, end)))
        start = end
    return parts


async def hide(db: Database, by: By, seen: Seen, *, hidden: bool) -> list[Change]:
    """Hide a line, or show it again. Raises UnknownLineError, NotSpeechError or StaleError."""
    async with alone(db, by.session):
        _, [now] = await _as_seen(db, by, [seen])
        if now.hidden == hidden:
            return []
        change = Change(now, replace(now, hidden=hidden))
        return await write(db, by, "HIDE" if hidden else "SHOW", [change])


async def join(db: Database, by: By, first: Seen, second: Seen) -> list[Change]:
    """Join a line to the one that follows it, of the same speaker.

    Raises UnknownLineError, NotSpeechError, StaleError, NotNeighboursError or TooLongError.
    """
    async with alone(db, by.session):
        _, [one, other] = await _as_seen(db, by, [first, second])
        if one.line == other.line or one.speaker.id != other.speaker.id:
            raise NotNeighboursError
        if one.hidden or other.hidden or await _next(db, by.session, one) != other.line:
            raise NotNeighboursError
        text = f"{one.text} {other.text}"
        if len(text) > MAX_TEXT:
            raise TooLongError
        changes = [
            Change(one, replace(one, text=text, end=max(one.end, other.end))),
            Change(other, replace(other, joined=one.line)),
        ]
        done = await write(db, by, "JOIN", changes)
        # What was joined to the second before is in the first by now.
        await db.execute(
            """
            UPDATE corrected_lines SET joined_seq = :to_seq, joined_part = :to_part
            WHERE session_id = :session AND joined_seq = :seq AND joined_part = :part
            """,
            session=UUID(by.session),
            to_seq=one.line.number,
            to_part=one.line.part,
            seq=other.line.number,
            part=other.line.part,
        )
        return done


async def _next(db: Database, session_id: str, line: Version) -> LineId | None:
    """Return the line that follows one, of those that everybody sees; chat isn't among them."""
    row = await db.fetch_one(
        """
        SELECT * FROM (
            (
                SELECT u.start_s, u.seq, 0 AS part FROM utterances u
                WHERE u.session_id = :session
                AND u.start_s >= :start AND (u.start_s, u.seq, 0) > (:start, :seq, :part)
                AND NOT EXISTS (
                    SELECT FROM corrected_lines c
                    WHERE c.session_id = u.session_id AND c.seq = u.seq
                )
                ORDER BY u.start_s, u.seq LIMIT 1
            ) UNION ALL (
                SELECT c.start_s, c.seq, c.part FROM corrected_lines c
                WHERE c.session_id = :session AND c.joined_seq IS NULL AND NOT c.hidden
                AND c.start_s >= :start AND (c.start_s, c.seq, c.part) > (:start, :seq, :part)
                ORDER BY c.start_s, c.seq, c.part LIMIT 1
            )
        ) l ORDER BY start_s, seq, part LIMIT 1
        """,
        session=UUID(session_id),
        start=line.start,
        seq=line.line.number,
        part=line.line.part,
    )
    return None if row is None else LineId(SPEECH, row["seq"], row["part"])


async def restore(db: Database, by: By, line: LineId, seen: int) -> list[int]:
    """Have a line, and all that was joined to it or split from it, as it was heard.

    `seen` is the newest revision that is known of any of it. Returns the numbers of the utterances.
    Raises UnknownLineError, StaleError or TooManyPartsError.
    """
    async with alone(db, by.session):
        seqs = await corrected.made_with(db, by.session, line)
        if len(seqs) > MAX_RESTORED:
            raise TooManyPartsError
        lines = await corrected.versions(db, by.session, seqs)
        if all(one.line != line for one in lines):
            raise UnknownLineError
        if stale := [one for one in lines if one.revision > seen]:
            raise StaleError(stale)
        before = [one for one in lines if one.revision > 0]
        if not before:
            return []
        heard = {one.seq: one for one in await corrected.heard(db, by.session, seqs)}
        changes = [
            Change(old, _as_heard(old, heard[old.line.number]))
            for old in before
            if old.line.part == 0
        ]
        await note(db, by, "RESTORE", changes)
        await db.execute(
            """
            DELETE FROM corrected_lines
            WHERE session_id = :session AND seq = ANY(CAST(:seqs AS int[]))
            """,
            session=UUID(by.session),
            seqs=list(seqs),
        )
        return sorted({one.line.number for one in before})


def _as_heard(line: Version, said: Heard) -> Version:
    return replace(
        line,
        text=said.text,
        start=said.start,
        end=said.end,
        speaker=said.speaker,
        hidden=False,
        joined=None,
    )


async def _as_seen(
    db: Database, by: By, run: Sequence[Seen]
) -> tuple[list[Version], list[Version]]:
    """Return the lines that these utterances are now, and of them these, each as it was seen.

    Raises UnknownLineError, NotSpeechError, or StaleError where one isn't as it was seen.
    """
    lines = await corrected.versions(db, by.session, {one.line.number for one in run})
    by_id = {one.line: one for one in lines}
    now, gone = list[Version](), set[int]()
    stale = dict[LineId, Version]()
    for line, revision in run:
        one = by_id.get(line)
        if one is None:
            if revision == 0:
                raise UnknownLineError
            gone.add(line.number)  # it was a part of what is whole again
        elif one.joined is not None:
            gone.add(one.joined.number)
        elif one.revision != revision:
            stale[line] = one
        elif one.lost is not None:
            raise NotSpeechError
        else:
            now.append(one)
    if gone:
        instead = await corrected.versions(db, by.session, gone)
        stale |= {one.line: one for one in instead if one.joined is None}
    if stale:
        raise StaleError(list(stale.values()))
    if gone:
        raise UnknownLineError
    return lines, now


def _same(change: Change) -> bool:
    """Whether nothing is another than before."""
    return change.before is not None and change.before.told() == change.after.told()
