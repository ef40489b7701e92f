"""What a `session.start` asks for, checked: an opening for the core, and how the session is
described to its client. What cannot be had is refused or remarked on, never ignored.

Knows nothing of connections.
"""

from typing import Any

from interplay.clock import SAMPLE_RATE_HZ
from interplay.errors import RequestError
from interplay.server.limits import Limits
from interplay.server.live_wire import Audio, DelegationConfig, SessionConfig
from interplay.server.pcm import check_rate
from interplay.server.served import Opening, encode_text
from interplay.turns.tokens import Tokenizer

DEFAULT_HZ = 24_000
VOICE = "default"


def opening_of(
    config: SessionConfig, tokenizer: Tokenizer, limits: Limits, *, has_eyes: bool, on_track: bool
) -> Opening:
    """The core's opening. Raises RequestError, with the field that cannot be had.

    has_eyes: of the model. on_track: sound comes and goes on media tracks.
    """
    _refuse_foreign(config, on_track)
    extensions = config.interplay.extensions if config.interplay else []
    if "video" in extensions and not has_eyes:
        raise _unsupported("this model has no eyes", "session.interplay.extensions")
    kind = check_delegation(config.delegation)
    if len(config.input or ()) > limits.history_items:
        raise RequestError(
            "too_many_items",
            f"input has {len(config.input or ())} messages; send at most {limits.history_items}",
            param="session.input",
        )
    history = [f"{item.role}: {item.content[0].text}" for item in config.input or ()]
    prefix = "\n".join([config.instructions or "", *history]).strip()
    encode_text(tokenizer, prefix, limits.waiting_tokens, "session.instructions")
    return Opening(
        instructions=prefix,
        rate_hz=SAMPLE_RATE_HZ if on_track else _rate_hz(config.audio),
        resumable="resume" in extensions,
        record=bool(config.store),
        client_delegations=kind == "client",
    )


def check_delegation(config: DelegationConfig | None) -> str:
    """The type. Raises RequestError for one that is not supported, and for settings of another."""
    if config is None:
        return "client"
    if config.type not in ("client", "responses"):
        raise _unsupported(
            f"the delegation type {config.type!r} is not supported here; use client",
            "session.delegation.type",
        )
    for name, settings in (("responses", config.responses), ("decisions", config.decisions)):
        if settings is not None and name != config.type:
            raise _unsupported(
                f"the delegation type {config.type} has no settings {name!r}; leave them out",
                f"session.delegation.{name}",
            )
    return config.type


def delegation_remarks(config: DelegationConfig | None) -> list[tuple[str, str]]:
    """Code and text for every wish about delegations that changes nothing."""
    found = []
    if config and config.acknowledgement_delay_ms is not None:
        found.append(
            ("acknowledgement_ignored", "the model itself decides when it acknowledges work")
        )
    if config and config.responses:
        found.append(("backend_substituted", "this server has one background model"))
    return found


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


def _rate_hz(audio: Audio | None) -> int:
    if audio is None or audio.format is None:
        return DEFAULT_HZ
    if audio.format.type != "audio/pcm":
        raise _unsupported(
            f"{audio.format.type!r} is not spoken here; use audio/pcm", "session.audio.format.type"
        )
    rate_hz = DEFAULT_HZ if audio.format.rate is None else audio.format.rate
    return check_rate(rate_hz, "session.audio.format.rate")


def _unsupported(message: str, param: str) -> RequestError:
    return RequestError("unsupported_value", message, param=param)


def describe(config: SessionConfig, session_id: str, model: str, expires_at: int) -> dict[str, Any]:
    """The protocol's `session` resource."""
    about: dict[str, Any] = {
        "id": session_id,
        "expires_at": expires_at,
        "model": model,
        "status": "active",
        "audio": {
            "format": {"type": "audio/pcm", "rate": _rate_hz(config.audio)},
            "output": {"voice": VOICE},
        },
        "delegation": {"type": config.delegation.type if config.delegation else "client"},
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
    found += delegation_remarks(config.delegation)
    if config.safety_identifier:
        found.append(("safety_identifier_ignored", "nothing is kept about end users"))
    return found
