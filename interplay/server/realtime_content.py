"""What Realtime clients put into items and wishes for responses, checked and reduced to what the
core takes: text and pictures. Knows nothing of connections or of the conversation.
"""

import base64
import binascii
from typing import Any

import msgspec

from interplay.errors import RequestError
from interplay.server.formats import SoundFormat
from interplay.server.realtime_settings import check_modalities, unsupported
from interplay.server.realtime_wire import Message, Part, ResponseConfig

PREFIXES = ("data:image/jpeg;base64,", "data:image/png;base64,")
TEXTS = {"user": ("input_text",), "system": ("input_text",), "assistant": ("output_text",)}


SOUNDS = {"user": "input_audio", "assistant": "output_audio"}


def text_of(message: Message) -> str:
    """Its texts, one per line; of sound that was, the transcript. Raises RequestError for parts
    that cannot be taken."""
    texts = [_text_of(part, message.role) for part in message.content]
    return "\n".join(text for text in texts if text)


def _text_of(part: Part, role: str) -> str | None:
    kinds, sound = TEXTS[role], SOUNDS.get(role)
    if part.type == sound and part.transcript and not part.audio:
        return part.transcript
    if part.type in SOUNDS.values():
        raise unsupported(
            "sound in items is not heard; send its transcript alone, or stream it with "
            "input_audio_buffer.append",
            "item.content",
        )
    if part.type not in (*kinds, "input_image"):
        raise RequestError(
            "invalid_value",
            f"the role {role} has no {part.type}; send {kinds[0]}",
            param="item.content",
        )
    return part.text


def picture_of(part: Part, role: str) -> bytes | None:
    """The picture of a part, as a file's bytes; None when it is text. Nothing is ever fetched.

    Raises RequestError for all but data URIs.
    """
    if part.type != "input_image":
        return None
    url = part.image_url or ""
    prefix = next((prefix for prefix in PREFIXES if url.startswith(prefix)), None)
    if role != "user" or prefix is None:
        text = f"a user's image_url must begin with {' or '.join(PREFIXES)}; nothing is fetched"
        raise RequestError("invalid_image", text, param="item.content.image_url")
    try:
        return base64.b64decode(url[len(prefix) :], validate=True)
    except binascii.Error:
        text = "the image_url is not base64"
        raise RequestError("invalid_image", text, param="item.content.image_url") from None


def call_text(output: str) -> str:
    """What a function gave back, in words: a JSON string is read as the text in it."""
    try:
        value = msgspec.json.decode(output)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return output
    return value if isinstance(value, str) and value.strip() else output


def check_response(config: ResponseConfig, sound: SoundFormat) -> None:
    """Raises RequestError for what a single response cannot have. sound: the session's."""
    check_modalities(config.output_modalities, "response.output_modalities")
    if config.conversation not in (None, "auto"):
        text = "there is one conversation; leave `conversation` out"
        raise unsupported(text, "response.conversation")
    for name in ("input", "tools", "prompt"):
        if getattr(config, name) is not None:
            text = f"one response has no {name} of its own; set the session's, or create items"
            raise unsupported(text, f"response.{name}")
    if config.tool_choice not in (None, "auto", "none"):
        text = "the model decides when it hands over work; use auto or none, or the session's"
        raise unsupported(text, "response.tool_choice")
    if not _is_format(config.audio, sound):
        text = f"one response has no format of its own; the session's is {sound.name}"
        raise unsupported(text, "response.audio.output.format")


def _is_format(audio: dict[str, Any] | None, sound: SoundFormat) -> bool:
    output = (audio or {}).get("output")
    wish = output.get("format") if isinstance(output, dict) else None
    if not isinstance(wish, dict):
        return wish is None
    return wish.get("type") == sound.name and wish.get("rate") in (None, sound.rate_hz)
