"""Exchanges with a camera: told beforehand what to look for, the model says it when it happens.

Each function takes a `Talk` and writes one exchange, as in `data.families`; the film runs already
while the user speaks or begins afterwards. What happens is said in the micro-turn in which it is
first to be seen; what was asked for stands as a note on `act`. Knows nothing of how scenes are
drawn.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from interplay.clock import NUM_SLOTS, SAMPLES_PER_TURN
from interplay.data.families.clockwork import decided_turn
from interplay.data.families.listening import listen, question
from interplay.data.families.missteps import counted, miscounted
from interplay.data.scenes.action import draw_action
from interplay.data.scenes.conduct import Conduct, draw_conduct
from interplay.data.scenes.events import Events, draw_events
from interplay.data.scenes.objects import draw_objects
from interplay.data.scenes.reps import COUNTS, KINDS, Reps, draw_reps
from interplay.data.scenes.sights import Film, sights
from interplay.data.scenes.visit import Visit, draw_visit
from interplay.data.talk import SECOND, Talk, seconds
from interplay.data.texts import vocabulary as words
from interplay.data.texts.watchwords import ASKS, START, STOP, WARNINGS, Ask, tell
from interplay.data.timeline import Standing, turn_with
from interplay.turns import tokens

RUNNING = 0.4  # of the films run while the user asks
STUMBLING = 0.75  # of the counts had numbers at wrong moments before
OTHER = 0.05  # of the repetitions are not those that were asked for: nobody counts them
ASIDE = 0.2  # of the films the user talks meanwhile
UNEVEN = 0.5  # of the counts have repetitions of unlike lengths
HIGHEST = 20  # that is counted to
MISSED_TURNS = 3  # in which what was due and not said would still be right
SETTLE_S = 1.6  # from the end of what is asked to what may happen first
TRIES = 5  # films drawn until one is short enough


@dataclass(frozen=True)
class Due:
    """text: what is said at `time_s` of the film; "" for nothing, though it was due. is_right: to
    be learnt; else a mistake that stands in the past."""

    time_s: float
    text: str
    is_right: bool = True


Drawn = tuple[Film, Sequence[Due]]


def count_reps(talk: Talk) -> bool:
    """ "count my squats": a number at the end of each."""

    def draw(ask: Ask, lead_s: float) -> Drawn:
        kind = ask.about or None
        is_other = kind is not None and talk.rng.random() < OTHER
        if is_other:
            kind = str(talk.rng.choice([k for k in KINDS if k not in _alike(ask.about)]))
        room_s = (talk.timeline.num_samples - talk.cursor) / SECOND - lead_s - SETTLE_S
        most = int(np.clip(room_s / 1.2, COUNTS[0], COUNTS[1]))
        uneven = talk.rng.random() < UNEVEN
        film: Reps = draw_reps(
            talk.rng, _seed(talk), kind=kind, most=most, lead_s=lead_s, uneven=uneven
        )
        if is_other:
            return film, []
        ends_s = [end for _, end in film.cycles]
        stumbles = talk.rng.random() < STUMBLING
        numbers = miscounted(ends_s, talk.rng, HIGHEST) if stumbles else counted(ends_s)
        return film, [
            Due(c.time_s, "" if c.number is None else words.NUMBERS[c.number], c.is_right)
            for c in numbers
        ]

    return _watch(talk, "reps", draw)


def _alike(kind: str) -> tuple[str, ...]:
    """Movements that nobody should have to tell from one another at a glance."""
    groups = (("arms", "jack", "press"), ("squat", "lunge"))
    return next((group for group in groups if kind in group), (kind,))


def entering(talk: Talk) -> bool:
    """ "say friend when someone comes in": not for a cat, a ball or who was there already."""

    def draw(ask: Ask, lead_s: float) -> Drawn:
        film = _visit(talk, lead_s)
        return film, [Due(time_s, ask.word) for time_s in film.entries()]

    return _watch(talk, "enter", draw)


def leaving(talk: Talk) -> bool:
    """ "say bye when someone leaves": not when they come."""

    def draw(ask: Ask, lead_s: float) -> Drawn:
        film = _visit(talk, lead_s)
        return film, [Due(time_s, ask.word) for time_s in film.exits()]

    return _watch(talk, "leave", draw)


def _visit(talk: Talk, lead_s: float) -> Visit:
    num = int(talk.rng.integers(1, 4))
    kinds = tuple(
        str(k) for k in talk.rng.choice(["person", "cat", "ball"], num, p=[0.7, 0.2, 0.1])
    )
    staying = int(talk.rng.random() < 0.3)
    return draw_visit(talk.rng, _seed(talk), kinds=kinds, lead_s=lead_s, staying=staying)


def warn(talk: Talk) -> bool:
    """A warning whenever the rule is broken that was to be watched."""

    def draw(ask: Ask, lead_s: float) -> Drawn:
        num = int(talk.rng.choice([0, 1, 2], p=[0.2, 0.5, 0.3]))
        film: Conduct = draw_conduct(talk.rng, _seed(talk), ask.about, num, lead_s=lead_s)
        return film, [Due(start, WARNINGS[ask.about]) for start, _ in film.breaks]

    return _watch(talk, "warn", draw)


def changes(talk: Talk) -> bool:
    """A counter, door, lamp, gauge, light or shape: what it changes to; of shapes those of one
    colour."""

    def draw(ask: Ask, lead_s: float) -> Drawn:
        num = int(talk.rng.integers(1, 4))
        film: Events = draw_events(ask.about, talk.rng, _seed(talk), num, lead_s=lead_s)
        wanted = [change for change in film.changes if change.colour == ask.word]
        return film, [Due(change.time_s, tell(film.kind, change.what)) for change in wanted]

    return _watch(talk, "change", draw)


def start_stop(talk: Talk) -> bool:
    """ "start" when somebody begins with something, "stop" when they have stopped."""

    def draw(ask: Ask, lead_s: float) -> Drawn:
        film = draw_action(talk.rng, _seed(talk), kind=ask.about, lead_s=lead_s)
        return film, [Due(film.start_s, START), Due(film.end_s, STOP)]

    return _watch(talk, "action", draw)


def count_objects(talk: Talk) -> bool:
    """ "how many cups do you see", with a table before the camera."""
    clip = talk.source.user("objects", talk.rng)
    ask = ASKS[clip.text]
    length_s = seconds(clip) + talk.uniform(2.2, 4.0)
    film = draw_objects(talk.rng, _seed(talk), ask.about, length_s)
    if not talk.fits(film.length_s + 0.6):
        return False
    stop = _show(talk, film, turn_with(talk.cursor))
    talk.rest(0.3, 0.9)
    _, end = talk.user(clip)
    talk.answer(words.NUMBERS[film.count(ask.about)], end)
    talk.cursor = max(talk.cursor, stop * SAMPLES_PER_TURN)
    return True


def looking_on(talk: Talk) -> bool:
    """The camera is on and things happen that nobody asked about: not a word about them."""
    film = _visit(talk, 0.0) if talk.rng.random() < 0.4 else _anything(talk)
    if not talk.fits(film.length_s + 0.4):
        return False
    stop = _show(talk, film, turn_with(talk.cursor))
    talk.rest(0.3, 1.5)
    (listen if talk.rng.random() < 0.6 else question)(talk)
    talk.cursor = max(talk.cursor, stop * SAMPLES_PER_TURN)
    return True


def _anything(talk: Talk) -> Film:
    kind = str(talk.rng.choice(["slump", "helmet", "lamp", "door", "action", "reps"]))
    seed = _seed(talk)
    if kind == "action":
        return draw_action(talk.rng, seed)
    if kind == "reps":
        return draw_reps(talk.rng, seed, most=5)
    if kind in ("slump", "helmet"):
        return draw_conduct(talk.rng, seed, kind, 1)
    return draw_events(kind, talk.rng, seed, 2)


def _show(talk: Talk, film: Film, turn: int) -> int:
    """The film runs from micro-turn `turn` on; returns the one after its last frame."""
    return talk.timeline.show(film(), turn, sights(film))


def _seed(talk: Talk) -> int:
    return int(talk.rng.integers(2**31))


def _watch(talk: Talk, tag: str, draw: Callable[[Ask, float], Drawn]) -> bool:
    """The user asks, the model says okay, and what is due when it is seen.

    draw: for what is asked and the seconds in which nothing may happen yet, the film and what to
    say when.
    """
    clip = talk.source.user(tag, talk.rng)
    asking_s = seconds(clip) + SETTLE_S
    is_running = talk.rng.random() < RUNNING
    gap_s = 0.0 if is_running else talk.uniform(0.0, 1.2)
    before_s = 0.0 if is_running else asking_s + gap_s
    for _ in range(TRIES):
        film, due = draw(ASKS[clip.text], asking_s if is_running else 0.0)
        if talk.fits(before_s + film.length_s + 0.8):
            break
    else:
        return False
    first = turn_with(talk.cursor)
    _, end = talk.user(clip)
    decided = decided_turn(end)
    ids = [tokens.TEXT, *talk.timeline.tokenizer.encode(clip.text)]
    talk.timeline.write("act", [tokens.NOTE, *ids, tokens.END], NUM_SLOTS * decided + 1)
    talk.answer(words.ACKNOWLEDGE, end)
    if not is_running:
        first = turn_with(talk.cursor) + 1 + int(5 * gap_s)
    stop = _show(talk, film, first)
    if talk.rng.random() < ASIDE:
        _aside(talk, (first, stop))
    for each in due:
        seen = first + math.ceil(5 * each.time_s - 1e-6)
        spoken = -(-talk.timeline.spoken_until // NUM_SLOTS)
        turn = max(seen, spoken)
        if not each.is_right:
            talk.timeline.say_known[turn : turn + (1 if each.text else MISSED_TURNS)] = False
        if each.text:
            talk.reply(each.text, NUM_SLOTS * turn + 1)
    talk.timeline.running.append(Standing(decided, stop, ids))
    talk.cursor = max(talk.cursor, stop * SAMPLES_PER_TURN)
    return True


def _aside(talk: Talk, turns: tuple[int, int]) -> None:
    """Talk of something else while the film runs: it is heard, and changes nothing."""
    clip = talk.source.user("listen", talk.rng)
    low, high = talk.cursor, turns[1] * SAMPLES_PER_TURN - len(clip.samples)
    if low < high:
        talk.user(clip, int(talk.rng.integers(low, high)))
