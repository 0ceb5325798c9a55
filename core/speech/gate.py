"""The voice gate: tells speech from silence, so that only speech is paid for."""

from __future__ import annotations

import webrtcvad

from core.speech.engine import BYTES_PER_SECOND, SAMPLE_RATE

STEP = BYTES_PER_SECOND // 50  # 20 ms, one of the sizes that WebRTC's detector takes
AGGRESSIVENESS = 2  # of 0 to 3: breath and keyboards mostly stay out, quiet words stay in
OPENING_STEPS = 3  # 60 ms of voice: a click is shorter, the shortest word is longer
VOICED_STEPS = 5  # 20 ms each, after those that open the gate: the shortest word has more
PREROLL = BYTES_PER_SECOND // 2  # 0.5 s before the gate opened: the beginning of the first word
_SILENCE = bytes(STEP)


class VoiceGate:
    """Follows one participant's audio in steps of 20 ms.

    `hear` returns whether speech was heard within the audio given. `silent_for` is the
    audio time in seconds since speech was last heard.
    """

    __slots__ = ("_detector", "_rest", "_run", "_silent_steps")

    def __init__(self) -> None:
        self._detector = webrtcvad.Vad(AGGRESSIVENESS)  # learns the noise floor as it goes
        self._rest = b""  # audio that doesn't fill a step yet
        self._run = 0  # steps with a voice in a row, up to the last one
        self._silent_steps = 0  # since speech was last heard

    @property
    def silent_for(self) -> float:
        """Seconds of audio since speech was last heard."""
        return self._silent_steps * STEP / BYTES_PER_SECOND

    @property
    def undecided(self) -> bool:
        """Whether the last step had a voice in it, so that a word may just be beginning."""
        return self._run > 0

    def hear(self, pcm: bytes) -> bool:
        """Take PCM16 of any even length; return whether there was speech in it."""
        data = self._rest + pcm if self._rest else pcm
        whole = len(data) - len(data) % STEP
        is_speech, run, silent_steps = self._detector.is_speech, self._run, self._silent_steps
        heard = False
        for start in range(0, whole, STEP):
            step = data[start : start + STEP]
            # A muted track goes on as pure zeros: comparing is ten times cheaper than detecting.
            run = run + 1 if step != _SILENCE and is_speech(step, SAMPLE_RATE) else 0
            if run < OPENING_STEPS:
                # A voice too short yet counts as silence: should it go on, the audio before it is
                # had from who keeps it, and should it not, a click would have held the stream open.
                silent_steps += 1
            else:
                silent_steps = 0
                heard = True
        self._rest, self._run, self._silent_steps = data[whole:], run, silent_steps
        return heard


class Preroll:
    """The last half second that came, of which the next stretch of speech begins: see PREROLL."""

    __slots__ = ("frames", "size")

    def __init__(self) -> None:
        self.frames: list[bytes] = []  # the oldest first
        self.size = 0  # their bytes

    def add(self, pcm: bytes) -> None:
        """Take a frame."""
        while self.size > PREROLL:
            self.size -= len(self.frames.pop(0))
        self.frames.append(pcm)
        self.size += len(pcm)

    def clear(self) -> None:
        """Forget all: what comes next doesn't continue it."""
        self.frames.clear()
        self.size = 0


def has_speech(pcm: bytes, steps: int = VOICED_STEPS) -> bool:
    """Tell whether there is a word's length of speech in PCM16; stops as soon as that is clear."""
    gate = VoiceGate()
    for start in range(0, len(pcm) - STEP + 1, STEP):
        steps -= gate.hear(pcm[start : start + STEP])
        if steps <= 0:
            return True
    return False
