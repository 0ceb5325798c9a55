"""`/ws`, docs/protocol.md: who is here, whose microphone is on, and pages that come back."""

from __future__ import annotations

import asyncio

from tests.emulators.wordaudio import silence, speak
from tests.support.socket_client import guest
from tests.support.speech_samples import (
    beckett,
)
from tests.support.visitors import RoomPage, Visitor


async def test_everybody_sees_who_is_here(host: Visitor, slug: str) -> None:
    bob = guest(host, slug, "Bob")

    def names(page: RoomPage) -> list[str]:
        return [person["name"] for person in page.of_type("people")[-1]["people"]]

    async with host.page(slug) as ada_page:
        assert ada_page.welcome["you"]["role"] == "HOST"
        async with bob.page(slug) as bob_page, bob.page(slug) as second_tab:
            assert bob_page.welcome["you"]["role"] == "GUEST"
            await second_tab.until(lambda: second_tab.of_type("people"))
            assert names(second_tab) == ["Ada Lovelace", "Bob"], "two tabs are one person"
            await bob_page.leave()
            await second_tab.until(lambda: len(second_tab.of_type("people")) == 2)
            assert names(second_tab) == ["Ada Lovelace", "Bob"]
        await ada_page.until(lambda: names(ada_page) == ["Ada Lovelace"])


async def test_everybody_sees_whose_microphone_is_on(host: Visitor, slug: str) -> None:
    async with host.page(slug) as ada_page, guest(host, slug, "Bob").page(slug) as bob_page:
        me = ada_page.welcome["you"]["identity"]

        def states() -> list[str]:
            told = [one for one in bob_page.of_type("speech") if one["identity"] == me]
            return [one["state"] for one in told]

        await ada_page.mic(True)
        await ada_page.speak(silence(0.2) + speak("one two three four"))
        await bob_page.until(lambda: "listening" in states())
        await ada_page.mic(False)
        await bob_page.until(lambda: states()[-1] == "paused")
        assert states()[:2] == ["ready", "listening"]
        async with guest(host, slug, "Late").page(slug) as late:
            await late.until(lambda: late.of_type("speech"))
            assert late.of_type("speech")[0]["state"] == "paused"


async def test_only_what_is_missing_has_to_be_sent_again(host: Visitor, slug: str) -> None:
    page = host.page(slug)
    await page.connect()
    assert page.welcome["received"] == 0
    await page.mic(True)
    await page.speak(silence(1.0))
    await page.drop()
    page.record(silence(0.4))
    await page.connect()
    assert 0 <= page.welcome["received"] <= 16_000
    await page.mic(True)
    await page.resend()
    await page.resend(first=8_000)
    await page.leave()
    await page.connect()
    assert page.welcome["received"] == page.index == 1.4 * 16_000
    await page.leave()


async def test_the_same_page_takes_over_from_its_old_socket(host: Visitor, slug: str) -> None:
    old = host.page(slug)
    await old.connect()
    await old.mic(True)
    await old.speak(silence(1.0))
    await old.send({"type": "mic", "on": True})
    new = host.page(slug, client=old.client)
    await new.connect()
    assert await old.until_closed() == 4402
    assert new.welcome["received"] == 16_000
    await new.until(lambda: new.of_type("people"))
    assert [one["name"] for one in new.of_type("people")[-1]["people"]] == ["Ada Lovelace"]
    await old.leave()
    await new.mic(True)
    assert new.closed is None
    await new.leave()


async def test_another_persons_page_of_the_same_name_is_another_page(
    host: Visitor, slug: str
) -> None:
    async with host.page(slug) as ada_page:
        await ada_page.mic(True)
        await ada_page.speak(silence(1.0))
        async with guest(host, slug, "Bob").page(slug, client=ada_page.client) as bob_page:
            assert bob_page.welcome["received"] == 0
        await ada_page.mic(False)
        assert ada_page.closed is None


async def test_the_end_closes_every_page_also_of_who_is_still_talking(
    host: Visitor, slug: str
) -> None:
    bob = guest(host, slug, "Bob")
    async with host.page(slug) as ada_page, bob.page(slug) as bob_page:
        await ada_page.mic(True)

        async def talk() -> None:
            while True:
                await ada_page.speak(beckett()[:96_000], speed=1)

        talking = asyncio.create_task(talk())
        await bob_page.until(lambda: bob_page.of_type("utterance"))
        assert (await asyncio.to_thread(bob.end, slug)).status_code == 404, "only the host can"
        assert (await asyncio.to_thread(host.end, slug)).status_code == 303
        for page in (ada_page, bob_page):
            assert await page.until_closed() == 4410
            ended = page.of_type("session")[-1]
            assert (ended["status"], ended["reason"]) == ("ENDED", "ADMIN_ENDED")
            assert page.of_type("error") == []
        talking.cancel()
        await asyncio.wait([talking])
