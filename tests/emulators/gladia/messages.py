"""The messages of the service, shaped as in Gladia's OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from .recognizers import Utterance, Word

Json = dict[str, Any]

_GATES = {
    "audio_chunk": "receive_acknowledgments",
    "stop_recording": "receive_acknowledgments",
    "start_session": "receive_lifecycle_events",
    "start_recording": "receive_lifecycle_events",
    "end_recording": "receive_lifecycle_events",
    "end_session": "receive_lifecycle_events",
    "speech_start": "receive_speech_events",
    "speech_end": "receive_speech_events",
    "translation": "receive_realtime_processing_events",
    "named_entity_recognition": "receive_realtime_processing_events",
    "sentiment_analysis": "receive_realtime_processing_events",
    "post_transcript": "receive_post_processing_events",
    "post_final_transcript": "receive_post_processing_events",
    "post_summarization": "receive_post_processing_events",
    "post_chapterization": "receive_post_processing_events",
    "error": "receive_errors",
}
_MISSING: Any = object()


def now() -> str:
    """Return the time as the service writes it: ISO 8601, UTC, milliseconds, Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def gate(message: Json) -> str | None:
    """Return the `messages_config` flag that lets `message` through; None: always sent."""
    if message["type"] == "transcript":
        final = (message.get("data") or {}).get("is_final", True)
        return "receive_final_transcripts" if final else "receive_partial_transcripts"
    return _GATES.get(message["type"])


def kind(message: Json) -> str:
    """Return the type, with `transcript` told apart as `partial` and `final`."""
    if message["type"] != "transcript" or not message.get("data"):
        return str(message["type"])
    return "final" if message["data"]["is_final"] else "partial"


class Composer:
    """Makes the messages of one session."""

    def __init__(self, session_id: str, *, asyncapi_errors: bool = False) -> None:
        self._session_id = session_id
        self._asyncapi_errors = asyncapi_errors

    def message(self, type_: str, data: Any = _MISSING, error: Any = _MISSING) -> Json:
        """Return the envelope every message has; `error` and `data` only when given."""
        result: Json = {"session_id": self._session_id, "created_at": now(), "type": type_}
        if error is not _MISSING:
            result["error"] = error
        if data is not _MISSING:
            result["data"] = data
        return result

    def error_object(self, text: str, status: int = 400) -> Json:
        """Return an error as OpenAPI (`message`) or AsyncAPI (three fields) shows it."""
        if self._asyncapi_errors:
            return {"status_code": status, "exception": "BadRequestException", "message": text}
        return {"message": text}

    def acknowledgment(self, type_: str, data: Json) -> Json:
        """Return a positive `audio_chunk` or `stop_recording` acknowledgment."""
        return self.message(type_, data, None) | {"acknowledged": True}

    def refusal(self, type_: str, text: str, status: int = 400) -> Json:
        """Return a negative acknowledgment; its data is null."""
        refused = self.message(type_, None, self.error_object(text, status))
        return refused | {"acknowledged": False}

    def speech(self, type_: str, time: float, channel: int) -> Json:
        """Return `speech_start` or `speech_end`."""
        return self.message(type_, {"time": time, "channel": channel})

    def transcript(self, utterance: Utterance, *, final: bool) -> Json:
        """Return a partial or final; both carry the same id."""
        data = {"id": utterance.id, "is_final": final, "utterance": utterance_json(utterance)}
        return self.message("transcript", data)

    def add_ons(self, utterance: Utterance, config: Json) -> Iterable[Json]:
        """Yield the real-time add-ons asked for, e.g. one translation per language."""
        realtime = config["realtime_processing"]
        spoken = utterance_json(utterance)
        base = {"utterance_id": utterance.id, "utterance": spoken}
        if realtime["translation"]:
            targets = (realtime["translation_config"] or {}).get("target_languages", [])
            for target in targets:
                yield self.message(
                    "translation",
                    base
                    | {
                        "original_language": utterance.language,
                        "target_language": target,
                        "translated_utterance": translated(utterance, target),
                    },
                    None,
                )
        if realtime["named_entity_recognition"]:
            entities = [_entity(word) for word in utterance.words if word.text.isdigit()]
            yield self.message("named_entity_recognition", base | {"results": entities}, None)
        if realtime["sentiment_analysis"]:
            moods = [_mood(utterance)]
            yield self.message("sentiment_analysis", base | {"results": moods}, None)

    def post(self, utterances: Sequence[Utterance], metadata: Json, config: Json) -> list[Json]:
        """Return the post-processing messages asked for, in order."""
        result = [
            self.message("post_transcript", transcription(utterances)),
            self.message("post_final_transcript", final_result(utterances, metadata)),
        ]
        text = transcription(utterances)["full_transcript"]
        if config["post_processing"]["summarization"]:
            result.append(self.message("post_summarization", {"results": f"Summary: {text}"}, None))
        if config["post_processing"]["chapterization"]:
            chapters = [_chapter(utterances, text)] if utterances else []
            result.append(self.message("post_chapterization", {"results": chapters}, None))
        return result


def utterance_json(utterance: Utterance) -> Json:
    """Return the utterance object; every word and the text begin with a space."""
    return {
        "text": "".join(f" {word.text}" for word in utterance.words),
        "start": utterance.start,
        "end": utterance.end,
        "language": utterance.language,
        "confidence": min((word.confidence for word in utterance.words), default=0.0),
        "channel": utterance.channel,
        "words": [_word(word) for word in utterance.words],
    }


def transcription(utterances: Sequence[Utterance]) -> Json:
    """Return the data of `post_transcript`."""
    text = " ".join(utterance.text for utterance in utterances)
    languages = sorted({utterance.language for utterance in utterances})
    return {
        "full_transcript": text,
        "languages": languages,
        "utterances": [utterance_json(utterance) for utterance in utterances],
    }


def final_result(utterances: Sequence[Utterance], metadata: Json) -> Json:
    """Return the data of `post_final_transcript`, which is also the job's result."""
    return {"metadata": metadata, "transcription": transcription(utterances)}


def _word(word: Word) -> Json:
    return {
        "word": f" {word.text}",
        "start": word.start,
        "end": word.end,
        "confidence": word.confidence,
    }


def translated(utterance: Utterance, target: str) -> Json:
    """Return the utterance as it is in another language."""
    spoken = utterance_json(utterance)
    return spoken | {
        "text": f" [{target}]{spoken['text']}",
        "language": target,
        "words": [],
    }


def _entity(word: Word) -> Json:
    return {"entity_type": "NUMBER", "text": word.text, "start": word.start, "end": word.end}


def _mood(utterance: Utterance) -> Json:
    return {
        "sentiment": "neutral",
        "emotion": "neutral",
        "text": utterance.text,
        "start": utterance.start,
        "end": utterance.end,
        "channel": utterance.channel,
    }


def _chapter(utterances: Sequence[Utterance], text: str) -> Json:
    return {
        "headline": utterances[0].words[0].text,
        "gist": text[:40],
        "keywords": [],
        "start": utterances[0].start,
        "end": utterances[-1].end,
        "sentences": [],
        "text": text,
    }
