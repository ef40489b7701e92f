"""The conversation in the terminal, live: two lanes that scroll, or plain lines for a pipe.

Knows nothing of models or engines; draws what a `Conversation` holds.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from interplay.clock import TURN_MS
from interplay.talk.conversation import Conversation, Event, Word, loudness_db
from interplay.talk.lanes import MARKS, label

BLOCKS = " ▁▂▃▄▅▆▇█"
COLUMN_S = 0.1
BLOCK_DB = (-46.0, -14.0)  # from the lowest to the full block
NAME_WIDTH = 7
USER, MODEL, ACT, READ = "bright_blue", "dark_orange", "green", "yellow"
PAUSE_S = 1.0  # a line is printed when its speaker has been quiet for so long


@runtime_checkable
class View(Protocol):
    """Shows a conversation while it grows."""

    def __enter__(self) -> "View": ...

    def __exit__(self, *_error: object) -> None: ...

    def show(self, talk: Conversation) -> None: ...


def view_for(stdout) -> View:
    """The live timeline on a terminal, lines elsewhere."""
    console = Console(file=stdout)
    return LiveView(console) if console.is_terminal else LineView(stdout)


class LiveView:
    """Lanes that scroll to the left, redrawn once per micro-turn."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> "LiveView":
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def show(self, talk: Conversation) -> None:
        width = max(20, min(self._console.width, 140) - NAME_WIDTH - 3)
        self._live.update(timeline(talk, width), refresh=True)


class LineView:
    """One line per utterance or call, when it is complete."""

    def __init__(self, stdout) -> None:
        self._stdout = stdout
        self._num_words = {"user": 0, "model": 0}
        self._num_events = {"act": 0, "read": 0}
        self._talk: Conversation | None = None

    def __enter__(self) -> "LineView":
        return self

    def __exit__(self, *_error: object) -> None:
        if self._talk:
            self._flush(self._talk, float("inf"))

    def show(self, talk: Conversation) -> None:
        self._talk = talk
        self._flush(talk, talk.length_s)

    def _flush(self, talk: Conversation, now_s: float) -> None:
        for name, words in (("user", talk.heard.words), ("model", talk.said.words)):
            new = words[self._num_words[name] :]
            if new and now_s - new[-1].time_s > PAUSE_S:
                self._print(new[0].time_s, name, " ".join(word.text for word in new))
                self._num_words[name] = len(words)
        for name, events in (("act", talk.act.events), ("read", talk.read.events)):
            new_events = events[self._num_events[name] :]
            while new_events and (not new_events[0].is_open or now_s == float("inf")):
                event = new_events.pop(0)
                self._num_events[name] += 1
                if event.kind != "count":
                    self._print(event.time_s, name, label(event))

    def _print(self, time_s: float, who: str, text: str) -> None:
        self._stdout.write(f"{time_s:6.1f} s  {who:<5}  {text}\n")
        self._stdout.flush()


def timeline(talk: Conversation, width: int) -> Group:
    """The newest `width` columns of 100 ms as a renderable."""
    start_s = max(0.0, talk.length_s - width * COLUMN_S)
    tracks = talk.tracks(last_s=min(width * COLUMN_S + 0.4, talk.length_s + 0.2))
    rows = [
        _status(talk),
        _axis(start_s, width),
        *_word_rows("heard", talk.heard.words, start_s, width, USER),
        _energy("user", tracks[:, 0], width, USER),
        _energy("model", tracks[:, 1], width, MODEL),
        *_word_rows("said", talk.said.words, start_s, width, MODEL),
        _events("act", talk.act.events, start_s, width, ACT),
        _events("read", talk.read.events, start_s, width, READ),
    ]
    return Group(*rows)


def _status(talk: Conversation) -> Text:
    minutes, seconds = divmod(talk.length_s, 60)
    newest_ms = talk.ticks[-1].compute_ms if talk.ticks else 0.0
    text = Text(f" {int(minutes)}:{seconds:04.1f}  ", style="bold", no_wrap=True)
    if talk.num_deadlines:
        missed = f"{talk.num_missed} deadlines missed" if talk.num_missed else "no deadline missed"
        text.append(missed, style="bold red" if talk.num_missed else "green")
    bar = BLOCKS[min(8, 1 + int(8 * newest_ms / TURN_MS))]
    text.append(f"  compute {bar} {newest_ms:3.0f} ms", style="default")
    text.append(f" (p99 {talk.percentile_ms(99):.0f})  ", style="dim")
    return text.append(talk.title, style="bold cyan")


def _axis(start_s: float, width: int) -> Text:
    cells = [" "] * width
    for second in range(int(np.ceil(start_s)), int(start_s + width * COLUMN_S) + 1):
        column = round((second - start_s) / COLUMN_S)
        for offset, letter in enumerate(f"╵{second}" if second % 2 == 0 else "╵"):
            if column + offset < width:
                cells[column + offset] = letter
    return _row("", "".join(cells), "dim")


def _energy(name: str, track: np.ndarray, width: int, style: str) -> Text:
    level = loudness_db(np.ascontiguousarray(track), COLUMN_S)[:-2]  # the model's next sound
    low, high = BLOCK_DB
    index = np.clip(np.ceil((level - low) / (high - low) * 8), 0, 8).astype(int)
    return _row(name, "".join(BLOCKS[i] for i in index[-width:]), style)


def _word_rows(
    name: str, words: list[Word], start_s: float, width: int, style: str
) -> tuple[Text, Text]:
    """Words at their times, on two rows so that they need not move far."""
    rows = [[" "] * width, [" "] * width]
    ends = [0, 0]
    for word in words:
        column = round((word.time_s - start_s) / COLUMN_S)
        if column < 0:
            continue
        row = 0 if ends[0] <= column or ends[0] <= ends[1] else 1
        _write(rows[row], max(column, ends[row]), word.text)
        ends[row] = max(column, ends[row]) + len(word.text) + 1
    return _row(name, "".join(rows[0]), style), _row("", "".join(rows[1]), style)


def _events(name: str, events: list[Event], start_s: float, width: int, style: str) -> Text:
    cells = [" "] * width
    end = 0
    for event in events:
        column = round((event.time_s - start_s) / COLUMN_S)
        if event.kind == "count":
            text = str(event.seconds)
        else:
            text = MARKS.get(event.kind) or f"[{label(event)}]"
        if column + len(text) <= 0:
            continue
        at = max(column, end)
        _write(cells, at, text)
        end = at + len(text)
    return _row(name, "".join(cells), style)


def _write(cells: list[str], column: int, text: str) -> None:
    for offset, letter in enumerate(text):
        if 0 <= column + offset < len(cells):
            cells[column + offset] = letter


def _row(name: str, content: str, style: str) -> Text:
    text = Text(f"{name:>{NAME_WIDTH}} ", style="dim", no_wrap=True, overflow="crop")
    return text.append("│", style="dim").append(content, style=f"not dim {style}")
