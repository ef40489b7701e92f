"""Conversations of our own making, one for each axis of Audio MultiChallenge, with word rubrics.

memory: a fact told early is asked for later. retention: an order given early holds for the last
reply. coherence: what the assistant was said to have said is asked for. editing: a turn corrects
itself. Knows nothing of scores.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from interplay.bench.suites.ifeval import TYPED_S
from interplay.data.heldout import SEED_BASE, duration_s
from interplay.data.item import Cue, Item, Noise, Say, Speak, Type, When
from interplay.data.texts import vocabulary as words
from interplay.data.voices import random_voice

GAP_S = 1.0
Plot = tuple[
    list[str], str, list[dict[str, Any]]
]  # turns (user, assistant, user ...), reply, rubrics


def _two(rng: np.random.Generator, pool: list[str]) -> list[str]:
    return [str(word) for word in rng.choice(pool, 2, replace=False)]


def _memory(rng: np.random.Generator) -> Plot:
    (noun, other), (colour, wrong) = _two(rng, words.NOUNS[:60]), _two(rng, words.COLOURS)
    turns = [f"my {noun} is {colour} and my {other} is {wrong}", "okay", f"what is my {noun}"]
    return turns, f"your {noun} is {colour}", [_rule(colour, never=wrong)]


def _retention(rng: np.random.Generator) -> Plot:
    colour, _ = _two(rng, words.COLOURS)
    a, b = (int(k) for k in rng.integers(1, 6, 2))
    asked = f"what is {words.NUMBERS[a]} plus {words.NUMBERS[b]}"
    turns = [f"always say {colour} before you answer", "okay", asked]
    total = words.NUMBERS[a + b]
    return turns, f"{colour} {total}", [_rule(colour), _rule(total)]


def _coherence(rng: np.random.Generator) -> Plot:
    (city, wrong), (noun, _) = _two(rng, words.CITIES), _two(rng, words.NOUNS[:60])
    turns = [f"where is the {noun}", f"the {noun} is in {city}", f"so the {noun} is in {wrong}"]
    return turns, f"no the {noun} is in {city}", [_rule("no"), _rule(city)]


def _editing(rng: np.random.Generator) -> Plot:
    (day, wrong), (noun, _) = _two(rng, words.DAYS), _two(rng, words.NOUNS[:60])
    turns = [f"clean the {noun} on {wrong} no wait on {day}", "okay", f"when is the {noun}"]
    return turns, f"on {day}", [_rule(day, never=wrong)]


def _rule(word: str, *, never: str = "") -> dict[str, Any]:
    return {"all_of": [[word]], "none_of": [never] if never else []}


PLOTS: dict[str, Callable[[np.random.Generator], Plot]] = {
    "INFERENCE_MEMORY": _memory,
    "INSTRUCTION_RETENTION": _retention,
    "SELF_COHERENCE": _coherence,
    "VOICE_EDITING": _editing,
}


def twin(n: int, seed: int) -> list[Item]:
    """`n` conversations of every axis."""
    return [
        _item(axis, plot, k, seed, number)
        for number, (axis, plot) in enumerate(PLOTS.items())
        for k in range(n)
    ]


def _item(axis: str, plot: Callable[..., Plot], k: int, seed: int, number: int) -> Item:
    rng = np.random.default_rng([seed, k, number, 0x4F])
    turns, reply, rubrics = plot(rng)
    voice = random_voice(rng, "test")
    cues: list[Cue] = []
    at, length_s = When(seconds=0.6), 0.6
    for index, text in enumerate(turns):
        if index % 2:
            cues.append(Type(text=text, at=at, control=""))
            length_s += TYPED_S * len(text.split()) + 0.4
        else:
            cues.append(Speak(text=text, voice=voice, at=at))
            length_s += duration_s(text)
        length_s += GAP_S
        at = When(seconds=GAP_S, after="cue_end", cue=index)
    return Item(
        kind="audiomc",
        seed=SEED_BASE + seed * 100_000 + number * 10_000 + k,
        length_s=length_s + duration_s(reply) + 2.0,
        cues=(*cues, Noise(level_db=float(rng.uniform(-65, -50)))),
        expect=(Say(text=(reply,), after=len(turns) - 1),),
        subset=axis,
        about={"rubrics": rubrics, "last": len(turns) - 1},
    )
