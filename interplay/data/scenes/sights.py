"""What a film shows at every moment, as answers to a few questions: what eyes are taught by.

A word that is due when something happens says little and seldom what was to be seen; a drawn film
knows it all, five times a second. Knows nothing of what is said about a film.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int8

from interplay.data.example import UNKNOWN
from interplay.data.scenes import action, conduct, events, objects, reps, visit
from interplay.data.scenes.film import WHOLE, Take, moments

NOTHING = ""
_EXERCISES = tuple(dict.fromkeys((*reps.KINDS, *action.KINDS)))
_CONDUCT = tuple(f"{kind} {how}" for kind in conduct.KINDS for how in ("right", "wrong"))
_STATES = tuple(
    f"{kind} {what}".strip()
    for kind in events.KINDS
    for what in (*([NOTHING] if kind in ("shape", "lamp") else []), *events.choices(kind))
)
QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "people": tuple(map(str, range(visit.MOST_PEOPLE + 1))),
    "doing": (NOTHING, *_EXERCISES),
    "phase": ("rest", *map(str, range(reps.NUM_PHASES))),  # of one repetition
    "conduct": _CONDUCT,
    "state": _STATES,
    "colour": events.SHADES,
    **{kind: tuple(map(str, range(objects.MOST + 1))) for kind in objects.KINDS},
    "happens": (
        NOTHING,
        "repeats",
        "enters",
        "leaves",
        "breaks",
        "mends",
        "changes",
        "starts",
        "stops",
    ),
}
NUM_QUESTIONS = len(QUESTIONS)
HAPPENS = tuple(QUESTIONS).index("happens")
_PLACES = {name: k for k, name in enumerate(QUESTIONS)}


@runtime_checkable
class Film(Protocol):
    """What the modules beside this one draw."""

    @property
    def length_s(self) -> float: ...

    def __call__(self, take: Take = WHOLE) -> Iterator[np.ndarray]:
        """The frames, five per second."""
        ...

    def sight(self, time_s: float) -> Mapping[str, str]:
        """Answers to those of QUESTIONS that can be answered at that moment, but "happens"."""
        ...

    def happenings(self) -> Sequence[tuple[float, str]]:
        """(seconds of film, answer to "happens") of all that happens, in any order."""
        ...


def sights(film: Film) -> Int8[np.ndarray, "frames questions"]:
    """The number of the answer to each question with each frame, UNKNOWN where there is none. What
    happens is told with the first frame that shows it."""
    times = [time_s for _, time_s in moments(film.length_s)]
    out = np.full((len(times), NUM_QUESTIONS), UNKNOWN, np.int8)
    for row, time_s in zip(out, times, strict=True):
        for question, answer in film.sight(time_s).items():
            row[_PLACES[question]] = QUESTIONS[question].index(answer)
    out[:, HAPPENS] = 0
    for time_s, what in film.happenings():
        first = int(np.searchsorted(np.array(times), time_s - 1e-6))
        if first < len(times):
            out[first, HAPPENS] = QUESTIONS["happens"].index(what)
    return out
