# pyright: reportMissingImports=false
# livekit lives in an environment of its own
"""A LiveKit agent that hears, thinks and speaks with a running `interplay serve`.

    python livekit_agent.py console                      # microphone and loudspeaker; headphones
    python livekit_agent.py dev                          # in the rooms of a LiveKit server
    python livekit_agent.py --wav IN.wav --save OUT.wav      # a sound file, in real time

How to install it: examples/README.md. Knows nothing of Interplay's code: LiveKit's plugin for
OpenAI's Live and Realtime protocols does the talking.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
import wave
from datetime import date

from livekit import rtc
from livekit.agents import (
    Agent,
    AgentServer,
    AgentSession,
    AgentStateChangedEvent,
    CloseEvent,
    ConversationItemAddedEvent,
    ErrorEvent,
    FunctionToolsExecutedEvent,
    JobContext,
    TurnHandlingOptions,
    UserInputTranscribedEvent,
    cli,
    function_tool,
    utils,
)
from livekit.agents.llm import ChatMessage
from livekit.agents.voice import io
from livekit.plugins import openai

RATE_HZ = 24_000
CHUNK = RATE_HZ // 50
server = AgentServer()


class Helper(Agent):
    """Gets what the model hands over."""

    @function_tool()
    async def ask(self, question: str) -> str:
        """Answer a question about the present.

        Args:
            question: What the user wants to know, in words.
        """
        return f"today is {date.today():%A}".lower()


def new_session() -> AgentSession:
    """A conversation with the server. Live: the server's background model does the work, with our
    functions if it can call any. Realtime: our function gets every question."""
    url = os.environ.get("INTERPLAY_URL", "http://127.0.0.1:8765")
    is_live = os.environ.get("INTERPLAY_PROTOCOL", "live") == "live"
    model = openai.realtime.GPTLiveModel if is_live else openai.realtime.RealtimeModel
    key = os.environ.get("INTERPLAY_KEY", "none")
    # no detectors: the model itself decides when to speak and when to stop, and means it
    turns = TurnHandlingOptions(
        turn_detection="realtime_llm", interruption={"resume_false_interruption": False}
    )
    llm = model(base_url=f"{url}/v1", api_key=key)
    return AgentSession(llm=llm, vad=None, turn_handling=turns)


@server.rtc_session()
async def talk(ctx: JobContext) -> None:
    session = new_session()
    print_events(session)
    await session.start(Helper(instructions=""), room=ctx.room)


class FileInput(io.AudioInput):
    """A sound file at the pace of a clock, then silence."""

    def __init__(self, frames: list[rtc.AudioFrame]) -> None:
        super().__init__(label="file")
        self.pcm = b"".join(bytes(frame.data) for frame in frames)
        self.at, self.begin_s = 0, 0.0

    async def __anext__(self) -> rtc.AudioFrame:
        self.begin_s = self.begin_s or time.monotonic()
        chunk = self.pcm[2 * self.at : 2 * (self.at + CHUNK)].ljust(2 * CHUNK, b"\0")
        self.at += CHUNK
        await asyncio.sleep(self.begin_s + self.at / RATE_HZ - time.monotonic())
        return rtc.AudioFrame(chunk, RATE_HZ, 1, CHUNK)


class FileOutput(io.AudioOutput):
    """What the agent says, played to nobody at the pace of a clock."""

    def __init__(self) -> None:
        can = io.AudioOutputCapabilities(pause=False)
        super().__init__(label="file", capabilities=can, sample_rate=RATE_HZ)
        self.pcm = bytearray()
        self.waiting: asyncio.Queue[rtc.AudioFrame | None] = asyncio.Queue()
        self.played_s, self.is_open, self.is_cut = 0.0, False, False
        self.player = asyncio.create_task(self.play())

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self.is_open = True
        self.waiting.put_nowait(frame)

    def flush(self) -> None:
        """The end of what is being said."""
        super().flush()
        if self.is_open:
            self.waiting.put_nowait(None)
        self.is_open = False

    def clear_buffer(self) -> None:
        """What is being said is not wanted any more."""
        self.is_cut = bool(self.played_s) or not self.waiting.empty()

    async def play(self) -> None:
        while True:
            frame = await self.waiting.get()
            if frame is None:
                position_s, is_cut = self.played_s, self.is_cut
                self.played_s, self.is_cut = 0.0, False
                self.on_playback_finished(playback_position=position_s, interrupted=is_cut)
            elif not self.is_cut:
                if not self.played_s:
                    self.on_playback_started(created_at=time.time())
                self.pcm += bytes(frame.data)
                await asyncio.sleep(frame.duration)
                self.played_s += frame.duration

    def save(self, path: str) -> None:
        """What was played, as a file."""
        with wave.open(path, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(self.pcm)


def print_events(session: AgentSession) -> None:
    """Tell what happens, one line for each thing."""

    @session.on("user_input_transcribed")
    def heard(event: UserInputTranscribedEvent) -> None:
        if event.is_final:
            print(f"you: {event.transcript.strip()}", flush=True)

    @session.on("conversation_item_added")
    def said(event: ConversationItemAddedEvent) -> None:
        item = event.item
        if isinstance(item, ChatMessage) and item.role == "assistant":
            print(f"model: {(item.text_content or '').strip()}", flush=True)
            if item.interrupted:
                print("interrupted", flush=True)

    @session.on("function_tools_executed")
    def called(event: FunctionToolsExecutedEvent) -> None:
        for call in event.function_calls:
            print(f"calls: {call.name}({call.arguments})", flush=True)

    @session.on("agent_state_changed")
    def changed(event: AgentStateChangedEvent) -> None:
        if "speaking" in (event.old_state, event.new_state):
            print("model speaks" if event.new_state == "speaking" else "model stops", flush=True)

    @session.on("error")
    def failed(event: ErrorEvent) -> None:
        print(f"error: {event.error}", flush=True)

    @session.on("close")
    def closed(event: CloseEvent) -> None:
        print("closed", flush=True)


async def talk_from_file(path: str, save: str | None, quiet_s: float) -> None:
    """Without LiveKit's rooms: until Ctrl-C, or until the file has ended and nobody speaks."""
    session, last_s = new_session(), time.monotonic()
    print_events(session)
    frames = [frame async for frame in utils.audio.audio_frames_from_file(path, RATE_HZ)]
    sound_in, sound_out = FileInput(frames), FileOutput()
    session.input.audio, session.output.audio = sound_in, sound_out
    hang_up = asyncio.Event()

    def stir(event: object) -> None:
        nonlocal last_s
        last_s = time.monotonic()

    for kind in ("user_input_transcribed", "agent_state_changed", "function_tools_executed"):
        session.on(kind, stir)
    session.on("close", lambda event: hang_up.set())
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, hang_up.set)
    await session.start(Helper(instructions=""))
    file_s = len(sound_in.pcm) / (2 * RATE_HZ)
    while not hang_up.is_set():
        if time.monotonic() > max(last_s, sound_in.begin_s + file_s) + quiet_s:
            break
        await asyncio.sleep(0.1)
    await session.aclose()
    await session.llm.aclose()
    await utils.aio.cancel_and_wait(sound_out.player)
    if save:
        sound_out.save(save)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, add_help=False)
    parser.add_argument("--url", default="http://127.0.0.1:8765", help="of the server")
    parser.add_argument("--protocol", choices=("live", "realtime"), default="live")
    parser.add_argument("--wav", help="a sound file instead of the microphone")
    parser.add_argument("--save", help="where to write what the agent says, with --wav")
    parser.add_argument(
        "--quiet", type=float, default=10.0, help="seconds without a word that end it, with --wav"
    )
    args, rest = parser.parse_known_args()
    os.environ |= {"INTERPLAY_URL": args.url, "INTERPLAY_PROTOCOL": args.protocol}
    if args.wav:
        asyncio.run(talk_from_file(args.wav, args.save, args.quiet))
    else:
        sys.argv[1:] = rest
        cli.run_app(server)


if __name__ == "__main__":
    main()
