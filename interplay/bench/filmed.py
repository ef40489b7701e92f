"""Items with a camera whose requests and voices are those of the training, for choices that must
not see what is held out (bench.tune), and how many of them go wrong.

Scores are those of the suites repcount and charades. Knows nothing of what is chosen.
"""

from collections.abc import Callable, Mapping

import numpy as np

from interplay.bench.scoring.score import Outcome
from interplay.bench.scoring.watching import watch, words_during
from interplay.bench.suites.charades import marks, strict
from interplay.bench.suites.repcount import off_by_one, prediction
from interplay.bench.traces.trace import Trace
from interplay.data.heldout import SEED_BASES
from interplay.data.item import Item
from interplay.data.scenes.action import draw_action
from interplay.data.scenes.reps import draw_reps
from interplay.data.texts.vocabulary import NUMBERS
from interplay.data.texts.watchwords import ASKS, START, STOP, training_asks

SPLIT = "train"


def counted(index: int, seed: int = 0) -> Item:
    """Repetitions to be counted aloud."""
    rng = np.random.default_rng([SEED_BASES[SPLIT], seed, index, 8])
    film = draw_reps(rng, index)
    ends_s = [end for _, end in film.cycles]
    due = [(NUMBERS[k], end_s) for k, end_s in enumerate(ends_s, 1)]
    about = {"count": len(ends_s), "ends_s": ends_s}
    asked = _request(rng, "reps", film.kind)
    return watch(
        "counted", index, asked, film, film.length_s, due=due, about=about, seed=seed, split=SPLIT
    )


def bounded(index: int, seed: int = 0) -> Item:
    """An action whose beginning and end are to be told."""
    rng = np.random.default_rng([SEED_BASES[SPLIT], seed, index, 10])
    film = draw_action(rng, index)
    due = [(START, film.start_s), (STOP, film.end_s)]
    about = {"start_s": film.start_s, "end_s": film.end_s}
    asked = _request(rng, "action", film.kind)
    return watch(
        "bounded", index, asked, film, film.length_s, due=due, about=about, seed=seed, split=SPLIT
    )


FILMED: Mapping[str, Callable[[int, int], Item]] = {"counted": counted, "bounded": bounded}


def missed_count(trace: Trace) -> list[Outcome]:
    """1 where the last number is wrong by more than one."""
    return [Outcome(value=1 - off_by_one(prediction(trace), trace.item.about["count"]) / 100)]


def missed_span(trace: Trace) -> list[Outcome]:
    """What lacks to the whole of the action, as the share of the stretch that was told and it."""
    about = trace.item.about
    return [
        Outcome(value=1 - strict(marks(words_during(trace)), (about["start_s"], about["end_s"])))
    ]


def _request(rng: np.random.Generator, tag: str, kind: str) -> str:
    """A request of the training that asks for just this."""
    fitting = [text for text in training_asks(tag) if ASKS[text].about == kind]
    return fitting[int(rng.integers(len(fitting)))]
