"""Test items: sentences, voices and seeds that no training ever draws; or, for choices, others.

Texts come from the `test` split of their own hash, voices from the test variants of the known
engines, human clips from the `test` speakers. Knows nothing of how items are played or scored.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from interplay.data.human import HumanClips
from interplay.data.item import (
    At,
    Clip,
    Cue,
    Delegate,
    Heard,
    Item,
    KeepTalking,
    Noise,
    NoTakeover,
    Say,
    Silence,
    Speak,
    StopBy,
    Type,
    When,
)
from interplay.data.texts import questions, vocabulary
from interplay.data.texts.questions import Question, split_of
from interplay.data.voices import random_voice
from interplay.errors import ConfigError, RecordError

SEED_BASE = 7_000_000  # no seed of a training is near
SEED_BASES = {"test": SEED_BASE, "train": 9_000_000_000}
INTERRUPTIONS = ("arithmetic", "opposite", "colour", "day", "spelling")


def items(
    kind: str, num_items: int, seed: int = 0, *, split: str = "test", human: Path | None = None
) -> list[Item]:
    """`num_items` items of a kind; the same for ever for the same seed.

    split: `test` is held out; `train` has texts, voices and people of the training, for choices
    that must not see what is held out. Raises ConfigError for an unknown kind and RecordError when
    human recordings are missing.
    """
    if kind == "human":
        return list(_human(num_items, seed, human, split))
    if kind not in KINDS:
        raise ConfigError(f"unknown kind of item {kind!r}; known: {', '.join([*KINDS, 'human'])}")
    made = []
    for index in range(num_items):
        number = SEED_BASES[split] + seed * 100_000 + index
        rng = np.random.default_rng([number, sorted(KINDS).index(kind)])
        made.append(KINDS[kind](rng, number, split))
    return made


def duration_s(text: str) -> float:
    """More than a slow voice needs for the text."""
    return 0.4 + sum(0.22 + 0.055 * len(word) for word in text.split())


def _item(
    kind: str, number: int, rng: np.random.Generator, length_s: float, cues: list[Cue], expect: list
) -> Item:
    noise = Noise(level_db=float(rng.uniform(-65, -42)))
    return Item(
        kind=kind,
        seed=number,
        length_s=float(np.ceil(length_s * 5) / 5),
        cues=(*cues, noise),
        expect=tuple(expect),
        first_turn=int(rng.integers(300)),
    )


def _text(split: str, draw: Callable[[], str]) -> str:
    while split_of(text := draw()) != split:
        pass
    return text


def _speak(rng: np.random.Generator, split: str, text: str, at: When | None = None) -> Speak:
    at = at or When(seconds=float(rng.uniform(0.4, 1.2)))
    return Speak(
        text=text, voice=random_voice(rng, split), at=at, gain_db=float(rng.uniform(-8, 4))
    )


def _pick(rng: np.random.Generator, values: list):
    return values[int(rng.integers(len(values)))]


_FACTS = {split: questions.facts(split) for split in questions.SPLITS}


def _fact(rng: np.random.Generator, split: str, *, breaks: bool = False) -> Question:
    kind = _pick(rng, list(INTERRUPTIONS))
    pool = [q for q in _FACTS[split] if q.kind == kind and (q.breaks or not breaks)]
    return _pick(rng, pool)


def hear(
    rng: np.random.Generator, number: int, split: str = "test", voices: str | None = None
) -> Item:
    """Random strings and statements: transcribe, say nothing."""
    draw = [lambda: questions.phrase(rng, 3, 7), lambda: questions.statement(rng)]
    text = _text(split, draw[int(rng.integers(2))])
    length_s = 1.2 + duration_s(text) + 1.4
    silence = Silence(start=When(seconds=0.0), end=When(seconds=length_s - 0.2))
    cue = _speak(rng, voices or split, text)
    return _item("hear", number, rng, length_s, [cue], [Heard(text=text), silence])


def hear_unseen(rng: np.random.Generator, number: int, split: str = "test") -> Item:
    """The same from an engine that no training ever used."""
    return hear(rng, number, split, "unseen")


def answer(rng: np.random.Generator, number: int, split: str = "test") -> Item:
    asked = _fact(rng, split)
    expect = [Heard(text=asked.text), Say(text=(asked.answer,), after=0)]
    length_s = 1.2 + duration_s(asked.text) + duration_s(asked.answer) + 1.6
    return _item("answer", number, rng, length_s, [_speak(rng, split, asked.text)], expect)


def pause(rng: np.random.Generator, number: int, split: str = "test") -> Item:
    """A question with a pause inside, where the sentence is still open."""
    asked = _fact(rng, split, breaks=True)
    spoken = _speak(rng, split, asked.text)
    pause_s = float(rng.uniform(0.4, 1.5))
    word = _pick(rng, list(asked.breaks)) - 1
    cue = Speak(
        text=spoken.text,
        voice=spoken.voice,
        at=spoken.at,
        gain_db=spoken.gain_db,
        pause_after_word=word,
        pause_s=pause_s,
    )
    length_s = 1.2 + duration_s(asked.text) + pause_s + duration_s(asked.answer) + 1.6
    expect = [NoTakeover(cue=0), Say(text=(asked.answer,), after=0)]
    return _item("pause", number, rng, length_s, [cue], expect)


def interrupt(rng: np.random.Generator, number: int, split: str = "test") -> Item:
    """A question put while the model recites: it yields and answers."""
    long, asked = _pick(rng, questions.recitals()), _fact(rng, split)
    at = When(seconds=float(rng.uniform(0.6, 1.6)), after="voice", cue=0)
    cues: list[Cue] = [_speak(rng, split, long.text), _speak(rng, split, asked.text, at)]
    expect = [StopBy(after=1), Say(text=(asked.answer,), after=1)]
    length_s = 1.2 + duration_s(long.text) + 2.6 + duration_s(asked.text) + 3.5
    return _item("interrupt", number, rng, length_s, cues, expect)


def backchannel(rng: np.random.Generator, number: int, split: str = "test") -> Item:
    """A nod while the model recites: it goes on."""
    long = _pick(rng, questions.recitals())
    at = When(seconds=float(rng.uniform(0.5, 1.5)), after="voice", cue=0)
    nod = _speak(rng, split, _pick(rng, list(vocabulary.BACKCHANNELS)), at)
    length_s = 1.2 + duration_s(long.text) + duration_s(long.answer) + 2.0
    expect = [KeepTalking(through=1, text=(long.answer,))]
    return _item("backchannel", number, rng, length_s, [_speak(rng, split, long.text), nod], expect)


def timer(rng: np.random.Generator, number: int, split: str = "test") -> Item:
    """Half of them once, half of them again and again until told to stop."""
    if rng.random() < 0.5:
        num_s = int(rng.integers(2, 11))
        words = _text(split, lambda: questions.phrase(rng, 1, 2))
        text = f"say {words} in {vocabulary.NUMBERS[num_s]} seconds"
        expect = [At(text=(words,), after=0, due_s=float(num_s))]
        length_s = 1.2 + duration_s(text) + num_s + 2.5
        return _item("timer", number, rng, length_s, [_speak(rng, split, text)], expect)
    num_s, words = int(rng.integers(2, 10)), _pick(rng, vocabulary.REMINDERS)
    text = f"remind me to {words} every {vocabulary.NUMBERS[num_s]} seconds"
    times = 2 if num_s > 4 else 3
    stop = When(seconds=times * num_s + 1.4, after="cue_end", cue=0)
    expect = [At(text=(words,), after=0, due_s=float(num_s * k)) for k in range(1, times + 1)]
    quiet = Silence(
        start=When(seconds=2.0, after="cue_end", cue=1),
        end=When(seconds=2.0 + num_s, after="cue_end", cue=1),
    )
    cues: list[Cue] = [_speak(rng, split, text), _speak(rng, split, "stop", stop)]
    length_s = 1.2 + duration_s(text) + num_s * (times + 1) + 4.5
    return _item("timer", number, rng, length_s, cues, [*expect, quiet])


def stopwatch(rng: np.random.Generator, number: int, split: str = "test") -> Item:
    """ "start the clock" ... "how long did that take"; one second more or less is right."""
    gap_s = float(rng.uniform(3.0, 9.0))
    ask = _pick(rng, list(vocabulary.CLOCK_ASK))
    at = When(seconds=gap_s, after="cue_end", cue=0)
    cues: list[Cue] = [
        _speak(rng, split, _pick(rng, list(vocabulary.CLOCK_START))),
        _speak(rng, split, ask, at),
    ]
    middle = round(gap_s + 0.6 * duration_s(ask))
    names = [f"{vocabulary.NUMBERS[k]} seconds" for k in (middle - 1, middle, middle + 1)]
    length_s = 2.8 + gap_s + duration_s(ask) + 3.5
    return _item(
        "stopwatch", number, rng, length_s, cues, [Say(text=tuple(names), after=1, within_s=2.0)]
    )


def repeat(rng: np.random.Generator, number: int, split: str = "test") -> Item:
    """A statement, then "what did I say"."""
    text = _text(split, lambda: questions.statement(rng))
    ask = _pick(rng, list(vocabulary.REPEAT_ASK))
    at = When(seconds=float(rng.uniform(0.8, 1.6)), after="cue_end", cue=0)
    length_s = 2.8 + 2 * duration_s(text) + duration_s(ask) + 2.0
    cues: list[Cue] = [_speak(rng, split, text), _speak(rng, split, ask, at)]
    return _item("repeat", number, rng, length_s, cues, [Say(text=(text,), after=1)])


def read_aloud(rng: np.random.Generator, number: int, split: str = "test") -> Item:
    return _read(rng, number, "read_aloud", _text(split, lambda: questions.phrase(rng, 2, 5)))


def read_unseen(rng: np.random.Generator, number: int, split: str = "test") -> Item:
    """Words that occur in no training text."""
    text = " ".join(rng.choice(vocabulary.UNSEEN, int(rng.integers(2, 5)), replace=False))
    return _read(rng, number, "read_unseen", text)


def _read(rng: np.random.Generator, number: int, kind: str, text: str) -> Item:
    cue = Type(text=text, at=When(seconds=float(rng.uniform(0.6, 1.4))))
    length_s = 1.4 + 1.0 + duration_s(text) + 1.5
    return _item(kind, number, rng, length_s, [cue], [Say(text=(text,), after=0)])


def delegate(rng: np.random.Generator, number: int, split: str = "test") -> Item:
    """An open question: handed over with the right words, its result spoken on arrival."""
    text = _text(split, lambda: questions.open_question(rng))
    result = _text(split, lambda: questions.phrase(rng, 2, 4))
    at = When(seconds=float(rng.uniform(1.5, 3.5)), after="delegate", cue=0)
    cues: list[Cue] = [_speak(rng, split, text), Type(text=result, at=at, control="<result>")]
    expect = [Delegate(words=text, after=0), Say(text=(result,), after=1, within_s=1.0)]
    length_s = 1.2 + duration_s(text) + 5.5 + duration_s(result) + 2.0
    return _item("delegate", number, rng, length_s, cues, expect)


def _human(num_items: int, seed: int, folder: Path | None, split: str) -> Iterator[Item]:
    """Single words by people (never heard in training), embedded in silence and in noise."""
    clips = HumanClips.open(folder, split)
    if not len(clips):
        raise RecordError(
            f"no human {split} recordings found; set INTERPLAY_HUMAN to their folder "
            "(docs/data.md), or go without the row `heard_acc_human`"
        )
    rng = np.random.default_rng([SEED_BASES[split], seed])
    for index, row in enumerate(rng.permutation(len(clips))[:num_items]):
        clip = clips[int(row)]
        level_db = float(rng.uniform(-48, -36)) if index % 2 else -65.0
        at = When(seconds=float(rng.uniform(0.4, 1.2)))
        samples = np.asarray(clip.samples)
        cue = Clip(samples=samples, word=clip.text, at=at)
        length_s = 1.2 + len(samples) / 16_000 + 1.4
        yield Item(
            kind="human",
            seed=SEED_BASES[split] + index,
            length_s=float(np.ceil(length_s * 5) / 5),
            cues=(cue, Noise(level_db=level_db)),
            expect=(Heard(text=clip.text),),
            first_turn=int(rng.integers(300)),
        )


KINDS: dict[str, Callable[[np.random.Generator, int, str], Item]] = {
    "hear": hear,
    "hear_unseen": hear_unseen,
    "answer": answer,
    "pause": pause,
    "interrupt": interrupt,
    "backchannel": backchannel,
    "timer": timer,
    "stopwatch": stopwatch,
    "repeat": repeat,
    "read_aloud": read_aloud,
    "read_unseen": read_unseen,
    "delegate": delegate,
}
