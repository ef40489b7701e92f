"""Items of the suite tau: short sessions in five families, from the held-out questions and voices.

Tics and asides come while the system speaks, and in silence after it has spoken. `Item.about` says
for each cue what it is: {"roles": ["turn", "vocal_tic"]}. Knows nothing of ticks or scores.
"""

from collections.abc import Callable, Sequence

import numpy as np

from interplay.bench.scoring.tick_panel import BACKCHANNEL, NON_DIRECTED, VOCAL_TIC
from interplay.data.heldout import duration_s
from interplay.data.item import Cue, Item, KeepTalking, Noise, Say, Silence, Speak, StopBy, When
from interplay.data.texts import questions, vocabulary
from interplay.data.texts.questions import Question
from interplay.data.voices import random_voice

SEED_BASE = 7_300_000
TURN, ASIDE_S = "turn", 2.4  # silence that is expected around an aside
TICS = ("um", "uh", "er", "hm")
ASIDES = (
    "not now",
    "wait a minute",
    "go and watch the television",
    "close the door please",
    "dinner is in the kitchen",
    "i am on the telephone",
)
_FACTS = [q for q in questions.facts("test") if q.kind != "greeting"]
# long enough to go on for more than the window after a sound in its first second
_LONG = [q for q in questions.recitals() if len(q.answer.split()) >= 10]


def twin(num_items: int, seed: int) -> list[Item]:
    """`num_items` sessions of each of the families."""
    items = []
    for place, (family, make) in enumerate(FAMILIES.items()):
        for number in range(num_items):
            rng = np.random.default_rng([SEED_BASE, seed, place, number])
            items.append(make(rng, family, SEED_BASE + 100_000 * place + number))
    return items


def _turns(rng: np.random.Generator, family: str, number: int) -> Item:
    """Three questions in a row, whether they are answered or not."""
    asked = [_pick(rng, _FACTS) for _ in range(3)]
    cues, at, length_s = [], When(seconds=0.6), 1.0
    for index, question in enumerate(asked):
        cues.append(_speak(rng, question.text, at))
        room_s = 2.2 + duration_s(question.answer)
        at = When(seconds=room_s, after="cue_end", cue=index)
        length_s += duration_s(question.text) + room_s
    says = [Say(text=(q.answer,), after=index) for index, q in enumerate(asked)]
    return _item(rng, family, number, length_s + 0.6, cues, says, (TURN,) * 3)


def _interruption(rng: np.random.Generator, family: str, number: int) -> Item:
    """A question put while the system recites."""
    long, asked = _pick(rng, _LONG), _pick(rng, _FACTS)
    at = When(seconds=float(rng.uniform(0.4, 0.8)), after="voice", cue=0)
    cues = [_speak(rng, long.text, When(seconds=0.6)), _speak(rng, asked.text, at)]
    expect = [StopBy(after=1), Say(text=(asked.answer,), after=1)]
    length_s = 1.2 + duration_s(long.text) + 3.2 + duration_s(asked.text + " " + asked.answer) + 2
    return _item(rng, family, number, length_s, cues, expect, (TURN, TURN))


def _beside(text: Callable[[np.random.Generator], str], role: str):
    """A sound that is no turn, early in a recital that it must not stop."""

    def make(rng: np.random.Generator, family: str, number: int) -> Item:
        long = _pick(rng, _LONG)
        at = When(seconds=float(rng.uniform(0.4, 0.8)), after="voice", cue=0)
        cues = [_speak(rng, long.text, When(seconds=0.6)), _speak(rng, text(rng), at)]
        length_s = 1.2 + duration_s(long.text) + 1.5 + duration_s(long.answer) + 1.5
        expect = [KeepTalking(through=1, text=(long.answer,))]
        return _item(rng, family, number, length_s, cues, expect, (TURN, role))

    return make


def _in_silence(text: Callable[[np.random.Generator], str], role: str):
    """The same sound after a short answer, when nobody speaks."""

    def make(rng: np.random.Generator, family: str, number: int) -> Item:
        asked = _pick(rng, _FACTS)
        wait_s = 1.4 * duration_s(asked.answer) + float(rng.uniform(1.2, 1.8))
        at = When(seconds=wait_s, after="voice", cue=0)
        cues = [_speak(rng, asked.text, When(seconds=0.6)), _speak(rng, text(rng), at)]
        quiet = Silence(
            start=When(seconds=0.0, after="cue_start", cue=1),
            end=When(seconds=ASIDE_S, after="cue_end", cue=1),
        )
        length_s = 1.2 + duration_s(asked.text) + 1.5 + wait_s + 1.5 + ASIDE_S
        expect = [Say(text=(asked.answer,), after=0), quiet]
        return _item(rng, family, number, length_s, cues, expect, (TURN, role))

    return make


def _nod(rng: np.random.Generator) -> str:
    return str(rng.choice(list(vocabulary.BACKCHANNELS)))


def _tic(rng: np.random.Generator) -> str:
    return str(rng.choice(list(TICS)))


def _aside(rng: np.random.Generator) -> str:
    return str(rng.choice(list(ASIDES)))


FAMILIES = {
    "turns": _turns,
    "interruption": _interruption,
    "backchannel": _beside(_nod, BACKCHANNEL),
    "vocal_tic": _beside(_tic, VOCAL_TIC),
    "vocal_tic_silence": _in_silence(_tic, VOCAL_TIC),
    "non_directed": _beside(_aside, NON_DIRECTED),
    "non_directed_silence": _in_silence(_aside, NON_DIRECTED),
}


def _pick(rng: np.random.Generator, values: list[Question]) -> Question:
    return values[int(rng.integers(len(values)))]


def _speak(rng: np.random.Generator, text: str, at: When) -> Speak:
    return Speak(text=text, voice=random_voice(rng, "test"), at=at, gain_db=0.0)


def _item(
    rng: np.random.Generator,
    family: str,
    number: int,
    length_s: float,
    cues: Sequence[Cue],
    expect: Sequence,
    roles: tuple[str, ...],
) -> Item:
    voice = next(cue.voice for cue in cues if isinstance(cue, Speak))
    cues = [  # one user, one voice
        Speak(text=c.text, voice=voice, at=c.at) if isinstance(c, Speak) else c for c in cues
    ]
    return Item(
        kind="tau",
        subset=family,
        seed=number,
        length_s=float(np.ceil(length_s * 5) / 5),
        cues=(*cues, Noise(level_db=float(rng.uniform(-65, -50)))),
        expect=tuple(expect),
        first_turn=int(rng.integers(300)),
        about={"roles": list(roles)},
    )
