"""The `interplay` command: a table of subcommands, loaded only when one is named.

Knows nothing of what a command does. A command is a module with two functions:
`add_arguments(parser)` declares at most eight options (`serve` 11, `train` 12, `bench` 16),
`run(args) -> int` returns the exit code.
Exit codes: 0 done, 1 the command's own "no", 2 an error of the user, 130 stopped by Ctrl-C.
"""

import argparse
import importlib
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from interplay import __version__
from interplay.errors import InterplayError

# numpy's OpenBLAS would have threads of its own, which wait in a busy loop after every product,
# half a core beside each tick; ours are small. Read when numpy is imported, which happens later.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE


@dataclass(frozen=True, kw_only=True)
class Command:
    """Where a subcommand lives: `module` and the names of its two functions."""

    module: str
    summary: str
    add_arguments: str = "add_arguments"
    run: str = "run"

    def load(self) -> tuple[Callable[[argparse.ArgumentParser], None], Callable[..., int]]:
        module = importlib.import_module(self.module)
        return getattr(module, self.add_arguments), getattr(module, self.run)


COMMANDS = {
    "demo": Command(
        module="interplay.bench.demo",
        summary="play a recorded conversation, or a scene by name, to the model live",
    ),
    "talk": Command(
        module="interplay.talk.command",
        summary="talk with the model through microphone and loudspeaker, or through wav files",
        add_arguments="add_talk_arguments",
        run="run_talk",
    ),
    "serve": Command(
        module="interplay.server.command",
        summary="serve live sessions to real-time clients (OpenAI Live protocol) and to browsers",
    ),
    "replay": Command(
        module="interplay.engine.replay_command",
        summary="re-run a recorded session as one training pass and compare it bit for bit",
    ),
    "words": Command(
        module="interplay.server.words_command",
        summary="write down what both said in a recorded session",
    ),
    "bench": Command(
        module="interplay.bench.command",
        summary="measure a system in timed scenarios, beside the trivial baselines",
    ),
    "cascade": Command(
        module="interplay.bench.systems.cascade.command",
        summary="serve the turn-based design, to be measured beside a model",
    ),
    "tune": Command(
        module="interplay.bench.tune",
        summary="choose how readily a model writes and how clearly it speaks",
    ),
    "alone": Command(
        module="interplay.bench.alone",
        summary="play sessions like those of a training live: what is done and what should be",
    ),
    "train": Command(
        module="interplay.recipes.command",
        summary="train a model by the name of its recipe",
    ),
    "data": Command(
        module="interplay.data.own.command",
        summary="import own recordings, transcripts and films for training, and look at them",
    ),
    "init": Command(
        module="interplay.model.init_command",
        summary="begin an interaction model with the weights of a Qwen3 language model",
    ),
    "synth": Command(
        module="interplay.data.command",
        summary="write a scenario as sound, to listen to what the model is trained on",
    ),
}

EXTRA_OF_MODULE = {
    "espeakng_loader": "synth",
    "scipy": "synth",
    "matplotlib": "train",
    "praatio": "data",
    "pysubs2": "data",
    "datasets": "datasets",
    "huggingface_hub": "hub",
    "pocketsphinx": "bench",
    "jiwer": "bench",
    "langdetect": "bench",
    "pyarrow": "bench",
    "webrtcvad": "bench",
    "faster_whisper": "whisper",
    "ttspico": "voices",
    "triton": "gpu",
    "transformers": "speed",
    "onnx": "speed",
    "onnxruntime": "speed",
    "gguf": "speed",
    "xllamacpp": "speed",
    "sounddevice": "mic",
    "openai": "background",
    "mcp": "mcp",
    "httpx2": "mcp",
    "starlette": "serve",
    "uvicorn": "serve",
    "uvloop": "serve",
    "websockets": "serve",
    "msgspec": "serve",
    "prometheus_client": "serve",
    "aiortc": "webrtc",
    "av": "webrtc",
    "python_multipart": "webrtc",
    "playwright": "browser",
    "ray": "ray",
}


class _ShowVersion(argparse.Action):
    """`--version`: what decides about the bits on this machine. Imports torch only when asked."""

    def __call__(self, parser: argparse.ArgumentParser, *_unused: object) -> None:
        print(version_report())
        parser.exit()


def version_report() -> str:
    """Four lines: versions, CPU, GPU and how bfloat16 is computed on each."""
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    fast = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    cpu_bf16 = "native" if fast else "slow, use float32"
    lines = [
        f"interplay {__version__}",
        f"torch {torch.__version__}, Python {platform.python_version()}",
        f"CPU: {capability}, {torch.get_num_threads()} threads, bfloat16 {cpu_bf16}",
    ]
    if torch.cuda.is_available():
        gpu_bf16 = "native" if torch.cuda.is_bf16_supported() else "slow, use float32"
        lines.append(f"GPU: {torch.cuda.get_device_name()}, bfloat16 {gpu_bf16}")
    else:
        lines.append("GPU: none that torch can use")
    return "\n".join(lines)


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """The whole parser; only the `chosen` command is imported to declare its options."""
    parser = argparse.ArgumentParser(
        prog="interplay",
        description="An open interaction model: it listens, watches, speaks and acts "
        "on a 200 ms clock.",
        epilog="`interplay COMMAND --help` lists the options of a command.",
    )
    parser.add_argument(
        "--version", action=_ShowVersion, nargs=0, help="print versions and number formats"
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=command.summary, description=command.summary)
        if name == chosen:
            add_arguments, run = command.load()
            add_arguments(subparser)
            subparser.set_defaults(run=run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code. Errors meant for the user become one line."""
    argv = sys.argv[1:] if argv is None else list(argv)
    chosen = next((word for word in argv if not word.startswith("-")), None)
    try:
        args = build_parser(chosen).parse_args(argv)
        exit_code = args.run(args)
        sys.stdout.flush()  # here, where a closed pipe is still caught
        return exit_code
    except InterplayError as error:
        return _fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        extra = EXTRA_OF_MODULE.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        hint = f"`interplay {chosen}` needs the {extra} extra: pip install 'interplay[{extra}]'"
        return _fail(hint, InterplayError.exit_code)
    except KeyboardInterrupt:
        return _fail("stopped", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # the reader (`| head`) has gone; keep the interpreter's last flush from complaining
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE


def _fail(message: str, exit_code: int) -> int:
    print(f"interplay: {message}", file=sys.stderr)
    return exit_code
