"""Media: one WebRTC connection per peer, over which published tracks are passed on."""

from __future__ import annotations

import asyncio
import contextlib
import struct
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
from .forwarding import Downlink, Uplink
from .ice import IceLink, UdpMux

RELIABLE, LOSSY = "_reliable", "_lossy"
_SCTP_PORT = 5000
_REPORT_EVERY = 1.0  # seconds


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
