"""The rows of both suites: stable names, what they mean, and what they should reach.

Knows nothing of how a row is measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from interplay.bench.scoring.score import Statistic
from interplay.errors import ConfigError

BASELINES = ("silent", "always", "half_duplex", "perfect")
JUDGED = "_judged"  # ends the names of rows that a judge decides; rules decide all others
Unit = Literal["fraction", "points", "s", "ms", "ticks", "count", "number", "wpm"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """kind: of the items played for it (data.heldout), or the name of a probe of the machine.

    reach: the value that passes, None where the value is only reported. unit: `points` are hundreds
    (75 of 100), `number` has none. lower_is_better: None where neither is. weights: of the groups
    of the statistic `macro`, if not equal.
    """

    name: str
    kind: str
    what: str
    reach: float | None
    lower_is_better: bool | None = False
    unit: Unit = "fraction"
    statistic: Statistic = "ratio"
    weights: Mapping[str, float] | None = None

    @property
    def is_judged(self) -> bool:
        return self.name.endswith(JUDGED)

    def passes(self, value: float | None) -> bool | None:
        """Whether a value reaches the goal; None if there is no goal."""
        if self.reach is None:
            return None
        if value is None:
            return False
        return value <= self.reach if self.lower_is_better else value >= self.reach


SESSION, BITS = "session", "bits"  # probes of the machine: no items, no baselines
TICK = "tick_p99_ms"
SEEING_TICK_MS = 100.0  # what it should reach where a model sees, too

CORE = (
    Row(
        name="heard_wer",
        kind="hear",
        what="word error of `heard`, known engines",
        reach=0.06,
        lower_is_better=True,
    ),
    Row(
        name="heard_wer_unseen_engine",
        kind="hear_unseen",
        what="word error of `heard`, an engine never trained on",
        reach=0.20,
        lower_is_better=True,
    ),
    Row(
        name="heard_acc_human",
        kind="human",
        what="word accuracy, recordings of people never trained on",
        reach=0.80,
    ),
    Row(name="answer_acc", kind="answer", what="question answered correctly", reach=0.90),
    Row(
        name="answer_latency_p50_s",
        kind="answer",
        what="median time from the end of speech to the first sound",
        reach=0.6,
        lower_is_better=True,
        unit="s",
        statistic="median",
    ),
    Row(
        name="repeat_acc",
        kind="repeat",
        what="a statement given back when asked for",
        reach=None,
    ),
    Row(
        name="elapsed_acc",
        kind="stopwatch",
        what="elapsed seconds told, give or take one",
        reach=None,
    ),
    Row(
        name="pause_takeover",
        kind="pause",
        what="took over inside a pause of the user",
        reach=0.08,
        lower_is_better=True,
    ),
    Row(
        name="interrupt_stop",
        kind="interrupt",
        what="stops within 0.6 s when interrupted",
        reach=0.92,
    ),
    Row(
        name="backchannel_continue",
        kind="backchannel",
        what="goes on through a backchannel",
        reach=0.85,
    ),
    Row(
        name="timer_hit",
        kind="timer",
        what="timed utterances, right words within 0.6 s",
        reach=0.85,
    ),
    Row(
        name="read_aloud_acc",
        kind="read_aloud",
        what="known words read aloud, by pocketsphinx",
        reach=0.80,
    ),
    Row(
        name="read_aloud_acc_unseen",
        kind="read_unseen",
        what="words never seen in training read aloud, by pocketsphinx",
        reach=None,
    ),
    Row(
        name="delegate_acc",
        kind="delegate",
        what="handed over with the right words, result spoken within 1 s",
        reach=0.85,
    ),
    Row(
        name="voice_acc_pocketsphinx",
        kind="read_aloud",
        what="its voice as pocketsphinx takes it, against its own words",
        reach=0.80,
    ),
    Row(
        name="voice_acc_self",
        kind="read_aloud",
        what="its voice as it hears itself, against its own words",
        reach=0.92,
    ),
    Row(
        name=TICK,
        kind=SESSION,
        what="compute of one micro-turn, one thread, 99th percentile; a model with eyes hears and "
        "sees a moving picture in each (goal 100 ms), what it costs to hear alone stands beside it",
        reach=60,
        lower_is_better=True,
        unit="ms",
        statistic="p99",
    ),
    Row(
        name="session_misses",
        kind=SESSION,
        what="deadlines missed in a session of 30 minutes",
        reach=0,
        lower_is_better=True,
        unit="count",
        statistic="sum",
    ),
    Row(
        name="session_memory_growth",
        kind=SESSION,
        what="growth of memory after minute 2 of that session",
        reach=0.01,
        lower_is_better=True,
        statistic="sum",
    ),
    Row(
        name="bits_differing",
        kind=BITS,
        what="bits that differ between chunked and whole, bf16 and fp32",
        reach=0,
        lower_is_better=True,
        unit="count",
        statistic="sum",
    ),
)
# Of the server: `first` and `stop` play items, the others are probes of a server program.
FIRST, STOP, LOAD, SEARCH, LONG, RESUME = "first", "stop", "load", "search", "long", "resume"

SERVE = (
    Row(
        name="first_sound_p50_s",
        kind=FIRST,
        what="end of the user's last word → first sound of the model that the client plays; median",
        reach=0.6,
        lower_is_better=True,
        unit="s",
        statistic="median",
    ),
    Row(
        name="first_sound_p95_s",
        kind=FIRST,
        what="the same, 95th percentile",
        reach=0.9,
        lower_is_better=True,
        unit="s",
        statistic="p95",
    ),
    Row(
        name="stop_sound_p50_s",
        kind=STOP,
        what="first sound of a user who cuts in while the model sounds → last audible sound of "
        "that stretch (gaps up to 0.3 s belong to it) that the client plays; the client plays as "
        "it receives, and throws away what it has left when the model yields; a model that does "
        "not stop counts with all it played; median",
        reach=0.5,
        lower_is_better=True,
        unit="s",
        statistic="median",
    ),
    Row(
        name="stop_sound_p95_s",
        kind=STOP,
        what="the same, 95th percentile",
        reach=0.7,
        lower_is_better=True,
        unit="s",
        statistic="p95",
    ),
    Row(
        name="sessions_no_miss",
        kind=SEARCH,
        what="real-time sessions at once that had no missed deadline in 10 minutes",
        reach=16,
        unit="count",
        statistic="sum",
    ),
    Row(
        name="overhead_ms",
        kind=LOAD,
        what="CPU time of the server program outside the model, per session and micro-turn",
        reach=0.5,
        lower_is_better=True,
        unit="ms",
        statistic="ratio",
    ),
    Row(
        name="long_memory_growth",
        kind=LONG,
        what="session of 2 hours, Live protocol, pretended clock: growth of the server's resident "
        "memory after minute 5, at its highest",
        reach=0.01,
        lower_is_better=True,
        statistic="sum",
    ),
    Row(
        name="long_drift_ticks",
        kind=LONG,
        what="the same session: furthest that sound got away from the server's clock: sound sent "
        "back, its place within, and the user's sound filled in or dropped",
        reach=1.0,
        lower_is_better=True,
        unit="ticks",
        statistic="sum",
    ),
    Row(
        name="resume_lost",
        kind=RESUME,
        what="connections killed and taken up again, in a row: those after which the session was "
        "gone, a micro-turn was missing, or a word was doubled or missing",
        reach=0,
        lower_is_better=True,
        unit="count",
        statistic="sum",
    ),
)
SUITES = {"core": CORE, "serve": SERVE}
ROWS = {row.name: row for suite in SUITES.values() for row in suite}


def choose_rows(names: Sequence[str] | None, suite: str = "core") -> list[Row]:
    """The named rows in the order of the suite's table, or all. Raises ConfigError on an unknown
    name."""
    rows = SUITES[suite]
    if names is None:
        return list(rows)
    known = [row.name for row in rows]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ConfigError(
            f"no row {', '.join(unknown) or 'named'} in the suite {suite}; rows: {', '.join(known)}"
        )
    return [row for row in rows if row.name in names]
