"""RTP that is passed on without decoding it: a published track, and each receiver of it.

A published track is an `Uplink`, each receiver of it a `Downlink`. Packets keep their sequence
numbers and timestamps, so only the SSRC and the payload type are rewritten. There is one codec per
kind (Opus, VP8), no simulcast and no bandwidth estimation: browsers then send the first of their
encodings, which livekit-client makes the smallest one.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from aiortc import rtp

if TYPE_CHECKING:
    from .media import Peer

_HISTORY = 512  # packets a receiver may ask for again
_KEYFRAME_GAP = 0.3  # seconds between two keyframe requests to one publisher
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
