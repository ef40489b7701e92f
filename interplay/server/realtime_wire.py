"""The messages of the Realtime protocol (GA): what a client may send, strictly.

Structs follow the client events of OpenAI's Realtime API (its public SDK types). Knows nothing of
sessions.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from interplay.server.json_events import MAX_ID, EventReader

EventId = Annotated[str, Meta(max_length=MAX_ID)]
ItemId = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(max_length=100_000)]
Name = Annotated[str, Meta(max_length=256)]
Names = Annotated[list[Name], Meta(max_length=128)]
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]],
    Meta(max_length=16),
]
Milliseconds = Annotated[int, Meta(ge=0, le=2**53)]


class _Strict(Struct, forbid_unknown_fields=True, kw_only=True):
    pass


class Format(_Strict, kw_only=True):
    type: Name = "audio/pcm"
    rate: int | None = None


class TurnDetection(_Strict, kw_only=True):
    type: Literal["server_vad", "semantic_vad"]
    create_response: bool | None = None
    interrupt_response: bool | None = None
    idle_timeout_ms: int | None = None
    prefix_padding_ms: int | None = None
    silence_duration_ms: int | None = None
    threshold: float | None = None
    eagerness: Name | None = None


class NoiseReduction(_Strict, kw_only=True):
    type: Name | None = None
    strength: float | None = None


class Transcription(_Strict, kw_only=True):
    model: Name | None = None
    language: Name | None = None
    languages: Names | None = None
    keywords: Names | None = None
    prompt: Text | None = None
    delay: Name | None = None


class AudioInput(_Strict, kw_only=True):
    format: Format | None = None
    noise_reduction: NoiseReduction | None = None
    transcription: Transcription | UnsetType | None = UNSET
    turn_detection: TurnDetection | UnsetType | None = UNSET


class AudioOutput(_Strict, kw_only=True):
    format: Format | None = None
    voice: Name | dict[str, Any] | None = None
    speed: float | None = None


class Audio(_Strict, kw_only=True):
    input: AudioInput | None = None
    output: AudioOutput | None = None


class FunctionTool(_Strict, tag="function", kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    description: Text | None = None
    parameters: dict[str, Any] | None = None


class McpTool(Struct, tag="mcp", kw_only=True):
    server_label: Name | None = None


Tool = FunctionTool | McpTool


class ToolChoice(_Strict, kw_only=True):
    type: Name
    name: Name | None = None
    server_label: Name | None = None


class Extensions(_Strict, kw_only=True):
    """Ours. record: keep the session on the server's disk."""

    extensions: Annotated[list[Literal["record"]], Meta(max_length=16)] = []


class SessionConfig(_Strict, kw_only=True):
    """Sparse: what is not there stays as it is. Every field may be null, too."""

    type: Name | None = None
    model: Name | None = None
    instructions: Text | None = None
    output_modalities: Annotated[list[Literal["text", "audio"]], Meta(max_length=2)] | None = None
    audio: Audio | None = None
    tools: Annotated[list[Tool], Meta(max_length=128)] | None = None
    tool_choice: Name | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | Literal["inf"] | None = None
    reasoning: dict[str, Any] | None = None
    truncation: Name | dict[str, Any] | None = None
    tracing: Name | dict[str, Any] | None = None
    prompt: dict[str, Any] | None = None
    include: Names | None = None
    interplay: Extensions | None = None


class Part(_Strict, kw_only=True):
    type: Literal["input_text", "input_audio", "input_image", "output_text", "output_audio"]
    text: Text | None = None
    image_url: str | None = None
    detail: Name | None = None
    audio: str | None = None
    transcript: Text | None = None


class _Item(_Strict, kw_only=True, tag_field="type"):
    id: ItemId | None = None
    object: Name | None = None
    status: Name | None = None


class Message(_Item, tag="message", kw_only=True):
    role: Literal["user", "assistant", "system"]
    content: Annotated[list[Part], Meta(min_length=1, max_length=16)]


class FunctionCall(_Item, tag="function_call", kw_only=True):
    name: Name
    arguments: Text
    call_id: Name | None = None


class FunctionCallOutput(_Item, tag="function_call_output", kw_only=True):
    call_id: Name
    output: Text


class ResponseConfig(_Strict, kw_only=True):
    instructions: Text | None = None
    metadata: Metadata | None = None
    output_modalities: Annotated[list[Literal["text", "audio"]], Meta(max_length=2)] | None = None
    audio: dict[str, Any] | None = None
    conversation: Name | None = None
    input: list[Any] | None = None
    tools: list[Any] | None = None
    tool_choice: Name | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | Literal["inf"] | None = None
    reasoning: dict[str, Any] | None = None
    prompt: dict[str, Any] | None = None


class _Event(_Strict, kw_only=True, tag_field="type"):
    event_id: EventId | None = None


class Update(_Event, tag="session.update", kw_only=True):
    session: SessionConfig


class AppendAudio(_Event, tag="input_audio_buffer.append", kw_only=True):
    audio: bytes


class Commit(_Event, tag="input_audio_buffer.commit", kw_only=True):
    pass


class ClearInput(_Event, tag="input_audio_buffer.clear", kw_only=True):
    pass


class ClearOutput(_Event, tag="output_audio_buffer.clear", kw_only=True):
    pass


class CreateItem(_Event, tag="conversation.item.create", kw_only=True):
    item: Message | FunctionCall | FunctionCallOutput
    previous_item_id: Name | None = None


class RetrieveItem(_Event, tag="conversation.item.retrieve", kw_only=True):
    item_id: Name


class TruncateItem(_Event, tag="conversation.item.truncate", kw_only=True):
    item_id: Name
    content_index: int
    audio_end_ms: Milliseconds


class DeleteItem(_Event, tag="conversation.item.delete", kw_only=True):
    item_id: Name


class CreateResponse(_Event, tag="response.create", kw_only=True):
    response: ResponseConfig | None = None


class CancelResponse(_Event, tag="response.cancel", kw_only=True):
    response_id: Name | None = None


ClientEvent = (
    Update
    | AppendAudio
    | Commit
    | ClearInput
    | ClearOutput
    | CreateItem
    | RetrieveItem
    | TruncateItem
    | DeleteItem
    | CreateResponse
    | CancelResponse
)
READER = EventReader(ClientEvent, {})
