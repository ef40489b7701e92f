"""`interplay words RECORD`: what both said in a recorded session, a line for each change of
who speaks. Knows nothing of sound.

Words are dated, and dropped when their sound was thrown away, as in a live session; a record knows
that of the newest micro-turn only, as the model's past does.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interplay.background.contract import Line
from interplay.clock import SAMPLE_RATE_HZ, TURN_MS
from interplay.engine.record import read_about
from interplay.engine.replay_command import model_of
from interplay.errors import RecordError
from interplay.server.said import SaidLines
from interplay.server.transcript import Transcriber
from interplay.turns.tokens import Tokenizer

NAMES = {"user": "You", "assistant": "Model"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", type=Path, help="the folder of a recorded session")
    parser.add_argument(
        "--model", help="model name or file; by default the one that the record names"
    )


def run(args: argparse.Namespace) -> int:
    """Writes the lines to stdout."""
    loaded = model_of(args.record, read_about(args.record), args.model)
    for line in said_lines(args.record, loaded.tokenizer):
        minutes, seconds = divmod(line.time_s, 60)
        print(f"{minutes:.0f}:{seconds:04.1f}  {NAMES[line.role]}: {line.text}")
    return 0


def said_lines(folder: Path, tokenizer: Tokenizer) -> list[Line]:
    """What was said, oldest first. Raises RecordError when that is missing or damaged."""
    heard, said = Transcriber(tokenizer), Transcriber(tokenizer)
    lines = SaidLines(bounded=False)
    for index, turn in enumerate(_turns(folder)):
        if turn["num_played"] is not None:  # of what was emitted one micro-turn ago
            end_ms = index * TURN_MS
            played_ms = end_ms - TURN_MS + turn["num_played"] * 1000 // SAMPLE_RATE_HZ
            lines.unsay(played_ms, end_ms)
        lines.add("user", heard.heard(index, tuple(turn["heard"])), index)
        lines.add("assistant", said.said(index, tuple(turn["say"])), index)
    return lines.lines()


def _turns(folder: Path) -> Iterator[dict[str, Any]]:
    """Lines of turns.jsonl; the last may be half a line after a crash."""
    path = folder / "turns.jsonl"
    try:
        texts = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} cannot be read ({error}); copy the record again") from None
    for text in texts[:-1]:
        try:
            turn = json.loads(text)
            yield {name: turn[name] for name in ("heard", "say", "num_played")}
        except (json.JSONDecodeError, KeyError, TypeError):
            raise RecordError(f"{path} is damaged; copy the record again") from None
