"""An SDP offer from a stranger: checked before anything is made of it.

What passes is one bundled transport with one audio section, maybe one video section, and one data
channel section. The addresses in it are thrown away: the server sends nothing to anybody who has
not shown, by a connectivity check, that the answer has reached him. Knows nothing of connections.
"""

from dataclasses import dataclass
from typing import NoReturn

from aiortc import sdp

from interplay.errors import RequestError

MAX_SDP_BYTES = 32 * 1024
DIGESTS = ("sha-256", "sha-384", "sha-512")
VIDEO_CODECS = ("video/vp8", "video/h264")
PORTS = range(1, 1 << 16)
MIN_MESSAGE_BYTES = 16 * 1024  # that the client can take; events are shorter, long ones are rare


@dataclass(frozen=True, kw_only=True)
class Offer:
    """sdp: the offer, in a plain form and without addresses. has_video: a camera may follow."""

    sdp: str
    has_video: bool


def read_offer(text: str, param: str = "sdp") -> Offer:
    """The offer in `text`. Raises RequestError, one line, for anything that cannot be served.

    param: what the field is called in the protocol of the request.
    """
    size = len(text.encode("utf-8", "replace"))
    if size > MAX_SDP_BYTES:
        raise RequestError(
            "sdp_too_big", f"{size} bytes of SDP; send at most {MAX_SDP_BYTES}", param=param
        )
    try:
        description = sdp.SessionDescription.parse(text)
    except Exception as error:  # a parser for friendly input: it fails in every way there is
        _refuse(f"no readable SDP offer ({type(error).__name__})", param)
    reason = _complaint(description)
    if reason:
        _refuse(reason, param)
    for media in description.media:
        _make_plain(media)
    try:
        plain = str(description)
        sdp.SessionDescription.parse(plain)
    except Exception as error:  # the same parser
        _refuse(f"values in it cannot be used ({type(error).__name__})", param)
    return Offer(sdp=plain, has_video=any(m.kind == "video" for m in description.media))


def _refuse(reason: str, param: str) -> NoReturn:
    text = f"{reason}; send what RTCPeerConnection.createOffer() gives, unchanged"
    raise RequestError("invalid_sdp", text, param=param)


def _complaint(description: sdp.SessionDescription) -> str | None:
    """What is wrong with an offer, None when nothing is."""
    kinds = [media.kind for media in description.media]
    strange = sorted(set(kinds) - {"audio", "video", "application"})
    if strange:
        return f"sections of kind {strange[0][:20]!r} are unknown here"
    for kind, least, most in (("audio", 1, 1), ("video", 0, 1), ("application", 1, 1)):
        if not least <= kinds.count(kind) <= most:
            name = "data channel" if kind == "application" else kind
            return f"{kinds.count(kind)} sections for {name}, {most} is served"
    mids = [media.rtp.muxId for media in description.media]
    if not all(mids) or len(set(mids)) < len(mids):
        return "every section needs an a=mid of its own"
    bundles = [group.items for group in description.group if group.semantic == "BUNDLE"]
    if len(bundles) != 1 or sorted(map(str, bundles[0])) != sorted(mids):
        return "all sections must be in one a=group:BUNDLE"
    found = (_section_complaint(media) for media in description.media)
    return next((reason for reason in found if reason), None)


def _section_complaint(media: sdp.MediaDescription) -> str | None:
    ice, dtls = media.ice, media.dtls
    if ice is None or not (_is_between(ice.usernameFragment, 4) and _is_between(ice.password, 22)):
        return "a=ice-ufrag (4 to 256 letters) or a=ice-pwd (22 to 256) is missing"
    if ice.iceLite:
        return "a=ice-lite cannot be served, as this server waits to be called"
    if dtls is None or not any(f.algorithm.lower() in DIGESTS for f in dtls.fingerprints):
        return "a=setup or an a=fingerprint of sha-256 is missing"
    if media.kind == "application":
        return _channel_complaint(media)
    if not media.rtcp_mux:
        return "a=rtcp-mux is missing"
    if any(codec.payloadType not in range(128) for codec in media.rtp.codecs):
        return "payload types go from 0 to 127"
    if any(header.id not in range(1, 256) for header in media.rtp.headerExtensions):
        return "ids of header extensions go from 1 to 255"
    codecs = {(c.mimeType.lower(), c.clockRate) for c in media.rtp.codecs}
    if media.kind == "audio" and ("audio/opus", 48_000) not in codecs:
        return "the codec opus/48000 is missing"
    if media.kind == "video" and not any((name, 90_000) in codecs for name in VIDEO_CODECS):
        return "the video codec VP8 or H264 is missing"
    return None


def _channel_complaint(media: sdp.MediaDescription) -> str | None:
    if media.profile == "DTLS/SCTP":
        return "this form of data channel is from before 2018"
    if media.fmt != ["webrtc-datachannel"] or media.sctp_port not in PORTS:
        return "the data channel section needs webrtc-datachannel and an a=sctp-port"
    limit = media.sctpCapabilities.maxMessageSize if media.sctpCapabilities else 0
    if limit and limit < MIN_MESSAGE_BYTES:
        return f"a=max-message-size is {limit}, at least {MIN_MESSAGE_BYTES} is needed"
    return None


def _is_between(text: str | None, least: int, most: int = 256) -> bool:
    return text is not None and least <= len(text) <= most and text.isprintable()


def _make_plain(media: sdp.MediaDescription) -> None:
    media.host = media.rtcp_host = None
    media.ice_candidates, media.ice_candidates_complete = [], False
    if media.kind != "application":
        media.rtcp_port = 9  # the writer puts a=rtcp-mux behind it
        media.direction = media.direction or "sendrecv"
