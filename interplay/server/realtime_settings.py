"""What a Realtime client asks of its session, and what it gets.

Wishes that cannot be had are refused; wishes that change nothing are answered by the effective
settings and by remarks in `session.interplay`. Knows nothing of connections.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import UNSET, UnsetType

from interplay.background.contract import BackendSettings
from interplay.errors import RequestError
from interplay.server.formats import PCM, SoundFormat, check_format
from interplay.server.realtime_tools import NAMED, target
from interplay.server.realtime_wire import (
    Audio,
    AudioInput,
    AudioOutput,
    Extensions,
    Format,
    FunctionTool,
    SessionConfig,
    Tool,
    ToolChoice,
)

RATE_HZ = 24_000
VOICE = "default"
TURN_DETECTION = {  # the nearest that the protocol has: the model decides by itself
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
CHOICES = ("auto", "none", "required")
Remark = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The effective settings. tool_choice: one of CHOICES, or NAMED and the name of a function.
    transcribes: whether the client wants the user's words. sound_in, sound_out: how the client's
    messages write the user's sound and the model's. records: whether the session is to be kept.
    has_caller: of the server, whose background model calls the client's functions."""

    instructions: str = ""
    tools: tuple[FunctionTool, ...] = ()
    tool_choice: str = "auto"
    transcribes: bool = True
    sound_in: SoundFormat = field(default_factory=SoundFormat)
    sound_out: SoundFormat = field(default_factory=SoundFormat)
    records: bool = False
    has_caller: bool = False

    @property
    def backend(self) -> BackendSettings:
        """What the background model is told: it does the work of this assistant, with the client's
        functions, one at a time."""
        choice = self.tool_choice
        tools = () if choice == "none" else self.tools
        return BackendSettings(
            instructions=self.instructions,
            functions=[describe_tool(tool) for tool in tools],
            function_choice=None if choice in ("auto", "none") else choice.removeprefix(NAMED),
            parallel_calls=False,
        )

    @property
    def target(self) -> tuple[FunctionTool, str | None] | None:
        """As `realtime_tools.target` says."""
        return target(self.tools, self.tool_choice)


def updated(
    settings: Settings, change: SessionConfig, model: str, *, on_track: bool = False
) -> tuple[Settings, list[Remark]]:
    """The settings after a sparse change, and a remark for every wish that changes nothing.

    model: the one that this server has. on_track: sound comes and goes on media tracks. Raises
    RequestError, with the field that cannot be had.
    """
    if change.type not in (None, "realtime"):
        raise unsupported(f"sessions of type {change.type!r} are not served", "session.type")
    if change.prompt is not None:
        raise unsupported("no prompts are stored here; send instructions", "session.prompt")
    check_modalities(change.output_modalities, "session.output_modalities")
    audio = change.audio or Audio()
    sound_in, sound_out = audio.input or AudioInput(), audio.output or AudioOutput()
    formats = {
        "sound_in": _format(sound_in.format, settings.sound_in, "session.audio.input.format"),
        "sound_out": _format(sound_out.format, settings.sound_out, "session.audio.output.format"),
    }
    new = replace(
        settings,
        instructions=_kept(change.instructions, settings.instructions),
        tools=settings.tools if change.tools is None else _functions(change.tools),
        records=settings.records if change.interplay is None else _records(change.interplay),
        **({} if on_track else formats),
    )
    new = replace(new, tool_choice=_choice(change.tool_choice, new))
    if not isinstance(sound_in.transcription, UnsetType):
        new = replace(new, transcribes=sound_in.transcription is not None)
    remarks = [
        *_sound_remarks(sound_in, sound_out, model),
        *(_format_remarks(sound_in, sound_out) if on_track else ()),
        *_remarks(change, model),
        *_tool_remarks(change, new),
    ]
    return new, remarks


def _records(wish: Extensions) -> bool:
    return "record" in wish.extensions


def _kept(wish: str | None, before: str) -> str:
    return before if wish is None else wish


def check_modalities(modalities: Sequence[str] | None, param: str) -> None:
    """Raises RequestError for anything but sound."""
    if modalities is not None and "audio" not in modalities:
        raise unsupported(
            'the model always speaks, and its words come with the sound; use ["audio"]', param
        )


def _format(wish: Format | None, before: SoundFormat, param: str) -> SoundFormat:
    if wish is None:
        return before
    return check_format(wish.type, wish.rate, param, pcm_hz=(RATE_HZ,))


def written(sound: SoundFormat) -> dict[str, Any]:
    """A format as this protocol writes it: G.711 has no rate there."""
    return sound.describe() if sound.name == PCM else {"type": sound.name}


def _functions(tools: Sequence[Tool]) -> tuple[FunctionTool, ...]:
    functions = tuple(tool for tool in tools if isinstance(tool, FunctionTool))
    if len(functions) < len(tools):
        raise unsupported("MCP servers are named when this server starts", "session.tools")
    names = [tool.name for tool in functions]
    if len(set(names)) < len(names):
        raise RequestError(
            "invalid_value", "two functions have the same name", param="session.tools"
        )
    return functions


def _choice(wish: str | ToolChoice | None, new: Settings) -> str:
    """Of the wish, or of what was before as far as its function is still there."""
    param, names = "session.tool_choice", [tool.name for tool in new.tools]
    if wish is None:
        before = new.tool_choice
        gone = before.startswith(NAMED) and before.removeprefix(NAMED) not in names
        return "auto" if gone else before
    if isinstance(wish, str):
        if wish not in CHOICES:
            raise unsupported(f"tool_choice {wish!r} is none of {', '.join(CHOICES)}", param)
        return wish
    if wish.type != "function" or wish.name not in names:
        known = ", ".join(names) or "none"
        text = f"tool_choice names no function of this session; they are: {known}"
        raise RequestError("invalid_value", text, param=param)
    return f"{NAMED}{wish.name}"


def _sound_remarks(sound_in: AudioInput, sound_out: AudioOutput, model: str) -> list[Remark]:
    found = []
    if sound_in.turn_detection is not UNSET:
        found.append(
            _remark(
                "turn_detection_ignored",
                "there is no voice activity detector; the model decides when to speak and yield",
                "audio.input.turn_detection",
            )
        )
    if sound_in.noise_reduction is not None:
        text = "the sound is heard as it is"
        found.append(_remark("noise_reduction_ignored", text, "audio.input.noise_reduction"))
    wish = sound_in.transcription
    if wish and not isinstance(wish, UnsetType) and wish.model != model:
        text = "the model itself writes down what it hears"
        found.append(_remark("transcription_by_model", text, "audio.input.transcription"))
    if sound_out.voice not in (None, VOICE):
        text = "this model has one voice"
        found.append(_remark("voice_substituted", text, "audio.output.voice"))
    if sound_out.speed not in (None, 1):
        text = "sound comes at the pace of the clock"
        found.append(_remark("speed_ignored", text, "audio.output.speed"))
    return found


def _format_remarks(sound_in: AudioInput, sound_out: AudioOutput) -> list[Remark]:
    text = "with WebRTC the SDP says how sound is sent"
    return [
        _remark("format_ignored", text, f"audio.{way}.format")
        for way, wish in (("input", sound_in.format), ("output", sound_out.format))
        if wish and wish.type != PCM
    ]


def _remarks(change: SessionConfig, model: str) -> list[Remark]:
    found = []
    if change.model not in (None, model):
        text = f"this server has one model, {model}"
        found.append(_remark("model_substituted", text, "model"))
    if change.parallel_tool_calls:
        text = "the model hands over one piece of work at a time"
        found.append(_remark("parallel_tool_calls_ignored", text, "parallel_tool_calls"))
    if change.max_output_tokens not in (None, "inf"):
        text = "the model decides how much it says"
        found.append(_remark("max_output_tokens_ignored", text, "max_output_tokens"))
    if change.truncation not in (None, "auto"):
        text = "the model's memory is a window that moves by itself"
        found.append(_remark("truncation_ignored", text, "truncation"))
    for name in ("reasoning", "tracing", "include"):
        if getattr(change, name):
            found.append(_remark(f"{name}_ignored", f"there is no {name} here", name))
    return found


def _tool_remarks(change: SessionConfig, new: Settings) -> list[Remark]:
    if new.has_caller or (change.tools is None and change.tool_choice is None):
        return []
    if new.tool_choice == "required":
        text = "the model itself decides when it hands over work"
        return [_remark("tool_choice_ignored", text, "tool_choice")]
    chosen = new.target
    names = [tool.name for tool in new.tools if chosen is None or tool is not chosen[0]]
    if not names or new.tool_choice == "none":
        return []
    text = (
        "the model hands over words and does not choose among functions; a function is called when "
        "it alone takes one string, or when tool_choice names it; never called: "
        f"{', '.join(names)[:200]}"
    )
    return [_remark("tools_not_callable", text, "tools")]


def _remark(code: str, message: str, field: str) -> Remark:
    return {"code": code, "message": message, "param": f"session.{field}"}


def unsupported(message: str, param: str) -> RequestError:
    return RequestError("unsupported_value", message, param=param)


def describe(
    settings: Settings,
    *,
    session_id: str,
    model: str,
    expires_at: int,
    remarks: Sequence[Remark] = (),
) -> dict[str, Any]:
    """The protocol's `session` resource: what is in effect, not what was asked for."""
    choice: Any = settings.tool_choice
    if choice == "required" and not settings.has_caller:
        choice = "auto"
    elif choice.startswith(NAMED):
        choice = {"type": "function", "name": choice.removeprefix(NAMED)}
    about: dict[str, Any] = {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "expires_at": expires_at,
        "instructions": settings.instructions,
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": written(settings.sound_in),
                "noise_reduction": None,
                "transcription": {"model": model} if settings.transcribes else None,
                "turn_detection": TURN_DETECTION,
            },
            "output": {"format": written(settings.sound_out), "voice": VOICE, "speed": 1.0},
        },
        "tools": [{"type": "function"} | describe_tool(tool) for tool in settings.tools],
        "tool_choice": choice,
        "parallel_tool_calls": False,
        "max_output_tokens": "inf",
        "truncation": "auto",
        "tracing": None,
        "include": None,
    }
    extras: dict[str, Any] = {"extensions": ["record"]} if settings.records else {}
    extras |= {"remarks": [*remarks]} if remarks else {}
    return about | ({"interplay": extras} if extras else {})


def describe_tool(tool: FunctionTool) -> dict[str, Any]:
    """A function by name, with the schema of its parameters."""
    return {
        "name": tool.name,
        "description": tool.description or "",
        "parameters": tool.parameters or {"type": "object", "properties": {}},
    }
