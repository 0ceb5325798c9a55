"""Session descriptions: what a browser's says, and this server's own (JSEP, RFC 9429)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.sdp import MediaDescription, SessionDescription

MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
LEVEL_URI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
# Not read here, but Chromium's next offer fails without them: it offers simulcast by stream id.
_STREAM_URIS = (
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
)
MAX_MESSAGE = 262144  # bytes in one data channel message
_CODECS = {"audio": "audio/opus", "video": "video/VP8"}
_NAMES = {"audio": "opus/48000/2", "video": "VP8/90000"}
_FEEDBACK = {"audio": (), "video": ("nack", "nack pli", "ccm fir", "goog-remb")}
_SENDS = ("sendonly", "sendrecv")
# What this server proposes where it makes the offer.
_OWN_PAYLOADS = {"audio": 111, "video": 96}
_OWN_EXTENSIONS = {MID_URI: 1}


@dataclass
class Section:
    """One media section, from this server's side.

    Attributes:
        mid: its name in the description.
        kind: `audio`, `video` or `application` (data channels).
        payload: RTP payload type of the one codec both sides use.
        extensions: header extension id by URI.
        browser_sends: the browser publishes here.
        track_cid: the browser's id of the track it publishes here.
        usable: False for a section the browser closed.
        outgoing: stream id, track id and SSRC of what the server sends here.
    """

    mid: str
    kind: str
    payload: int = 0
    format_parameters: str = ""
    extensions: dict[str, int] = field(default_factory=dict)
    browser_sends: bool = False
    track_cid: str = ""
    usable: bool = True
    outgoing: tuple[str, str, int] | None = None

    @property
    def free(self) -> bool:
        """Whether the server may send another track here."""
        return (
            self.usable
            and self.kind != "application"
            and not self.browser_sends
            and self.outgoing is None
        )


@dataclass
class Remote:
    """What a browser's description says about its transport."""

    username: str
    fingerprints: list[tuple[str, str]]
    sections: list[Section]


@dataclass
class Local:
    """What this server's description says about its transport."""

    username: str
    password: str
    fingerprint: str
    candidates: Iterable[str]
    setup: str


def own_section(mid: str, kind: str) -> Section:
    """A section for an offer of this server."""
    if kind == "application":
        return Section(mid, kind)
    return Section(
        mid, kind, payload=_OWN_PAYLOADS[kind], extensions=dict(_OWN_EXTENSIONS), usable=True
    )


def parse(text: str) -> Remote:
    """Read a browser's offer or answer.

    Raises:
        ValueError: it is no session description, or lacks what a transport needs.
    """
    description = SessionDescription.parse(text)
    transport = next((media for media in description.media if media.ice and media.dtls), None)
    if transport is None or transport.ice is None or transport.dtls is None:
        raise ValueError("the session description has no transport")
    return Remote(
        username=transport.ice.usernameFragment or "",
        fingerprints=[(one.algorithm, one.value) for one in transport.dtls.fingerprints],
        sections=[_section(media) for media in description.media],
    )


def build(local: Local, sections: list[Section], version: int) -> str:
    """Write this server's offer or answer."""
    bundled = " ".join(section.mid for section in sections if section.usable)
    lines = [
        "v=0",
        f"o=- 1 {version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        f"a=group:BUNDLE {bundled}",
        "a=msid-semantic: WMS *",
    ]
    for section in sections:
        lines += _media_lines(section)
        if section.usable:
            lines += _transport_lines(local)
    return "\r\n".join(lines) + "\r\n"


def _section(media: MediaDescription) -> Section:
    section = Section(media.rtp.muxId, media.kind, usable=media.port != 0)
    if media.kind == "application":
        return section
    codec = _codec(media)
    if codec is None:
        section.usable = False
        return section
    section.payload = int(codec.payloadType or 0)
    section.format_parameters = ";".join(
        f"{key}={value}" for key, value in codec.parameters.items()
    )
    section.extensions = {
        extension.uri: extension.id
        for extension in media.rtp.headerExtensions
        if extension.uri in (MID_URI, LEVEL_URI, *_STREAM_URIS)
    }
    section.browser_sends = media.direction in _SENDS
    section.track_cid = (media.msid or "").partition(" ")[2] if section.browser_sends else ""
    return section


def _codec(media: MediaDescription) -> RTCRtpCodecParameters | None:
    wanted = _CODECS.get(media.kind, "").lower()
    return next((one for one in media.rtp.codecs if one.mimeType.lower() == wanted), None)


def _media_lines(section: Section) -> list[str]:
    if section.kind == "application":
        return [
            f"m=application {9 if section.usable else 0} UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{section.mid}",
            "a=sctp-port:5000",
            f"a=max-message-size:{MAX_MESSAGE}",
        ]
    port = 9 if section.usable else 0
    lines = [
        f"m={section.kind} {port} UDP/TLS/RTP/SAVPF {section.payload}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{section.mid}",
        f"a={_direction(section)}",
        "a=rtcp-mux",
        f"a=rtpmap:{section.payload} {_NAMES[section.kind]}",
    ]
    if section.format_parameters:
        lines.append(f"a=fmtp:{section.payload} {section.format_parameters}")
    lines += [f"a=rtcp-fb:{section.payload} {one}" for one in _FEEDBACK[section.kind]]
    lines += [f"a=extmap:{number} {uri}" for uri, number in section.extensions.items()]
    if section.outgoing:
        stream, track, ssrc = section.outgoing
        lines += [f"a=msid:{stream} {track}", f"a=ssrc:{ssrc} cname:{stream}"]
    return lines


def _direction(section: Section) -> str:
    if section.browser_sends:
        return "recvonly"
    return "sendonly" if section.outgoing else "inactive"


def _transport_lines(local: Local) -> list[str]:
    return [
        f"a=ice-ufrag:{local.username}",
        f"a=ice-pwd:{local.password}",
        f"a=fingerprint:sha-256 {local.fingerprint}",
        f"a=setup:{local.setup}",
        *(f"a={candidate}" for candidate in local.candidates),
        "a=end-of-candidates",
    ]
