"""What comes of a recording: the words that are really in the file, as a job's result has them."""

from __future__ import annotations

from typing import Any

from . import messages
from .recognizers import Final, RecognizerFactory, RecognizerOptions, Utterance, WordRecognizer
from .uploads import Upload

Json = dict[str, Any]

ENDPOINTING_S = 0.4  # of silence that end an utterance
LONGEST_S = 30.0


def transcribe(upload: Upload, config: Json, recognizer: RecognizerFactory) -> Json:
    """Return a job's `result`. Computes for a while."""
    language = (config["language_config"]["languages"] or ["en"])[0]
    distinct = list(dict.fromkeys(upload.channels))
    utterances: list[Utterance] = []
    for number, pcm in enumerate(distinct):
        options = RecognizerOptions(number, language, ENDPOINTING_S, LONGEST_S)
        # Codecs change samples: a word is good that its checksum is right for.
        exact = recognizer is WordRecognizer
        hears = WordRecognizer(options, exact=False) if exact else recognizer(options)
        events = hears.feed(pcm) + hears.finish()
        utterances += [event.utterance for event in events if isinstance(event, Final)]
    utterances.sort(key=lambda utterance: utterance.start)
    result = messages.final_result(utterances, _metadata(upload, len(distinct)))
    _respell(result["transcription"], config)
    if config["translation"]:
        result["translation"] = _translation(utterances, config)
    return result


def _metadata(upload: Upload, distinct: int) -> Json:
    """Gladia docs, multiple channels: channels that are the same are billed once."""
    return {
        "audio_duration": upload.seconds,
        "number_of_distinct_channels": distinct,
        "billing_time": upload.seconds * distinct,
        "transcription_time": 0.1,
    }


def _respell(transcription: Json, config: Json) -> None:
    """Write what `custom_spelling` has as it has it."""
    if not config["custom_spelling"] or not config["custom_spelling_config"]:
        return
    written = {
        heard.lower(): right
        for right, wrong in config["custom_spelling_config"]["spelling_dictionary"].items()
        for heard in wrong
    }
    for utterance in transcription["utterances"]:
        for word in utterance["words"]:
            bare = word["word"].strip()
            word["word"] = f" {written.get(bare.lower(), bare)}"
        utterance["text"] = "".join(word["word"] for word in utterance["words"])


def _translation(utterances: list[Utterance], config: Json) -> Json:
    targets = config["translation_config"]["target_languages"]
    results = []
    for target in targets:
        said = [messages.translated(one, target) for one in utterances]
        text = "".join(one["text"] for one in said).strip()
        results.append(
            {"full_transcript": text, "languages": [target], "utterances": said, "error": None}
        )
    return {
        "success": True,
        "is_empty": not utterances,
        "exec_time": 0.1,
        "error": None,
        "results": results,
    }
