"""What a `session.start` asks for, checked: an opening for the core, and how the session is
described to its client. What cannot be had is refused or remarked on, never ignored.

Knows nothing of connections.
"""

from typing import Any

from interplay.background.contract import BackendSettings
from interplay.clock import SAMPLE_RATE_HZ
from interplay.errors import RequestError
from interplay.server.formats import SoundFormat, check_format
from interplay.server.history import Beginning, Told, beginning
from interplay.server.limits import Limits
from interplay.server.live_delegation import check_delegation, settings_of
from interplay.server.live_wire import Audio, SessionConfig
from interplay.server.served import Opening
from interplay.turns.tokens import Tokenizer

VOICE = "default"


def beginning_of(config: SessionConfig, tokenizer: Tokenizer, limits: Limits) -> Beginning:
    """What the session reads first: instructions and history. Raises RequestError."""
    if len(config.input or ()) > limits.history_items:
        raise RequestError(
            "too_many_items",
            f"input has {len(config.input or ())} messages; send at most {limits.history_items}",
            param="session.input",
        )
    told = [Told(item.role, item.content[0].text) for item in config.input or ()]
    return beginning(config.instructions or "", told, tokenizer, limits.waiting_tokens)


def opening_of(
    config: SessionConfig, begun: Beginning, *, has_eyes: bool, on_track: bool
) -> Opening:
    """The core's opening. Raises RequestError, with the field that cannot be had.

    begun: as `beginning_of` says. has_eyes: of the model. on_track: sound comes and goes on media
    tracks.
    """
    _refuse_foreign(config, on_track)
    extensions = config.interplay.extensions if config.interplay else []
    if "video" in extensions and not has_eyes:
        raise _unsupported("this model has no eyes", "session.interplay.extensions")
    kind = check_delegation(config.delegation)
    if config.delegation and config.delegation.responses:
        settings_of(config.delegation.responses, BackendSettings())
    return Opening(
        instructions=begun.text,
        history=begun.history,
        rate_hz=SAMPLE_RATE_HZ if on_track else sound_format(config.audio).rate_hz,
        resumable="resume" in extensions,
        record=bool(config.store),
        client_delegations=kind == "client",
    )


def _refuse_foreign(config: SessionConfig, on_track: bool) -> None:
    if config.triggers:
        raise _unsupported("triggers are not supported here", "session.triggers")
    if on_track:
        if config.audio and config.audio.format:
            raise _unsupported(
                "with WebRTC the SDP says how sound is sent; leave it out", "session.audio.format"
            )
        if config.interplay and "playback" in config.interplay.extensions:
            raise _unsupported(
                "with WebRTC the server itself counts what was played; leave playback out",
                "session.interplay.extensions",
            )
    elif config.client:
        raise _unsupported("client permissions are for WebRTC sessions", "session.client")


def sound_format(audio: Audio | None) -> SoundFormat:
    """How the client's sound is written, both ways. Raises RequestError for another form."""
    if audio is None or audio.format is None:
        return SoundFormat()
    return check_format(audio.format.type, audio.format.rate, "session.audio.format")


def _unsupported(message: str, param: str) -> RequestError:
    return RequestError("unsupported_value", message, param=param)


def describe(
    config: SessionConfig, session_id: str, model: str, expires_at: int, delegation: dict[str, Any]
) -> dict[str, Any]:
    """The protocol's `session` resource. delegation: how it describes that."""
    about: dict[str, Any] = {
        "id": session_id,
        "expires_at": expires_at,
        "model": model,
        "status": "active",
        "audio": {
            "format": sound_format(config.audio).describe(),
            "output": {"voice": VOICE},
        },
        "delegation": delegation,
        "instructions": config.instructions or "",
        "store": bool(config.store),
    }
    if config.interplay:
        about["interplay"] = {"extensions": config.interplay.extensions}
    return about


def remarks(config: SessionConfig, model: str) -> list[tuple[str, str]]:
    """Code and text for every wish that was not refused but changes nothing."""
    found = []
    if config.model != model:
        found.append(("model_substituted", f"this server has one model, {model}"))
    output = config.audio.output if config.audio else None
    if output and output.voice not in (None, VOICE):
        found.append(("voice_substituted", "this model has one voice"))
    if config.safety_identifier:
        found.append(("safety_identifier_ignored", "nothing is kept about end users"))
    extensions = config.interplay.extensions if config.interplay else ()
    if "ui" in extensions and check_delegation(config.delegation) == "client":
        text = "the client does the work of this session, so nothing comes to be shown"
        found.append(("ui_unused", text))
    return found
