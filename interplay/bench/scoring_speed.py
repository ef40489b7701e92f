"""How long scores take: `python -m interplay.bench.scoring_speed`, processor seconds per suite.

Twins are played to a trivial system first, which is not counted: what is counted comes after the
playing, the outcomes of every trace and the intervals of every row. Knows nothing of what a score
is.
"""

import argparse
from collections.abc import Iterator, Sequence
from functools import lru_cache
from time import process_time

from interplay.bench.playing.logical_clock import play
from interplay.bench.playing.stage import Synthesizer
from interplay.bench.results.outcomes import row_score
from interplay.bench.running.workers import NUM_SPEECHES
from interplay.bench.suites import NAMES, load_suite
from interplay.bench.systems.oracle import Oracle
from interplay.bench.traces.item_json import item_id
from interplay.bench.traces.trace import Trace
from interplay.data.speech import synthesize
from interplay.data.voices import OWN_VOICE

SYSTEM = "half_duplex"  # says words, late and early, in every suite
LONGEST_S = 120.0  # ten minutes of one item would be most of what is played


def traces_of(name: str, num_items: int, say: Synthesizer, own_voice: str) -> list[Trace]:
    """Those of a suite's twin."""
    items = [i for i in load_suite(name).twin(num_items, 0) if i.length_s <= LONGEST_S]
    return list(play(items, Oracle(SYSTEM, say, own_voice), say))


def seconds_of(name: str, traces: Sequence[Trace]) -> tuple[float, float]:
    """Processor seconds of (all outcomes, all intervals)."""
    suite, begin_s = load_suite(name), process_time()
    scored = [(item_id(trace.item), suite.score([trace])) for trace in traces]
    middle_s = process_time()
    for row in suite.rows:
        row_score(row, [(item, o) for item, found in scored for o in found[row.name]], 0)
    return middle_s - begin_s, process_time() - middle_s


def lines(num_items: int, say: Synthesizer, own_voice: str = OWN_VOICE) -> Iterator[str]:
    """What is printed, as it becomes known."""
    yield f"{'suite':14} {'traces':>6} {'outcomes':>10} {'intervals':>10}"
    count, total_s = 0, 0.0
    for name in NAMES:
        traces = traces_of(name, num_items, say, own_voice)
        outcomes_s, intervals_s = seconds_of(name, traces)
        count, total_s = count + len(traces), total_s + outcomes_s + intervals_s
        yield f"{name:14} {len(traces):6} {outcomes_s:8.2f} s {intervals_s:8.2f} s"
    yield f"1,000 such traces: {1000 * total_s / count:.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description="Processor seconds that scores take.")
    parser.add_argument("--n", type=int, default=20, help="items per part of a suite (default: 20)")
    for line in lines(parser.parse_args().n, lru_cache(NUM_SPEECHES)(synthesize)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
