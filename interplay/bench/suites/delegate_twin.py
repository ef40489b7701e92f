"""Items of the suite delegate: what only the background model can know, and what needs none.

    plain    the result comes after 1.5 to 3.5 s
    late     it takes longer; meanwhile the user asks something else, which wants its own answer
    into     the same, and it arrives while the user speaks
    pieces   two results, the second soon after the first
    failed   an apology comes instead of a result
    stale    the user does not want to know any more; the result comes after all
    none     a question that the model answers itself, words to be said again, a remark

Questions and wordings are held out; results are short and of words that the small models know. A
result holds facts: words that could have been others of the same kind. `Item.about` says which they
are. Knows nothing of scores.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from interplay.data.heldout import duration_s
from interplay.data.item import Cue, Delegate, Expect, Item, Noise, Say, Speak, Type, When
from interplay.data.texts import questions, vocabulary
from interplay.data.texts.questions import Question, split_of
from interplay.data.voices import random_voice

SEED_BASE = 8_100_000  # no training seed is near
TAIL_S = 5.0  # after all that comes, for what the model says last
DECIDES_S = 2.0  # a slow system hands over so long after the question
WITHIN_S = 2.0  # from when a result can be said until it is
STALE = (  # in no training, nor are the apologies
    "forget my question",
    "no need to check any more",
    "never mind that question",
    "please cancel that question",
)
FAILED = (
    "sorry my helper is busy",
    "sorry i cannot reach the answer",
    "sorry my helper found no answer",
    "sorry that is too long",
)
UNNEEDED = "no answer"  # comes back where nothing had to be asked


@dataclass(frozen=True)
class Kind:
    """What comes back for questions that begin alike: `text` with facts in two slots."""

    begins: str
    text: str
    first: tuple[str, ...]
    second: tuple[str, ...]


_NUMBERS = tuple(vocabulary.NUMBERS[2:])  # "one moment" is no fact
_PEOPLE = ("doctor", "teacher", "farmer", "writer", "driver", "king", "queen", "friend")
_PLACES = tuple(vocabulary.NOUNS[16:33])  # from castle to tower
_LOOKS = ("old", "young", "big", "small", "empty", "beautiful", "strange", "golden", "broken")
_WEATHER = ("hot", "cold", "wet", "dry", "good", "bad", "beautiful", "terrible", "dangerous")
KINDS = (
    Kind("who", "the {} in {}", _PEOPLE, tuple(vocabulary.CITIES)),
    Kind("what is the weather", "{} and {}", _WEATHER, _WEATHER),
    Kind("where", "near the {} {}", _LOOKS, _PLACES),
    Kind("when", "{} in the {}", _NUMBERS, ("morning", "evening", "night")),
    Kind("how far", "{} in the {}", _NUMBERS, ("bus", "train", "boat", "plane", "truck")),
    Kind("what is the price", "{} {}", _NUMBERS, ("gold", "silver")),
    Kind("find", "near the {} {}", _LOOKS, _PLACES),
    Kind("search", "the {} in {}", _PEOPLE, tuple(vocabulary.CITIES)),
)
ANSWERED = ("opposite", "colour", "day")  # kinds of closed questions; no numbers


@dataclass(frozen=True, kw_only=True)
class Result:
    """What the background model sends as cue `cue`. facts: its words that could have been others.
    waits: the cue during which it arrives, behind which it is said. wanted: whether it is."""

    cue: int
    text: str
    facts: tuple[str, ...]
    waits: int | None = None
    wanted: bool = True


@dataclass(kw_only=True)
class Script:
    """An item in the making. pool: all words that could be facts of the answer."""

    rng: np.random.Generator
    voice: str
    gain_db: float
    kind: Kind = KINDS[0]
    pool: tuple[str, ...] = ()
    cues: list[Cue] = field(default_factory=list)
    expect: list[Expect] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    length_s: float = 0.0

    def speak(self, text: str, at: When) -> int:
        """The user says a text; returns the index of the cue."""
        self.cues.append(Speak(text=text, voice=self.voice, at=at, gain_db=self.gain_db))
        self.length_s += at.seconds + duration_s(text)
        return len(self.cues) - 1

    def comes(
        self,
        text: str,
        at: When,
        *,
        facts: tuple[str, ...] = (),
        waits: int | None = None,
        wanted: bool = True,
    ) -> int:
        """The background model sends a text; returns the index of the cue."""
        cue = len(self.cues)
        self.cues.append(Type(text=text, at=at, control="<result>"))
        self.results.append(Result(cue=cue, text=text, facts=facts, waits=waits, wanted=wanted))
        if wanted:
            after = cue if waits is None else waits
            self.expect.append(Say(text=(text,), after=after, within_s=WITHIN_S))
        self.length_s += at.seconds + duration_s(text)
        return cue

    def ask(self) -> None:
        """An open question, which is handed over; meanwhile something is said."""
        text = _held_out(lambda: questions.open_question(self.rng))
        self.kind = next(kind for kind in KINDS if text.startswith(kind.begins))
        facts = {*self.kind.first, *self.kind.second}
        self.pool = tuple(sorted(facts - set(text.split())))
        self.speak(text, When(seconds=self.within(0.4, 1.2)))
        self.length_s += DECIDES_S
        self.expect.append(Delegate(words=text, after=0))
        self.expect.append(Say(text=(vocabulary.BRIDGE,), after=0))

    def result(self, at: When, *, waits: int | None = None, wanted: bool = True) -> int:
        """The answer, with facts that no result before has."""
        free = {*self.pool} - {fact for result in self.results for fact in result.facts}
        while True:
            facts = (_pick(self.rng, self.kind.first), _pick(self.rng, self.kind.second))
            if len({*facts} & free) == 2:
                break
        text = self.kind.text.format(*facts)
        return self.comes(text, at, facts=facts, waits=waits, wanted=wanted)

    def within(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))


def _pick(rng: np.random.Generator, values):
    return values[int(rng.integers(len(values)))]


def _held_out(draw: Callable[[], str]) -> str:
    while split_of(text := draw()) != "test":
        pass
    return text


def _closed(script: Script) -> Question:
    """A question that the model answers itself, with no word that could be a fact."""
    kind = _pick(script.rng, ANSWERED)
    pool = [q for q in questions.facts("test") if q.kind == kind and q.answer not in script.pool]
    return _pick(script.rng, pool)


def plain(script: Script) -> None:
    script.ask()
    script.result(_delegated(script.within(1.5, 3.5)))


def late(script: Script) -> None:
    cue = _meanwhile(script)
    script.result(When(seconds=script.within(3.0, 5.0), after="cue_end", cue=cue))


def into(script: Script) -> None:
    cue = _meanwhile(script)
    remark = _long_remark(script.rng)
    at = When(seconds=script.within(3.0, 4.0), after="cue_end", cue=cue)
    told = script.speak(remark, at)
    script.result(When(seconds=0.5, after="cue_start", cue=told), waits=told)


def pieces(script: Script) -> None:
    script.ask()
    first = script.result(_delegated(script.within(1.5, 3.0)))
    script.result(When(seconds=script.within(1.5, 4.0), after="cue_end", cue=first))


def failed(script: Script) -> None:
    script.ask()
    script.comes(_pick(script.rng, FAILED), _delegated(script.within(1.5, 3.5)))


def stale(script: Script) -> None:
    script.ask()
    cue = script.speak(_pick(script.rng, STALE), _delegated(script.within(1.6, 2.6)))
    at = When(seconds=script.within(1.5, 3.5), after="cue_end", cue=cue)
    script.result(at, wanted=False)


def none(script: Script) -> None:
    """What comes back if it is handed over after all is nobody's business."""
    texts = (
        _closed(script).text,
        f"say {_held_out(lambda: questions.phrase(script.rng, 2, 4))}",
        _held_out(lambda: questions.statement(script.rng)),
    )
    script.speak(_pick(script.rng, texts), When(seconds=script.within(0.4, 1.2)))
    script.comes(UNNEEDED, _delegated(1.0), wanted=False)


def _delegated(wait_s: float) -> When:
    return When(seconds=wait_s, after="delegate", cue=0)


def _meanwhile(script: Script) -> int:
    """The question, and another one that the model answers itself; the cue of that."""
    script.ask()
    other = _closed(script)
    cue = script.speak(other.text, _delegated(script.within(2.2, 3.2)))
    script.expect.append(Say(text=(other.answer,), after=cue))
    return cue


def _long_remark(rng: np.random.Generator) -> str:
    """Words for two seconds and more, so that a result arrives well before their end."""
    return f"{_held_out(lambda: questions.statement(rng))} and {questions.statement(rng)}"


FAMILIES: Mapping[str, Callable[[Script], None]] = {
    "plain": plain,
    "late": late,
    "into": into,
    "pieces": pieces,
    "failed": failed,
    "stale": stale,
    "none": none,
}


def twin(num_items: int, seed: int) -> list[Item]:
    """`num_items` of every family."""
    return [
        make(name, place, seed, index)
        for place, name in enumerate(FAMILIES)
        for index in range(num_items)
    ]


def make(name: str, place: int, seed: int, index: int) -> Item:
    rng = np.random.default_rng([SEED_BASE, seed, place, index])
    voice, gain_db = random_voice(rng, "test"), float(rng.uniform(-8, 4))
    script = Script(rng=rng, voice=voice, gain_db=gain_db)
    FAMILIES[name](script)
    about = {"results": [asdict(result) for result in script.results], "pool": list(script.pool)}
    return Item(
        kind="delegate",
        subset=name,
        seed=SEED_BASE + (seed * 10 + place) * 10_000 + index,
        length_s=math.ceil(5 * (script.length_s + TAIL_S)) / 5,
        cues=(*script.cues, Noise(level_db=float(rng.uniform(-65, -42)))),
        expect=tuple(script.expect),
        first_turn=int(rng.integers(300)),
        about=about,
    )


def results_of(item: Item) -> list[Result]:
    """What comes back, from `about`, which may have been through JSON."""
    known: list[dict[str, Any]] = item.about["results"]
    return [Result(**{**each, "facts": tuple(each["facts"])}) for each in known]
