"""Exported subtitles beside sound in a real player: Chromium has them at the right time."""

from __future__ import annotations

import asyncio
import base64
import io
import wave

from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.talks import Talk
from tests.support.visitors import Visitor

SECONDS = 30
WAIT_FOR_CUES = """
    async (at) => {
        const sound = document.querySelector('audio');
        const track = sound.textTracks[0];
        track.mode = 'hidden';
        if (!track.cues) await new Promise((done) => { find('track').onload = done; });
        if (sound.readyState < 1) await new Promise((done) => { sound.onloadedmetadata = done; });
        sound.currentTime = at;
        await new Promise((done) => { sound.onseeked = done; });
        // Which are active is found out in the next turn.
        const active = () => [...(track.activeCues ?? [])];
        while (!active().length) await new Promise((done) => setTimeout(done, 20));
        return active().map((cue) => cue.getCueAsHTML().textContent + '|' + cue.text);
    }
"""


def silence() -> str:
    """Return half a minute of nothing as an address."""
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * 8000 * SECONDS)
    return "data:audio/wav;base64," + base64.b64encode(sound.getvalue()).decode()


def exported(server: AppServer) -> str:
    """Return the subtitles of a session in which two speak at once, one for long."""
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    talk = Talk.begin(server, ada, "Played", "Bo <b> & co.")
    talk.say("Ada Lovelace", "Good morning. Shall we begin?", 2.0, 4.0)
    talk.say("Bo <b> & co.", "Yes --> <i>now</i> & here.", 4.0, 4.0)
    talk.say("Ada Lovelace", "שלום עולם", 10.0, language="he")
    talk.say("Ada Lovelace", "We need another pier before the winter comes. " * 4, 14.0, 14.0)
    vtt: str = talk.file("vtt").text
    return vtt


async def test_a_player_shows_who_says_what_when(browsers: Browsers, server: AppServer) -> None:
    vtt = await asyncio.to_thread(exported, server)
    page = await browsers.page()
    await page.set_content(
        "<audio><track default kind='captions' srclang='en'></audio>"
        "<script>const find = (one) => document.querySelector(one);</script>"
    )
    await page.evaluate(
        """([sound, vtt]) => {
            find('audio').src = sound;
            find('track').src = URL.createObjectURL(new Blob([vtt], { type: 'text/vtt' }));
        }""",
        [silence(), vtt],
    )
    at_three, at_five, at_eleven, at_twenty = [
        await page.evaluate(WAIT_FOR_CUES, second) for second in (3, 5, 11, 20)
    ]
    assert at_three == [
        "Good morning. Shall we begin?|<v Ada Lovelace>Good morning. Shall we begin?</v>"
    ]
    # Both at once.
    assert [one.partition("|")[0] for one in at_five] == [
        "Good morning. Shall we begin?",
        "Yes --> <i>now</i> & here.",
    ]
    assert "<v Bo &lt;b&gt; &amp; co.>" in at_five[1]
    assert [one.partition("|")[0] for one in at_eleven] == ["שלום עולם"]
    assert len(at_twenty) == 1
    shown = at_twenty[0].partition("|")[0].split("\n")
    assert max(map(len, shown)) <= 42
    cues = await page.evaluate("find('audio').textTracks[0].cues.length")
    assert cues == vtt.count(" --> ")
