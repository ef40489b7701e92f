"""The messages of the Live protocol: what a client may send, strictly.

Structs follow the client events of OpenAI's Live API (its public SDK types); what begins with
`interplay.` is an extension of ours. Knows nothing of sessions.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from interplay.server.json_events import MAX_ID, EventReader

EventId = Annotated[str, Meta(max_length=MAX_ID)]
Text = Annotated[str, Meta(max_length=100_000)]
Output = Annotated[str, Meta(max_length=32_768)]
Name = Annotated[str, Meta(max_length=256)]
Count = Annotated[int, Meta(ge=-1, le=2**53)]
Extension = Literal["text", "video", "playback", "resume", "turns", "ui", "delegations"]


class _Strict(Struct, forbid_unknown_fields=True):
    pass


class AudioFormat(_Strict, kw_only=True):
    type: Name
    rate: int | None = None


class AudioOutput(_Strict, kw_only=True):
    voice: Name | dict[str, Any] | None = None


class Audio(_Strict, kw_only=True):
    format: AudioFormat | None = None
    output: AudioOutput | None = None


class ResponsesConfig(_Strict, kw_only=True):
    model: Name | None = None
    instructions: Text | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: Annotated[int, Meta(ge=1, le=2**20)] | None = None
    reasoning: dict[str, Any] | None = None
    text: dict[str, Any] | None = None
    service_tier: Name | None = None


class FunctionTool(_Strict, kw_only=True):
    type: Literal["function"]
    name: Name
    description: Text | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class DelegationConfig(_Strict, kw_only=True):
    type: Name = "client"
    acknowledgement_delay_ms: int | None = None
    responses: ResponsesConfig | None = None
    decisions: dict[str, Any] | None = None


class InputPart(_Strict, kw_only=True):
    type: Literal["input_text"]
    text: Output


class OutputPart(_Strict, kw_only=True):
    type: Literal["input_text"]
    text: str


class HistoryPart(_Strict, kw_only=True):
    text: Text
    type: Literal["input_text", "output_text", "text"] | None = None


class CallOutput(_Strict, kw_only=True):
    type: Literal["function_call_output"]
    call_id: Name
    output: str | list[OutputPart]
    id: Name | None = None
    status: Name | None = None
    name: Name | None = None
    namespace: Name | None = None
    caller: dict[str, Any] | None = None


class MessageItem(_Strict, kw_only=True):
    role: Literal["user", "system", "developer"]
    content: Output | list[InputPart]
    type: Literal["message"] = "message"
    id: Name | None = None
    status: Name | None = None


class HistoryItem(_Strict, kw_only=True):
    role: Literal["developer", "user", "assistant"]
    content: Annotated[list[HistoryPart], Meta(min_length=1, max_length=1)]
    id: Name | None = None
    status: Literal["incomplete", "completed"] | None = None
    type: Literal["message"] | None = None


class Extensions(_Strict, kw_only=True):
    """Ours. text: typed text. video: camera frames. playback: acknowledgements of what was
    played. resume: a token for lost connections. turns: `interplay.turn` events. ui: `interplay.ui`
    events. delegations: their ends, and a way to cancel them."""

    extensions: Annotated[list[Extension], Meta(max_length=16)] = []


class SessionConfig(_Strict, kw_only=True):
    model: Name
    instructions: Text | None = None
    audio: Audio | None = None
    delegation: DelegationConfig | None = None
    input: list[HistoryItem] | None = None
    store: bool | None = None
    triggers: list[Any] | None = None
    safety_identifier: Name | None = None
    client: dict[str, Any] | None = None
    interplay: Extensions | None = None


class SessionUpdate(_Strict, kw_only=True):
    delegation: DelegationConfig | None = None
    triggers: list[Any] | None = None


class _Event(_Strict, kw_only=True, tag_field="type"):
    event_id: EventId | None = None


class _Append(_Event, kw_only=True):
    content: Text
    delegation_id: Name | None


class Start(_Event, tag="session.start", kw_only=True):
    session: SessionConfig


class Update(_Event, tag="session.update", kw_only=True):
    session: SessionUpdate


class AppendAudio(_Event, tag="session.input_audio.append", kw_only=True):
    audio: bytes


class Mute(_Event, tag="session.input_audio.mute"):
    pass


class Unmute(_Event, tag="session.input_audio.unmute"):
    pass


class AppendInstructions(_Append, tag="session.instructions.append"):
    pass


class AppendThinking(_Append, tag="session.thinking.append"):
    pass


class AppendCommentary(_Append, tag="session.commentary.append"):
    pass


class Close(_Event, tag="session.close"):
    pass


class CreateItem(_Event, tag="response.item.create", kw_only=True):
    item: dict[str, Any]


class CreateResponse(_Event, tag="response.create"):
    pass


class AppendText(_Event, tag="interplay.input_text.append", kw_only=True):
    text: Text


class AppendVideo(_Event, tag="interplay.input_video.append", kw_only=True):
    image: bytes


class AckPlayback(_Event, tag="interplay.playback.ack", kw_only=True):
    played_ms: Count
    flushed_ms: Count | None = None


class CancelDelegation(_Event, tag="interplay.delegation.cancel", kw_only=True):
    delegation_id: Name


class Resume(_Event, tag="interplay.session.resume", kw_only=True):
    token: Name
    last_turn: Count


Context = AppendInstructions | AppendThinking | AppendCommentary
ClientEvent = (
    Start
    | Update
    | AppendAudio
    | Mute
    | Unmute
    | Context
    | Close
    | CreateItem
    | CreateResponse
    | AppendText
    | AppendVideo
    | AckPlayback
    | CancelDelegation
    | Resume
)
READER = EventReader(
    ClientEvent,
    {
        "session.output_audio.fixture.play": "the model has one voice",
        "decision.create": "there are no decisions",
        "decision.item.create": "there are no decisions",
        "decision.item.delete": "there are no decisions",
        "transport.dtmf.send": "there is no telephone",
    },
)


def parse(message: str | bytes) -> ClientEvent:
    """One client event. Raises RequestError, which names the field that is wrong."""
    return READER.read(message)
