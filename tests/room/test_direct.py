"""The short cut for binary frames behaves like uvicorn's own class, on a real socket."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from tests.support.echo_server import (
    BINARY,
    CLOSE,
    CONT,
    FIN,
    MAX_SIZE,
    PING,
    PONG,
    TEXT,
    Seen,
    Server,
    clients,
    connect,
    cut,
    describe,
    frame,
    serve,
)
from web.socket.bounds import MAX_FRAGMENTS, ODD_FRAMES_IN_HAND
from web.socket.direct import DirectWebSocketProtocol
from web.socket.frames import encode_text_frame


@pytest.fixture(scope="module")
def plain() -> Iterator[Server]:
    yield from serve(WebSocketsSansIOProtocol)


@pytest.fixture(scope="module")
def fast() -> Iterator[Server]:
    yield from serve(DirectWebSocketProtocol)


@pytest.fixture(scope="module")
def strict() -> Iterator[Server]:
    yield from serve(DirectWebSocketProtocol, max_size=1000)


@pytest.fixture(autouse=True)
def _free_sockets() -> Iterator[None]:
    yield
    while clients:
        clients.pop().free()


@pytest.fixture(params=["plain", "fast"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("size", [0, 1, 125, 126, 1608, 65_535, 65_536, 100_000])
def test_a_binary_message_of_any_size_arrives_whole(server: Server, size: int) -> None:
    data = random.Random(size).randbytes(size)
    seen = connect(server).send(frame(BINARY, data)).read(1).close()
    assert seen == Seen([describe("binary", data)], [], 1000, True)


def test_binary_takes_the_short_cut_even_in_pieces(fast: Server) -> None:
    before = fast.app.directly
    data = frame(BINARY, b"x" * 1608)
    client = connect(fast).send(data).read(1)
    client.send(*cut(data, 1000)).read(2)  # as a network's packets cut it
    client.send(*cut(data, 3)).read(3)  # within the head
    client.send(frame(BINARY, b"a", fin=False), frame(CONT, b"b")).read(4)
    client.send(data * 5).read(9)
    assert client.close().replies == [
        *[describe("binary", b"x" * 1608)] * 3,
        describe("binary", b"ab"),
        *[describe("binary", b"x" * 1608)] * 5,
    ]
    assert fast.app.directly - before == 9


def test_frames_dribble_in_byte_by_byte(server: Server) -> None:
    data = frame(BINARY, b"d" * 140) + frame(TEXT, b"hello") + frame(BINARY, b"")
    seen = connect(server).send(*cut(data, *range(len(data)))).read(3).close()
    assert seen.replies == [
        describe("binary", b"d" * 140),
        describe("text", b"hello"),
        describe("binary", b""),
    ]


def test_a_ping_between_fragments_is_answered(server: Server) -> None:
    packets = (
        frame(BINARY, b"one", fin=False),
        frame(PING, b"are you there"),
        frame(CONT, b"", fin=False),
        frame(CONT, b"two"),
        frame(BINARY, b"next"),
    )
    for pieces in ((b"".join(packets),), packets):
        seen = connect(server).send(*pieces).read(2).close()
        assert seen.replies == [describe("binary", b"onetwo"), describe("binary", b"next")]
        assert seen.pongs == [b"are you there"]


def test_text_and_binary_stay_in_order(server: Server) -> None:
    client = connect(server)
    kinds = [TEXT, BINARY, BINARY, TEXT, TEXT, BINARY, TEXT] * 20
    client.send(b"".join(frame(kind, b"%d" % i) for i, kind in enumerate(kinds)))
    replies = client.read(len(kinds)).close().replies
    assert replies == [
        describe("text" if kind == TEXT else "binary", b"%d" % i) for i, kind in enumerate(kinds)
    ]


def test_an_app_can_go_back_to_the_queue(fast: Server) -> None:
    client = connect(fast).send(frame(BINARY, b"1")).read(1)
    before = fast.app.directly
    client.send(frame(TEXT, b"queue") + frame(BINARY, b"2")).read(2).send(frame(BINARY, b"3"))
    assert len(client.read(3).close().replies) == 3
    assert fast.app.directly == before


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (frame(BINARY, b"unmasked", masked=False), 1002),
        (frame(TEXT, b"unmasked", masked=False), 1002),
        (b"\xc2\x80aaaa", 1002),
        (b"\x83\x80aaaa", 1002),
        (frame(CONT, b"of nothing"), 1002),
        (frame(BINARY, b"a", fin=False) + frame(BINARY, b"b"), 1002),
        (frame(PING, b"p" * 126), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(TEXT, b"\xff\xfe"), 1007),
        (b"\x82\xff" + (MAX_SIZE + 1).to_bytes(8, "big") + b"mask", 1009),
        (b"\x82\xff" + (1 << 62).to_bytes(8, "big") + b"mask", 1009),
        (frame(BINARY, b"a" * 70_000, fin=False) + b"\x80\xff" + struct.pack("!Q", 70_000), 1009),
    ],
)
@pytest.mark.parametrize("after_half_a_frame", [False, True])
def test_a_broken_frame_closes_with_its_code(
    server: Server, bad: bytes, code: int, after_half_a_frame: bool
) -> None:
    good = frame(BINARY, b"g" * 1000)
    client = connect(server)
    if after_half_a_frame:
        client.send(*cut(good, 500)).read(1)
        client.send(*cut(bad, 1))
    else:
        client.send(good).read(1).send(bad)
    seen = client.read().close()
    assert (len(seen.replies), seen.close) == (1, code)
    assert server.disconnect_code(client) == code


def test_the_app_closes_while_half_a_frame_is_on_its_way(server: Server) -> None:
    half, rest = cut(frame(BINARY, b"z" * 2000), 700)
    before = server.app.directly
    client = connect(server).send(frame(TEXT, b"close") + half).read(closes=1)
    client.send(rest + frame(BINARY, b"too", fin=False) + frame(CONT, b"late"))
    client.send(frame(BINARY, b"later" * 100))
    assert client.close() == Seen([], [], 4401, True)
    assert server.app.directly == before
    assert server.disconnect_code(client) == 4401


def test_nothing_is_taken_after_the_apps_close(server: Server) -> None:
    before = server.app.directly
    client = connect(server).send(frame(TEXT, b"close")).read(closes=1)
    client.send(frame(BINARY, b"late" * 100), frame(BINARY, b"later"))
    assert client.close() == Seen([], [], 4401, True)
    assert server.app.directly == before


def test_nothing_is_taken_after_the_clients_close(server: Server) -> None:
    before = server.app.directly
    client = connect(server).send(frame(BINARY, b"last")).read(1)
    client.send(frame(CLOSE, b"\x03\xe9") + frame(BINARY, b"after") + frame(TEXT, b"all")).read()
    assert client.close() == Seen([describe("binary", b"last")], [], 1001, True)
    assert server.disconnect_code(client) == 1001
    assert server.app.directly - before <= 1


@pytest.mark.parametrize("first", range(1, 16))
def test_payload_that_looks_like_frames_moves_no_boundary(server: Server, first: int) -> None:
    data = b"\x82" * 8  # a head for two bytes, its mask, and two zeros under that mask
    for early in (b"", data[: first % 8]):
        client = connect(server, before_the_answer=early)
        rest = (data * 8)[len(early) :]
        client.send(*cut(rest, first, 3 * first))
        assert client.read(8).close().replies == [describe("binary", b"\0\0")] * 8


def wrapped(inside: bytes, *, fin: bool = True) -> bytes:
    """A frame whose payload is `inside` on the wire too: its mask is zero."""
    head = bytes(((FIN if fin else 0) | BINARY, 0x80 | 126))
    return head + len(inside).to_bytes(2, "big") + bytes(4) + inside


def test_payload_that_looks_like_audio_is_none(server: Server) -> None:
    inside = frame(BINARY, b"x" * 200)
    outer = wrapped(inside)
    whole, after = describe("binary", inside), describe("binary", b"y" * 300)
    client = connect(server).send(frame(BINARY, b"")).read(1)
    client.send(outer[:8], inside, frame(BINARY, b"y" * 300)).read(3)
    first = wrapped(inside, fin=False)
    client.send(first[:8], inside, frame(CONT), frame(BINARY, b"y" * 300)).read(5)
    longer = wrapped(b"zz" + inside)
    early = connect(server, before_the_answer=longer[:8])
    early.send(b"zz", inside, frame(BINARY, b"y" * 300)).read(2)
    assert client.close().replies[1:] == [whole, after] * 2
    assert early.close().replies == [describe("binary", b"zz" + inside), after]


def test_a_cut_head_that_looks_like_audio_is_none(server: Server) -> None:
    client = connect(server).send(frame(BINARY, b"")).read(1)
    client.send(b"\x82", b"\x82\xfe\x00\xc8\x00" + b"\xfe\x00" + frame(BINARY, b"y" * 193))
    assert client.read(3).close().replies[1:] == [
        describe("binary", b"\0\0"),
        describe("binary", b"y" * 193),
    ]


def test_a_whole_message_amid_fragments_breaks_the_protocol(server: Server) -> None:
    client = connect(server).send(frame(BINARY, b"")).read(1)
    client.send(frame(BINARY, b"a", fin=False), frame(BINARY, b"b" * 200)).read()
    assert (client.seen.replies[1:], client.seen.close) == ([], 1002)


def test_the_servers_own_limit_holds(strict: Server) -> None:
    client = connect(strict).send(frame(BINARY, b"")).read(1)
    client.send(frame(BINARY, b"m" * 1000)).read(2)
    client.send(frame(BINARY, b"m" * 1001)).read()
    assert (len(client.seen.replies), client.seen.close) == (2, 1009)


def test_a_lost_connection_ends_the_app(server: Server) -> None:
    client = connect(server).send(frame(BINARY, b"1")).read(1).send(frame(BINARY, b"22")[:5])
    client.free()
    assert server.disconnect_code(client) in (1005, 1006)


def test_what_the_callback_raises_ends_the_connection_only(
    fast: Server, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(fast).send(frame(BINARY, b"raise"))
    seen = client.read().close()
    assert (seen.replies, seen.ended) == ([], True)
    assert fast.disconnect_code(client) in (1005, 1006)
    assert "the callback failed" in caplog.text
    assert connect(fast).send(frame(BINARY, b"ok")).read(1).close().close == 1000


def test_frames_before_the_answer_are_left_to_the_parent(server: Server) -> None:
    data = frame(BINARY, b"early" * 50)
    client = connect(server, before_the_answer=data)
    client.send(frame(TEXT, b"later") + data)
    early = describe("binary", b"early" * 50)
    assert client.read(3).close().replies == [early, describe("text", b"later"), early]


def test_who_cuts_every_frame_into_bytes_is_closed(
    fast: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slowly a busy machine reads, and how much of it at once.
    monkeypatch.setattr("web.socket.bounds.SMALL_READS_IN_HAND", 20)
    monkeypatch.setattr("web.socket.bounds.SMALL_READS_PER_S", 0.001)
    client = connect(fast)
    data = frame(TEXT, b"t" * 300)
    client.send(*cut(data, *range(len(data)))).read(closes=1)
    assert (client.seen.replies, client.seen.close) == ([], 1008)
    assert fast.disconnect_code(client) == 1008


@pytest.mark.parametrize(
    "odd",
    [frame(PING), frame(PONG, b"p" * 125), frame(BINARY, b"", fin=False) + frame(CONT)],
    ids=["pings", "pongs", "fragments"],
)
def test_who_sends_too_many_frames_that_are_no_messages_is_closed(fast: Server, odd: bytes) -> None:
    client = connect(fast).send(odd * 2 * ODD_FRAMES_IN_HAND).read(closes=1)
    assert client.seen.close == 1008
    assert len(client.seen.replies) + len(client.seen.pongs) <= ODD_FRAMES_IN_HAND + 100


def test_a_message_has_a_bounded_number_of_fragments(fast: Server) -> None:
    middle = frame(CONT, b"m", fin=False)
    most = frame(BINARY, fin=False) + middle * (MAX_FRAGMENTS - 2) + frame(CONT)
    client = connect(fast).send(most).read(1)
    client.send(frame(BINARY, fin=False) + middle * MAX_FRAGMENTS).read(closes=1)
    assert (len(client.seen.replies), client.seen.close) == (1, 1008)


message = st.one_of(
    st.tuples(st.just("binary"), st.integers(0, 3000)),
    st.tuples(st.just("text"), st.integers(0, 300)),
    st.tuples(st.just("pieces"), st.integers(2, 300)),
    st.tuples(st.just("ping"), st.integers(0, 125)),
)


def encode(kind: str, size: int) -> bytes:
    data = b"%c" % (97 + size % 26) * size
    if kind == "pieces":
        middle = frame(PING, b"amid") + frame(CONT, data[1:-1], fin=False)
        return frame(BINARY, data[:1], fin=False) + middle + frame(CONT, data[-1:])
    return frame({"binary": BINARY, "text": TEXT, "ping": PING}[kind], data)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(messages=st.lists(message, min_size=1, max_size=12), where=st.lists(st.floats(0, 1)))
def test_any_mix_cut_anywhere_gives_what_the_default_class_gives(
    plain: Server, fast: Server, messages: list[tuple[str, int]], where: list[float]
) -> None:
    data = b"".join(encode(kind, size) for kind, size in messages)
    packets = cut(data, *(int(place * len(data)) for place in where))
    replies = sum(kind != "ping" for kind, _ in messages)
    pongs = sum(kind in ("ping", "pieces") for kind, _ in messages)
    both = [connect(server).send(*packets).read(replies, pongs).close() for server in (plain, fast)]
    assert both[0] == both[1]
    assert (len(both[1].replies), len(both[1].pongs)) == (replies, pongs)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_an_encoded_text_frame_is_what_a_client_reads(size: int) -> None:
    data = encode_text_frame(b"t" * size)
    head = 2 if size < 126 else 4 if size < 65_536 else 10
    assert (data[0], len(data)) == (0x81, head + size)
    assert int.from_bytes(data[2:head] or data[1:2], "big") == size
    assert data[head:] == b"t" * size
