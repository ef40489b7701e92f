"""`interplay words RECORD`: what both said in a recorded session, and what the user typed, a line
for each change of who speaks. Knows nothing of sound.

Words are dated, and dropped when their sound was thrown away, as in a live session; a record knows
that of the newest micro-turn only, as the model's past does.
"""

import argparse
import json
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from interplay.background.contract import Line
from interplay.clock import SAMPLE_RATE_HZ, TURN_MS
from interplay.engine.record import read_about
from interplay.engine.replay_command import model_of
from interplay.errors import RecordError
from interplay.server.event_log import NAME
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
    """What was said and typed, oldest first. Raises RecordError when that is missing or damaged."""
    heard, said = Transcriber(tokenizer), Transcriber(tokenizer)
    lines, typed = SaidLines(bounded=False), _typed(folder)
    for index, turn in enumerate(_read(folder / "turns.jsonl", ("heard", "say", "num_played"))):
        end_ms = index * TURN_MS
        while typed and typed[0].time_s * 1000 <= end_ms:
            lines.write(typed.popleft())
        if turn["num_played"] is not None:  # of what was emitted one micro-turn ago
            played_ms = end_ms - TURN_MS + turn["num_played"] * 1000 // SAMPLE_RATE_HZ
            lines.unsay(played_ms, end_ms)
        lines.add("user", heard.heard(index, tuple(turn["heard"])), index)
        lines.add("assistant", said.said(index, tuple(turn["say"])), index)
    for line in typed:
        lines.write(line)
    return lines.lines()


def _typed(folder: Path) -> deque[Line]:
    """What the user has written, with the times; records of served sessions only have that."""
    path = folder / NAME
    if not path.exists():
        return deque()
    return deque(
        Line(role="user", text=event["text"], time_s=event["ms"] / 1000)
        for event in _read(path, ("ms", "event"))
        if (event["event"], event.get("kind")) == ("text", "typed")
    )


def _read(path: Path, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Lines with at least these fields; the last may be half a line after a crash."""
    try:
        texts = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} cannot be read ({error}); copy the record again") from None
    for text in texts[:-1]:
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            line = None
        if not isinstance(line, dict) or any(name not in line for name in names):
            raise RecordError(f"{path} is damaged; copy the record again")
        yield line
