"""Media: one WebRTC connection per peer, and RTP passed on without decoding it.

A published track is an `Uplink`, each receiver of it a `Downlink`. Packets keep their sequence
numbers and timestamps, so only the SSRC and the payload type are rewritten. There is one codec per
kind (Opus, VP8), no simulcast and no bandwidth estimation: browsers then send the first of their
encodings, which livekit-client makes the smallest one.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import cast

from aiortc import rtp
from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from aiortc.rtcicetransport import RTCIceTransport
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

from . import sdp
from .ice import IceLink, UdpMux

RELIABLE, LOSSY = "_reliable", "_lossy"
_SCTP_PORT = 5000
_HISTORY = 512  # packets a receiver may ask for again
_KEYFRAME_GAP = 0.3  # seconds between two keyframe requests to one publisher
_REPORT_EVERY = 1.0  # seconds
_BITRATE = 2_000_000  # bits per second: what publishers are told they may send
_ACTIVE_LEVEL = 35  # -dBov: what is louder counts as speech


class Uplink:
    """A track on its way from its publisher.

    Attributes:
        cid: the browser's id of the track.
        kind: `audio` or `video`.
        packets: RTP packets received so far.
    """

    def __init__(self, peer: Peer, cid: str, kind: str) -> None:
        self.cid = cid
        self.kind = kind
        self.packets = 0
        self.downlinks: list[Downlink] = []
        self._peer = peer
        self._ssrc: int | None = None
        self._keyframe_at = 0.0
        self._highest = 0
        self._report: tuple[int, float] = (0, 0.0)
        self._levels: list[int] = []

    def received(self, packet: bytes, payload: bytes, level: int | None) -> None:
        """One RTP packet: pass it on to everybody who wants it."""
        self.packets += 1
        self._highest = max(self._highest, int.from_bytes(packet[2:4], "big"))
        self._ssrc = int.from_bytes(packet[8:12], "big")
        if level is not None:
            self._levels.append(level)
        for downlink in self.downlinks:
            downlink.forward(packet, payload)

    def sender_report(self, report: rtp.RtcpSrPacket) -> None:
        """The publisher's clock: receivers need it to keep sound and picture together."""
        self._report = ((report.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF, time.monotonic())
        for downlink in self.downlinks:
            downlink.sender_report(report.sender_info)

    def request_keyframe(self) -> None:
        """Ask the publisher for a whole picture, not too often."""
        now = time.monotonic()
        if self.kind == "video" and self._ssrc and now - self._keyframe_at > _KEYFRAME_GAP:
            self._keyframe_at = now
            self._peer.send_rtcp(
                rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_PLI, ssrc=1, media_ssrc=self._ssrc)
            )

    def request_again(self, lost: list[int]) -> None:
        """Ask the publisher for packets that never got here."""
        if self._ssrc:
            self._peer.send_rtcp(
                rtp.RtcpRtpfbPacket(
                    fmt=rtp.RTCP_RTPFB_NACK, ssrc=1, media_ssrc=self._ssrc, lost=lost
                )
            )

    def report(self) -> None:
        """Tell the publisher that all is well and how much it may send."""
        if self._ssrc is None:
            return
        last_report, received_at = self._report
        delay = int((time.monotonic() - received_at) * 65536) if last_report else 0
        block = rtp.RtcpReceiverInfo(
            ssrc=self._ssrc,
            fraction_lost=0,
            packets_lost=0,
            highest_sequence=self._highest,
            jitter=0,
            lsr=last_report,
            dlsr=delay & 0xFFFFFFFF,
        )
        self._peer.send_rtcp(rtp.RtcpRrPacket(ssrc=1, reports=[block]))
        if self.kind == "video":
            estimate = rtp.pack_remb_fci(_BITRATE, [self._ssrc])
            self._peer.send_rtcp(
                rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=estimate)
            )

    def take_level(self) -> float:
        """How loud it was since the last call, 0 to 1; 0 where most of it was silence."""
        levels, self._levels = self._levels, []
        loud = [level for level in levels if level <= _ACTIVE_LEVEL]
        if len(loud) * 5 < len(levels) * 2 or not loud:
            return 0.0
        return float(10 ** (-min(loud) / 20))


class Downlink:
    """A track on its way to one receiver.

    Attributes:
        stream_id, track_id: what the receiver's browser is told the track is called.
        paused: the receiver does not show it at the moment.
    """

    def __init__(self, uplink: Uplink, stream_id: str, track_id: str) -> None:
        self.uplink = uplink
        self.stream_id = stream_id
        self.track_id = track_id
        self.ssrc = secrets.randbits(31) | 1
        self.paused = False
        self._peer: Peer | None = None
        self._payload = 0
        self._history: OrderedDict[int, bytes] = OrderedDict()
        self._packets = 0
        self._octets = 0

    def bind(self, peer: Peer, payload: int) -> None:
        """Start to send, with this payload type."""
        self._peer, self._payload = peer, payload
        self.uplink.downlinks.append(self)
        self.uplink.request_keyframe()

    def unbind(self) -> None:
        """Stop sending."""
        if self._peer:
            self._peer = None
            self.uplink.downlinks.remove(self)

    def pause(self, paused: bool) -> None:
        """The receiver hides or shows the track."""
        self.paused = paused
        if not paused:
            self.uplink.request_keyframe()

    def forward(self, packet: bytes, payload: bytes) -> None:
        """Pass on one packet of the publisher."""
        if self._peer is None or self.paused:
            return
        # Version and padding stay, header extensions and contributing sources go.
        flags = 0x80 | (packet[0] & 0x20)
        marker = (packet[1] & 0x80) | self._payload
        header = struct.pack("!BB6sL", flags, marker, packet[2:8], self.ssrc)
        self._packets += 1
        self._octets += len(payload)
        self._history[int.from_bytes(packet[2:4], "big")] = header + payload
        if len(self._history) > _HISTORY:
            self._history.popitem(last=False)
        self._peer.send_rtp(header + payload)

    def resend(self, lost: list[int]) -> None:
        """The receiver missed packets."""
        if self._peer is None:
            return
        for sequence in lost:
            if packet := self._history.get(sequence):
                self._peer.send_rtp(packet)
        if missing := [sequence for sequence in lost if sequence not in self._history]:
            self.uplink.request_again(missing)

    def sender_report(self, info: rtp.RtcpSenderInfo) -> None:
        """Pass on the publisher's clock."""
        if self._peer:
            mine = rtp.RtcpSenderInfo(
                ntp_timestamp=info.ntp_timestamp,
                rtp_timestamp=info.rtp_timestamp,
                packet_count=self._packets,
                octet_count=self._octets,
            )
            self._peer.send_rtcp(rtp.RtcpSrPacket(ssrc=self.ssrc, sender_info=mine))


class Peer:
    """One WebRTC connection with a browser: ICE, DTLS, data channels and RTP both ways.

    The browser offers (`answer`) or the server does (`offer`, `accept`), never both on one.
    """

    def __init__(
        self,
        mux: UdpMux,
        on_connected: Callable[[], None],
        on_data: Callable[[str, bytes], None],
    ) -> None:
        self.sections: list[sdp.Section] = []
        self.uplinks: dict[str, Uplink] = {}
        self.waiting: list[Downlink] = []
        self.link = IceLink(mux)
        self._mux = mux
        self._on_connected = on_connected
        self._on_data = on_data
        self._certificate = RTCCertificate.generateCertificate()
        self._dtls = _Transport(self.link, self._certificate, self)
        self._dtls._set_role("client")
        self._sctp = RTCSctpTransport(self._dtls, _SCTP_PORT)
        self._sctp.on("datachannel", self._adopt)
        self._channels: dict[str, RTCDataChannel] = {}
        self._downlinks: dict[str, Downlink] = {}  # by mid
        self._by_ssrc: dict[int, Uplink] = {}
        self._own_channels = False
        self._remote_username = ""
        self._version = 1
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def answer(self, text: str) -> str:
        """Answer the browser's offer; waiting downlinks get the free sections.

        Raises:
            ValueError: the offer can't be read.
        """
        remote = sdp.parse(text)
        if self._remote_username and remote.username != self._remote_username:
            self.link.restart()
        self._merge(remote.sections)
        self._place()
        self._start(remote)
        return self._describe("active")

    def offer(self) -> str:
        """An offer with everything that waits; closed downlinks leave their section free."""
        if not self.sections:
            self._own_channels = True
            self.sections.append(sdp.own_section("0", "application"))
        self._place()
        while self.waiting:
            kind = self.waiting[0].uplink.kind
            self.sections.append(sdp.own_section(str(len(self.sections)), kind))
            self._place()
        return self._describe("actpass")

    def accept(self, text: str) -> None:
        """The browser's answer to `offer`."""
        # The browser chooses to be the DTLS client where it may choose.
        self._dtls._set_role("client" if "a=setup:passive" in text else "server")
        self._start(sdp.parse(text))

    def want(self, downlink: Downlink) -> None:
        """Send this track as soon as there is a section for it."""
        self.waiting.append(downlink)

    def drop(self, downlink: Downlink) -> None:
        """Stop sending this track; its section is free in the next description."""
        if downlink in self.waiting:
            self.waiting.remove(downlink)
        downlink.unbind()
        for section in self.sections:
            if self._downlinks.get(section.mid) is downlink:
                section.outgoing = None
                del self._downlinks[section.mid]

    def missing(self) -> tuple[int, int]:
        """Audio and video sections that waiting tracks need beyond the free ones."""
        return self._missing("audio"), self._missing("video")

    def tracks_by_mid(self) -> dict[str, str]:
        """Which track is sent in which section."""
        return {mid: downlink.track_id for mid, downlink in self._downlinks.items()}

    def send_data(self, label: str, data: bytes) -> None:
        """Send a message over a data channel; lost where the channel is not open."""
        channel = self._channels.get(label)
        if channel and channel.readyState == "open":
            channel.send(data)

    def send_rtp(self, packet: bytes) -> None:
        """Queue a packet for the browser."""
        if self._dtls.state == "connected":
            self._outbox.put_nowait(packet)

    def send_rtcp(self, packet: rtp.AnyRtcpPacket) -> None:
        """Queue a control packet for the browser."""
        self.send_rtp(bytes(packet))

    def received_rtp(self, data: bytes) -> None:
        """A decrypted RTP packet of the browser."""
        start = 12 + 4 * (data[0] & 0x0F)
        mid, level = None, None
        if data[0] & 0x10:
            length = int.from_bytes(data[start + 2 : start + 4], "big") * 4
            mid, level = self._extensions(data[start + 4 : start + 4 + length])
            start += 4 + length
        uplink = self._uplink(int.from_bytes(data[8:12], "big"), mid)
        if uplink:
            uplink.received(data[:12], data[start:], level)

    def received_rtcp(self, data: bytes) -> None:
        """A decrypted control packet of the browser."""
        with contextlib.suppress(ValueError):
            for packet in rtp.RtcpPacket.parse(data):
                self._control(packet)

    async def close(self, goodbye: bool = True) -> None:
        """End the connection; without goodbye the browser finds out by itself."""
        for downlink in [*self._downlinks.values()]:
            self.drop(downlink)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if goodbye and self._dtls.state == "connected":
            await self._sctp.stop()
            await self._dtls.stop()
        elif self._dtls._task:
            self._dtls._task.cancel()
        for timer in (self._sctp._t1_cancel, self._sctp._t2_cancel, self._sctp._t3_cancel):
            timer()
        self.link.close()

    def _describe(self, setup: str) -> str:
        self._version += 1
        local = sdp.Local(
            self.link.username,
            self.link.password,
            self._certificate.getFingerprints()[0].value,
            list(self._mux.candidates()),
            setup,
        )
        return sdp.build(local, self.sections, self._version)

    def _merge(self, offered: list[sdp.Section]) -> None:
        known = {section.mid: section for section in self.sections}
        for section in offered:
            before = known.get(section.mid)
            if before and section.usable and not section.browser_sends:
                section.outgoing = before.outgoing
            self._publish(section)
        self.sections = offered

    def _publish(self, section: sdp.Section) -> None:
        uplink = self.uplinks.get(section.mid)
        if section.browser_sends and (uplink is None or uplink.cid != section.track_cid):
            self.uplinks[section.mid] = Uplink(self, section.track_cid, section.kind)
        elif uplink and not section.browser_sends:
            del self.uplinks[section.mid]
        self._by_ssrc = {
            ssrc: uplink
            for ssrc, uplink in self._by_ssrc.items()
            if uplink in self.uplinks.values()
        }

    def _place(self) -> None:
        for downlink in [*self.waiting]:
            section = next(
                (one for one in self.sections if one.free and one.kind == downlink.uplink.kind),
                None,
            )
            if section:
                self.waiting.remove(downlink)
                section.outgoing = (downlink.stream_id, downlink.track_id, downlink.ssrc)
                self._downlinks[section.mid] = downlink
                downlink.bind(self, section.payload)

    def _missing(self, kind: str) -> int:
        wanted = sum(one.uplink.kind == kind for one in self.waiting)
        return max(0, wanted - sum(one.free and one.kind == kind for one in self.sections))

    def _start(self, remote: sdp.Remote) -> None:
        self._remote_username = remote.username
        if not self._tasks:
            fingerprints = [RTCDtlsFingerprint(*one) for one in remote.fingerprints]
            self._tasks = [
                asyncio.create_task(self._connect(RTCDtlsParameters(fingerprints=fingerprints))),
                asyncio.create_task(self._send()),
                asyncio.create_task(self._report()),
            ]

    async def _connect(self, remote: RTCDtlsParameters) -> None:
        await self.link.connected.wait()
        await self._dtls.start(remote)
        if self._dtls.state != "connected":
            return
        await self._sctp.start(RTCSctpCapabilities(maxMessageSize=sdp.MAX_MESSAGE), _SCTP_PORT)
        if self._own_channels:
            self._open_channels()
        for downlink in self._downlinks.values():
            downlink.uplink.request_keyframe()
        self._on_connected()

    def _open_channels(self) -> None:
        for parameters in (
            RTCDataChannelParameters(label=RELIABLE),
            RTCDataChannelParameters(label=LOSSY, ordered=False, maxRetransmits=0),
        ):
            self._channels[parameters.label] = RTCDataChannel(self._sctp, parameters)

    def _adopt(self, channel: RTCDataChannel) -> None:
        self._channels[channel.label] = channel
        channel.on("message", lambda message: self._message(channel.label, message))

    def _message(self, label: str, message: str | bytes) -> None:
        self._on_data(label, message if isinstance(message, bytes) else message.encode())

    async def _send(self) -> None:
        while True:
            packet = await self._outbox.get()
            with contextlib.suppress(ConnectionError):
                await self._dtls._send_rtp(packet)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(_REPORT_EVERY)
            for uplink in self.uplinks.values():
                uplink.report()

    def _extensions(self, data: bytes) -> tuple[str | None, int | None]:
        mid, level = None, None
        ids = {number: uri for one in self.sections for uri, number in one.extensions.items()}
        position = 0
        while position < len(data):
            head = data[position]
            if head == 0:
                position += 1
                continue
            size = (head & 0x0F) + 1
            value = data[position + 1 : position + 1 + size]
            uri = ids.get(head >> 4)
            if uri == sdp.MID_URI:
                mid = value.decode("ascii", "replace")
            elif uri == sdp.LEVEL_URI:
                level = value[0] & 0x7F
            position += 1 + size
        return mid, level

    def _uplink(self, ssrc: int, mid: str | None) -> Uplink | None:
        if mid in self.uplinks:
            self._by_ssrc[ssrc] = self.uplinks[mid]
        return self._by_ssrc.get(ssrc)

    def _control(self, packet: rtp.AnyRtcpPacket) -> None:
        if isinstance(packet, rtp.RtcpSrPacket):
            if uplink := self._by_ssrc.get(packet.ssrc):
                uplink.sender_report(packet)
        elif isinstance(packet, rtp.RtcpPsfbPacket | rtp.RtcpRtpfbPacket):
            self._feedback(packet)

    def _feedback(self, packet: rtp.RtcpPsfbPacket | rtp.RtcpRtpfbPacket) -> None:
        for downlink in self._downlinks.values():
            if isinstance(packet, rtp.RtcpRtpfbPacket):
                if downlink.ssrc == packet.media_ssrc and packet.fmt == rtp.RTCP_RTPFB_NACK:
                    downlink.resend(packet.lost)
            elif _asks_for_keyframe(packet, downlink.ssrc):
                downlink.uplink.request_keyframe()


def _asks_for_keyframe(packet: rtp.RtcpPsfbPacket, ssrc: int) -> bool:
    if packet.fmt == rtp.RTCP_PSFB_FIR:
        return struct.pack("!L", ssrc) in packet.fci
    return packet.fmt == rtp.RTCP_PSFB_PLI and packet.media_ssrc == ssrc


class _Transport(RTCDtlsTransport):
    """aiortc's DTLS, with RTP handed to the peer instead of to decoders."""

    def __init__(self, link: IceLink, certificate: RTCCertificate, peer: Peer) -> None:
        super().__init__(cast(RTCIceTransport, link), [certificate])
        self._peer = peer

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        self._peer.received_rtp(data)

    async def _handle_rtcp_data(self, data: bytes) -> None:
        self._peer.received_rtcp(data)
