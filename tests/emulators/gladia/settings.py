"""How the emulated service behaves where Gladia's documents leave it open, and how fast."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Timings:
    """Every wait of the service in seconds; None means never.

    Waits that Gladia spends computing are short by default, so tests are quick; the
    time limits are those users of the service observed.
    """

    answer: float = 0.0
    """Before the reply to `POST /v2/live`; 0.08 to 0.2 s were measured by others."""
    acknowledgment: float = 0.0
    partial: float = 0.0
    final: float = 0.02
    """From the end of an utterance to its final; about 0.7 s in reality."""
    post_processing: float = 0.03
    """From `end_recording` to the post messages; one to two seconds in reality."""
    job_done: float = 0.05
    """From the close to `done`: a GET right after the close may still say `processing`."""
    recorded_queue: float = 0.0
    """How long the job of a recording is `queued`."""
    recorded_work: float = 0.02
    """How long it is `processing` at least; about a minute for an hour of sound in reality."""
    recorded_limit: float = 135 * 60.0
    """Gladia docs, supported formats: seconds of sound in one request."""
    idle: float | None = 30.0
    """Without input until the 4408 close."""
    no_text: float | None = 60.0
    """With audio but without recognised text until the 4504 close."""
    session: float | None = 3 * 3600.0
    """Gladia docs, concurrency: a session lasts 3 h at most."""
    first_connect: float | None = None
    """How long the URL is valid before the first connect; not documented."""
    resume: float | None = None
    """How long a dropped session waits for its client; not documented."""
    close_handshake: float = 1.0
    """How long a client may take to answer a close frame."""

    def scaled(self, factor: float) -> Timings:
        """Return the same timings, multiplied by `factor`; the close handshake's is kept."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        del values["close_handshake"]
        scaled: dict[str, Any] = {k: v if v is None else v * factor for k, v in values.items()}
        return Timings(**scaled, close_handshake=self.close_handshake)

    @classmethod
    def lifelike(cls) -> Timings:
        """Return timings as others measured them against the real service."""
        return cls(answer=0.15, acknowledgment=0.03, partial=0.1, final=0.7, post_processing=1.2)


@dataclass(frozen=True, slots=True)
class Switches:
    """One switch for each behaviour that only the live service could tell."""

    reject_unknown_fields: bool = True
    """400 for any undocumented body field; `region` in the body is always a 400."""
    inclusive_ranges: bool = False
    """`byte_range` ends at the last byte (AsyncAPI) instead of behind it (OpenAPI)."""
    ranges_restart_on_reconnect: bool = False
    deduplicate: bool = False
    """Skip audio a client sends again because its acknowledgment was lost."""
    bill_duplicates: bool = True
    """Whether skipped duplicates are billed; without `deduplicate` all audio is."""
    replay: bool = False
    """Messages produced while the client was away are sent when it returns."""
    second_connection: Literal["replace", "refuse", "share"] = "replace"
    """A second socket with the same token closes the first, gets 409, or stays beside it."""
    replaced_code: int = 4409
    acknowledge_empty: bool = False
    acknowledge_every: int = 1
    """One acknowledgment for so many chunks, with one range over all of them."""
    asyncapi_errors: bool = False
    """Error objects as in the AsyncAPI document: status_code, exception, message."""
    refuse_unaligned: bool = False
    """Refuse a chunk that does not hold whole frames; else the stream shifts from there."""
    start_session_on_socket: bool = False
    repeat_start_recording: bool = False
    slot_taken: Literal["post", "connect"] = "post"
    slot_freed: Literal["close", "done"] = "close"
    """Free at the end of the recording, or once the job is done."""
    pings_are_input: bool = False
    empty_binary_is_input: bool = True
    idle_while_away: bool = False
    """The idle clock also runs while the client is disconnected."""
    no_text_ends: bool = False
    """After 4504 the session is over, although the SDK would reconnect."""
    session_limit_code: int = 4408
    """Close code after 3 h; not documented."""
    empty_wallet_status: int = 402
    """What the POST is answered with once the credit is used up; not documented."""
    empty_wallet_code: int | None = 4402
    """How open streams are closed then; None: they go on. Not documented."""
    unknown_token: int = 403
    """An HTTP status below 1000 refuses the handshake, a close code accepts and closes."""
    compression: bool = False
    """Accept permessage-deflate."""
    oversized_until_403: int = 3
    """After so many 1009 closes the handshake is refused and the session lost."""
    recognition_speed: float | None = None
    """Audio seconds recognised per second; None: at once."""
    lasting_messages: bool = True
    """The job's `result.messages` holds the real-time messages."""
