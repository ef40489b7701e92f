# pyright: reportMissingImports=false
# pipecat lives in an environment of its own
"""A Pipecat bot that hears, thinks and speaks with a running `interplay serve`.

    python pipecat_bot.py                            # microphone and loudspeaker; headphones
    python pipecat_bot.py --wav IN.wav --save OUT.wav    # a sound file instead, in real time

How to install it: examples/README.md. Knows nothing of Interplay's code: Pipecat's services for
OpenAI's Live and Realtime protocols do the talking.
"""

import argparse
import asyncio
import os
import signal
import sys
from contextlib import suppress
from datetime import date

import numpy as np
import soundfile
import soxr
from loguru import logger
from pipecat.frames.frames import (
    BotStoppedSpeakingFrame,
    ErrorFrame,
    FunctionCallInProgressFrame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMRunFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSTextFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.live.llm import OpenAILiveLLMService
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.services.openai.responses.llm import OpenAIResponsesLLMSettings
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

RATE_HZ = 24_000
CHUNK_S = 0.02


async def ask(params: FunctionCallParams, question: str):
    """Answer a question about the present.

    Args:
        question: What the user wants to know, in words.
    """
    await params.result_callback(f"today is {date.today():%A}".lower())


class FileInput(BaseInputTransport):
    """A sound file at the pace of a clock, then silence."""

    def __init__(self, path: str, params: TransportParams) -> None:
        super().__init__(params)
        sound, rate_hz = soundfile.read(path, dtype="int16", always_2d=True)
        self.pcm = soxr.resample(sound[:, 0], rate_hz, RATE_HZ).tobytes()
        self.may_play = asyncio.Event()

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self.player = self.create_task(self.play())

    async def play(self) -> None:
        await self.may_play.wait()
        size = 2 * round(CHUNK_S * RATE_HZ)
        loop = asyncio.get_running_loop()
        begin_s, at = loop.time(), 0
        while True:
            chunk = self.pcm[at : at + size].ljust(size, b"\0")
            await self.push_audio_frame(InputAudioRawFrame(chunk, RATE_HZ, 1))
            at += size
            await asyncio.sleep(begin_s + at / (2 * RATE_HZ) - loop.time())

    async def cleanup(self) -> None:
        await super().cleanup()
        if hasattr(self, "player"):
            await self.cancel_task(self.player)


class FileOutput(BaseOutputTransport):
    """What the bot says, played to nobody at the pace of a clock; in the end it is a file."""

    def __init__(self, path: str | None, params: TransportParams) -> None:
        super().__init__(params)
        self.path, self.pcm, self.next_s = path, bytearray(), 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        self.pcm += frame.audio
        now_s = asyncio.get_running_loop().time()
        self.next_s = max(self.next_s, now_s) + frame.num_frames / frame.sample_rate
        await asyncio.sleep(self.next_s - now_s)
        return True

    async def cleanup(self) -> None:
        await super().cleanup()
        if self.path:
            soundfile.write(self.path, np.frombuffer(self.pcm, np.int16), RATE_HZ)


class Printer(BaseObserver):
    """Tells what happens, one line for each thing; the model's words as they come."""

    is_open = False  # the line of the model's words

    def line(self, text: str) -> None:
        print(f"\n{text}" if self.is_open else text, flush=True)
        self.is_open = False

    def words(self, text: str) -> None:
        print(text if self.is_open else f"model: {text.lstrip()}", end="", flush=True)
        self.is_open = True

    async def on_push_frame(self, data: FramePushed) -> None:
        if not data.first_push:
            return
        is_down = data.direction == FrameDirection.DOWNSTREAM  # some frames go both ways
        match data.frame:
            case TranscriptionFrame(text=text):
                self.line(f"you: {text.strip()}")
            case TTSTextFrame(text=text):
                self.words(text)
            case FunctionCallInProgressFrame(function_name=name, arguments=arguments) if is_down:
                self.line(f"calls: {name}({arguments})")
            case BotStoppedSpeakingFrame() if is_down:
                self.line("model stops")
            case InterruptionFrame() if is_down:
                self.line("interrupted")
            case ErrorFrame(error=error):
                self.line(f"error: {error}")


def service(args: argparse.Namespace) -> OpenAILiveLLMService | OpenAIRealtimeLLMService:
    """Live: the server's background model does the work, with our functions if it can call any.
    Realtime: our function gets every question that the model hands over."""
    key = os.environ.get("INTERPLAY_KEY", "none")
    if args.protocol == "realtime":
        return OpenAIRealtimeLLMService(api_key=key, base_url=f"{args.url}/v1/realtime")
    backend = OpenAIResponsesLLMSettings(model="background")
    return OpenAILiveLLMService(
        api_key=key,
        base_url=f"{args.url}/v1/live/sessions",
        delegation=OpenAILiveLLMService.ResponsesDelegation(settings=backend),
    )


def transport(args: argparse.Namespace) -> tuple[FrameProcessor, FrameProcessor]:
    if args.wav:
        params = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
        params.audio_out_end_silence_secs = 0
        return FileInput(args.wav, params), FileOutput(args.save, params)
    from pipecat.transports.local.audio import LocalAudioTransport, LocalAudioTransportParams

    local = LocalAudioTransport(
        LocalAudioTransportParams(audio_in_enabled=True, audio_out_enabled=True)
    )
    return local.input(), local.output()


async def run(args: argparse.Namespace) -> None:
    llm, printer = service(args), Printer()
    sound_in, sound_out = transport(args)
    aggregators = LLMContextAggregatorPair(LLMContext(tools=[ask]))
    pipeline = Pipeline([sound_in, aggregators.user(), llm, sound_out, aggregators.assistant()])
    worker = PipelineWorker(
        pipeline,
        params=PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ),
        observers=[printer],
        idle_timeout_secs=args.quiet if args.wav else None,
        cancel_on_idle_timeout=False,
    )

    @worker.event_handler("on_idle_timeout")
    async def on_quiet(worker: PipelineWorker) -> None:
        await worker.stop_when_done()

    if isinstance(sound_in, FileInput):
        start_playing = sound_in.may_play.set
        if isinstance(llm, OpenAILiveLLMService):  # it drops sound until then
            llm.add_event_handler("on_session_started", lambda llm, session: start_playing())
        else:
            start_playing()
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    hang_up = lambda: asyncio.ensure_future(worker.stop_when_done())  # noqa: E731
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, hang_up)
    await worker.queue_frame(LLMRunFrame())  # begins the session
    await runner.run()
    printer.line("closed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="ws://127.0.0.1:8765", help="of the server")
    parser.add_argument("--protocol", choices=("live", "realtime"), default="live")
    parser.add_argument("--wav", help="a sound file instead of the microphone")
    parser.add_argument("--save", help="where to write what the bot says, with --wav")
    parser.add_argument(
        "--quiet", type=float, default=10.0, help="seconds without a word that end it, with --wav"
    )
    logger.remove()
    logger.add(sys.stderr, level=os.environ.get("LOG_LEVEL", "WARNING"))
    with suppress(KeyboardInterrupt):
        asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
