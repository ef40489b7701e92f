"""Glimpses: short stretches of drawn films, with all that is known of every frame.

What eyes are trained on before they belong to a model. Knows nothing of models or of sound.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int8, UInt8

from interplay.data.scenes import action, conduct, events, objects, reps, visit
from interplay.data.scenes.film import Take
from interplay.data.scenes.sights import HAPPENS, Film, sights

NUM_FRAMES = 13  # of a stretch that is drawn at once; a glimpse is a part of it
EVENTFUL = 0.7  # of the stretches show what happens, where something does
SHARES = {
    "reps": 0.3,
    "visit": 0.25,
    "conduct": 0.13,
    "events": 0.17,
    "action": 0.08,
    "objects": 0.07,
}
VISITORS = {"person": 0.7, "cat": 0.2, "ball": 0.1}
STAYING = (0.5, 0.35, 0.15)  # nobody, one or two are there all the time


@dataclass(frozen=True)
class Glimpse:
    """frames: RGB, five per second. parts: what is to be seen where, numbers in canvas.PARTS.
    sights: answers to sights.QUESTIONS."""

    frames: UInt8[np.ndarray, "frames 120 160 3"]
    parts: UInt8[np.ndarray, "frames 24 32"]
    sights: Int8[np.ndarray, "frames questions"]

    def cut(self, first: int, num: int) -> "Glimpse":
        part = slice(first, first + num)
        return Glimpse(self.frames[part], self.parts[part], self.sights[part])


def draw_film(rng: np.random.Generator) -> Film:
    """Any film, of every kind of scene some: short ones, for little of each is looked at."""
    seed = int(rng.integers(2**31))
    shares = np.array(list(SHARES.values()))
    match str(rng.choice(list(SHARES), p=shares / shares.sum())):
        case "reps":
            return reps.draw_reps(rng, seed, most=6)
        case "visit":
            kinds = rng.choice(list(VISITORS), int(rng.integers(1, 4)), p=list(VISITORS.values()))
            staying = int(rng.choice(len(STAYING), p=STAYING))
            return visit.draw_visit(rng, seed, kinds=tuple(map(str, kinds)), staying=staying)
        case "conduct":
            kind, num = str(rng.choice(conduct.KINDS)), int(rng.integers(0, 3))
            return conduct.draw_conduct(rng, seed, kind, num)
        case "events":
            return events.draw_events(str(rng.choice(events.KINDS)), rng, seed, 2)
        case "action":
            return action.draw_action(rng, seed)
        case _:
            return objects.draw_objects(rng, seed, str(rng.choice(list(objects.KINDS))), 4.0)


def draw_stretch(rng: np.random.Generator) -> Glimpse:
    """NUM_FRAMES frames of a new film, the last one again and again where it is shorter."""
    film = draw_film(rng)
    seen = sights(film)
    last = max(0, len(seen) - NUM_FRAMES)
    first = int(rng.integers(last + 1))
    events_at = np.nonzero(seen[:, HAPPENS] > 0)[0]
    if len(events_at) and rng.random() < EVENTFUL:
        first = int(np.clip(rng.choice(events_at) - rng.integers(1, NUM_FRAMES), 0, last))
    frames, parts = (
        np.stack(list(film(Take(first=first, num=NUM_FRAMES, parts=parts))))
        for parts in (False, True)
    )
    rows = np.minimum(np.arange(NUM_FRAMES), len(frames) - 1)
    seen = seen[first:][rows].copy()
    seen[len(frames) :, HAPPENS] = 0
    return Glimpse(frames[rows], parts[rows], seen)


@dataclass(frozen=True)
class Glimpses:
    """Batches of glimpses by step: a pure function of the seed and the step. The stretches that
    they are cut from are drawn ahead; with every step some come and as many go, so that each is
    looked at several times, in other places.

    num: glimpses of a batch, each of another film. num_frames: of a glimpse. num_kept: stretches at
    hand, 0.8 MB each. num_new: that come with a step.
    """

    seed: int = 0
    num: int = 24
    num_frames: int = 4
    num_kept: int = 1600
    num_new: int = 3
    num_first: int = 160

    @cached_property
    def _stretches(self) -> dict[int, Glimpse]:
        return {}

    def __call__(self, step: int, progress: float) -> list[Glimpse]:
        stop = self.num_first + self.num_new * (step + 1)
        start = max(0, stop - self.num_kept)
        for gone in [number for number in self._stretches if not start <= number < stop]:
            del self._stretches[gone]
        rng = np.random.default_rng((self.seed, step, 1))
        return [
            self._stretch(start + int(k)).cut(
                int(rng.integers(NUM_FRAMES - self.num_frames + 1)), self.num_frames
            )
            for k in rng.choice(stop - start, self.num, replace=False)
        ]

    def _stretch(self, number: int) -> Glimpse:
        if number not in self._stretches:
            rng = np.random.default_rng((self.seed, number, 2))
            self._stretches[number] = draw_stretch(rng)
        return self._stretches[number]
