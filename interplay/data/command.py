"""`interplay synth`: one session of training material as sound and as a table.

Knows nothing of batches, models or what is drawn.
"""

import argparse
from pathlib import Path

import numpy as np

from interplay.clock import SAMPLE_RATE_HZ, TURN_MS
from interplay.data.compose import ComposeConfig, Composer
from interplay.data.corpus import Corpus, CorpusPlan, build_corpus
from interplay.data.families import BEHAVIOURS
from interplay.data.speech import synthesize
from interplay.data.voices import OWN_VOICE
from interplay.errors import ConfigError, DeviceError, SynthError
from interplay.media.audio import write_wav
from interplay.turns.tokens import Tokenizer
from interplay.turns.types import PAD, Streams

OUT = Path("out", "synth")
NUM_TURNS = 150
SMALL = CorpusPlan(scale=0.004)
ESPEAK_VOICE = "espeak:en-us+f3:p50:r160:g55"
TEXT = ("read", "heard", "say", "act")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--corpus", type=Path, help="corpus folder (default: a very small one is made in OUT)"
    )
    parser.add_argument("--seed", type=int, default=0, help="which session (default: 0)")
    parser.add_argument(
        "--out", type=Path, default=OUT, help="folder to write to (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Write session.wav (microphone left, own voice right) and session.txt."""
    if args.seed < 0:
        raise ConfigError(f"--seed is {args.seed}; use 0 or a larger number")
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DeviceError(
            f"cannot make the folder {args.out}: {error.strerror}; choose another --out"
        ) from None
    composer = Composer(Corpus(args.corpus or _small_corpus(args.out)), ComposeConfig())
    rng = np.random.default_rng(args.seed)
    timeline = composer.timeline(rng, NUM_TURNS, BEHAVIOURS)
    track = composer.microphone(timeline, rng)
    sound, table = args.out / "session.wav", args.out / "session.txt"
    write_wav(sound, np.stack([track, timeline.own], axis=1), SAMPLE_RATE_HZ)
    table.write_text(session_table(timeline.streams, timeline.tokenizer), encoding="utf-8")
    print(f"{sound}: {NUM_TURNS * TURN_MS / 1000:g} s; left the microphone, right the own voice")
    print(f"{table}: the same session, one line per micro-turn")
    return 0


def session_table(streams: Streams, tokenizer: Tokenizer) -> str:
    """One line per micro-turn: its time, the tokens of every text stream, its voice slots."""
    rows: list[tuple[str, ...]] = [("time [s]", "voice", *TEXT)]
    for turn in range(len(streams)):
        voice = "".join("#" if on else "." for on in streams.voice_on[turn])
        texts = (_names(getattr(streams, name)[turn], tokenizer) for name in TEXT)
        rows.append((f"{turn * TURN_MS / 1000:.1f}", voice, *texts))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines) + "\n"


def _names(ids: np.ndarray, tokenizer: Tokenizer) -> str:
    """Pieces of words side by side, control tokens apart."""
    names = (tokenizer.name(int(i)) for i in ids if i != PAD)
    spaced = (f" {name} " if name.startswith("<") else name for name in names)
    return " ".join("".join(spaced).split())


def _small_corpus(out: Path) -> Path:
    """A very small corpus inside `out`, made unless it is there."""
    folder = out / "corpus"
    if (folder / "corpus.json").exists():
        return folder
    plan = SMALL
    try:
        synthesize("hello", OWN_VOICE)
    except SynthError as error:
        print(f"own voice is {ESPEAK_VOICE} instead of {OWN_VOICE}: {error}")
        plan = CorpusPlan(scale=SMALL.scale, own_voice=ESPEAK_VOICE, user_engines=("espeak",))
    print(f"{folder}: synthesising a very small corpus", flush=True)
    build_corpus(folder, plan, num_workers=1)
    return folder
