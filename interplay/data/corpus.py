"""What a from-scratch model is trained on: which utterances, in which voices, and the tokenizer.

`build_corpus` plans and synthesises once into a folder; `Corpus` reads it. Knows nothing of
sessions or batches.
"""

import json
import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from interplay.data.augment import change_speed
from interplay.data.bank import Bank, Clip, Request, build_bank
from interplay.data.human import HumanClips
from interplay.data.speech import ENGINES, installed_engines, voices_not_installed
from interplay.data.texts import claims, everyday, kinds, questions, vocabulary
from interplay.data.texts.languages.lexicon import LANGUAGES
from interplay.data.texts.questions import Question
from interplay.data.texts.speakers import TRAIT, Draw, draw_pools, speakers
from interplay.data.texts.watchwords import EYES_TAGS, replies, training_asks
from interplay.data.voices import LANGUAGES_SPOKEN, OWN_VOICE, foreign_voice, random_voice
from interplay.errors import RecordError
from interplay.turns.tokens import Tokenizer

USER_TAGS = (
    *("listen", "statement", "word", "say", "fact", "greeting", "recital", "repeat", "timer"),
    *("every", "cancel", "clock_start", "clock_ask", "delegate", "backchannel"),
    *kinds.KINDS,
)
FEW_SPEAKERS = ("flite", "festival", "pico")  # engines with so few voices that speed must vary them
TRIES = 400  # to find a clip with something wanted in its text


@dataclass(frozen=True, kw_only=True)
class CorpusPlan:
    """How many user utterances of each kind; `scale` multiplies them all, those of `kinds.KINDS`
    too.

    user_engines: users speak with voices of these engines only; what is left out, the others
        speak in proportion.
    missing_voices: beginnings of voice specs; other voices of the same engine speak their part,
        where it has none left the other engines.
    eyes: how many user utterances about what the camera sees; 0 for models without eyes.
    """

    seed: int = 0
    scale: float = 1.0
    own_voice: str = OWN_VOICE
    user_engines: tuple[str, ...] = tuple(ENGINES)
    missing_voices: tuple[str, ...] = ()
    vocab_size: int = 800
    num_phrases: int = 4000
    num_short_phrases: int = 300
    num_statements: int = 700
    num_traits: int = 300
    listen: int = 6500
    statement: int = 2000
    word: int = 2000
    say: int = 4400
    fact: int = 11000
    greeting: int = 700
    recital: int = 900
    repeat: int = 500
    timer: int = 2000
    every: int = 1200
    cancel: int = 600
    clock_start: int = 400
    clock_ask: int = 400
    delegate: int = 2200
    backchannel: int = 700
    eyes: int = 0

    def count(self, tag: str) -> int:
        """Utterances of a kind."""
        return self.scaled(kinds.KINDS[tag].count if tag in kinds.KINDS else getattr(self, tag))

    def scaled(self, count: int) -> int:
        """So many, where there are `count` at scale 1."""
        return max(8, int(self.scale * count))


def plan_texts(plan: CorpusPlan) -> dict[str, list[str]]:
    """The pools that own utterances are made for: long and short phrases, statements, traits."""
    return draw_pools(
        np.random.default_rng([plan.seed, 1]),
        phrases=plan.scaled(plan.num_phrases),
        short=plan.scaled(plan.num_short_phrases),
        statements=plan.scaled(plan.num_statements),
        traits=plan.scaled(plan.num_traits),
    )


def plan_requests(plan: CorpusPlan) -> list[Request]:
    """Every utterance of the corpus, in random order. Every kind has dice of its own: how many
    there are of one, and whether there is one, changes nothing about the others."""
    pools = plan_texts(plan)
    draws = speakers(pools)
    counts = {tag: plan.count(tag) for tag in draws}
    for tag in EYES_TAGS if plan.eyes else ():
        counts[tag] = max(8, plan.count("eyes") // len(EYES_TAGS))
        draws[tag] = _one_of(training_asks(tag))
    requests = []
    for tag, draw in draws.items():
        rng = np.random.default_rng([plan.seed, 2, zlib.crc32(tag.encode())])
        requests += [_request(rng, plan, tag, draw) for _ in range(counts[tag])]
    own = _own_texts(plan, pools, requests)
    requests += [
        Request(text=text, voice=plan.own_voice, role="own", tag=tag) for text, tag in own.items()
    ]
    order = np.random.default_rng([plan.seed, 3]).permutation(len(requests))
    return [requests[i] for i in order]


def _own_texts(
    plan: CorpusPlan, pools: dict[str, list[str]], requests: Collection[Request]
) -> dict[str, str]:
    """What the model says, and the tag of each: what it knows, and what it is asked to say."""
    asked = [said for r in requests for said in kinds.asked_for(r.tag, r.text)]
    texts = [
        *pools["phrase"],
        *pools["short"],
        *pools["statement"],
        *_answers(),
        *kinds.own_texts(),
    ]
    texts += replies() if plan.eyes else []
    english = kinds.english_of([r.text for r in requests if r.tag in LANGUAGES])
    return (
        dict.fromkeys(english, kinds.ENGLISH)
        | dict.fromkeys([*texts, *asked], "")
        | dict.fromkeys(pools[TRAIT], TRAIT)
    )


def _one_of(texts: Sequence[str]) -> Draw:
    return lambda rng: texts[int(rng.integers(len(texts)))]


def _request(rng: np.random.Generator, plan: CorpusPlan, tag: str, draw: Draw) -> Request:
    text = draw(rng)
    if tag == "foreign":
        voice = foreign_voice(rng, claims.languages_of(text), "train")
    elif tag in LANGUAGES:
        voice = foreign_voice(rng, LANGUAGES_SPOKEN[tag], "train")
    else:
        voice = _user_voice(rng, plan)
    return Request(text=text, voice=voice, tag=tag)


def _user_voice(rng: np.random.Generator, plan: CorpusPlan) -> str:
    """A training voice of one of the plan's engines that is not missing."""
    engines = tuple(e for e in plan.user_engines if not f"{e}:".startswith(plan.missing_voices))
    while not (voice := random_voice(rng, "train")).startswith(engines) or voice.startswith(
        plan.missing_voices
    ):
        if voice.startswith(engines):
            engines = (voice.split(":")[0],)
    return voice


def _answers() -> list[str]:
    """Everything the model says that is not a copy."""
    known = [*questions.facts("train"), *questions.greetings(), *questions.recitals()]
    clock = [f"{n} seconds" for n in vocabulary.NUMBERS] + ["one second"]
    fixed = [vocabulary.BRIDGE, vocabulary.ACKNOWLEDGE]
    return [*(q.answer for q in known), *clock, *fixed, *vocabulary.REMINDERS]


def build_corpus(
    folder: Path, plan: CorpusPlan, *, tokenizer: Tokenizer | None = None, num_workers: int = 2
) -> None:
    """Synthesise the bank and train the tokenizer, where none is given; what is already there is
    kept.

    Where festival or pico is not installed the other engines speak its part, where one of
    festival's voices is not, its others do; without WordNet tales take the place of its sentences.
    A line says so.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    plan = _installed(plan)
    requests = plan_requests(plan)
    build_bank(folder / "bank", requests, workers=num_workers)
    tokenizer = tokenizer or Tokenizer.train(_spellings(), plan.vocab_size)
    (folder / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
    facts = {
        "seed": plan.seed,
        "scale": plan.scale,
        "user_engines": plan.user_engines,
        "missing_voices": plan.missing_voices,
        "num_utterances": len(requests),
    }
    (folder / "corpus.json").write_text(json.dumps(facts), encoding="utf-8")


def add_kinds(
    folder: Path, plan: CorpusPlan, tags: Collection[str], *, num_workers: int = 2
) -> None:
    """Synthesise kinds of user utterances that a corpus lacks, as the plan has them, and what the
    model says beside what it says already."""
    requests = plan_requests(_installed(plan))
    wanted = [r for r in requests if r.role == "own" or r.tag in tags]
    build_bank(Path(folder) / "bank", wanted, workers=num_workers)


def _installed(plan: CorpusPlan) -> CorpusPlan:
    """The plan with what this machine can speak."""
    everyday.is_installed()
    engines = installed_engines(plan.user_engines)
    missing = (*plan.missing_voices, *voices_not_installed(engines))
    return replace(plan, user_engines=engines, missing_voices=missing)


def _spellings() -> list[str]:
    """Text for the tokenizer: the words of fixed sentences often enough to become one token each,
    the others in pieces, so that what one word teaches about spelling and sound helps the next.

    Words that only the families of `kinds` need are not among them: they are spelled in the pieces
    of the others, and every model so far writes with this one tokenizer."""
    spelled = set(vocabulary.CONTENT) - {*vocabulary.NUMBERS, *vocabulary.DAYS}
    return [w for w in questions.vocabulary() for _ in range(50 if w in spelled else 400)]


class Corpus:
    """A built corpus: clips by kind, the model's own utterances by text."""

    def __init__(
        self, folder: Path, *, human: Path | None = None, without_voices: tuple[str, ...] = ()
    ) -> None:
        """without_voices: beginnings of voice specs; no user speaks with one of these."""
        folder = Path(folder)
        if not (folder / "corpus.json").exists():
            raise RecordError(f"no corpus in {folder}; `interplay train xs` makes one")
        self.bank = Bank.open(folder / "bank")
        self.tokenizer = Tokenizer.load(folder / "tokenizer.json")
        self.human = HumanClips.open(human, "train")
        tags = (*USER_TAGS, *EYES_TAGS)
        speaking = ~self.bank.spoken_with(without_voices)
        found = {tag: self.bank.find(role="user", tag=tag) for tag in tags}
        self._by_tag = {tag: rows[speaking[rows]] for tag, rows in found.items()}
        own = set(self.bank.find(role="own").tolist())
        self._own = {
            text: int(i) for text, rows in self.bank.by_text.items() for i in rows if i in own
        }
        self._traits = [self.bank.text(i) for i in self.bank.find(role="own", tag=TRAIT)]
        self._texts = cache(lambda tag: [self.bank.text(i) for i in self._by_tag[tag]])
        self._index = cache(self._words_of)
        known = [*questions.facts("train"), *questions.greetings(), *questions.recitals()]
        self._questions = {q.text: q for q in known}
        english = {self.bank.text(i) for i in self.bank.find(role="own", tag=kinds.ENGLISH)}
        texts = [text for text in self._own if text not in english]
        self._phrases = {
            size: [text for text in texts if len(text.split()) <= size] for size in range(1, 10)
        }

    def lacking(self, *, eyes: bool) -> list[str]:
        """Kinds of user utterances that sessions are made of and this corpus has none of."""
        tags = (*USER_TAGS, *(EYES_TAGS if eyes else ()))
        return [tag for tag in tags if not len(self._by_tag[tag])]

    def user(self, tag: str, rng: np.random.Generator) -> Clip:
        """A random user clip of a kind; without human recordings `human` means `word`."""
        if tag == "human" and len(self.human):
            return _other_speed(self.human[int(rng.integers(len(self.human)))], rng)
        rows = self._by_tag["word" if tag == "human" else tag]
        clip = self.bank.clip(int(rows[rng.integers(len(rows))]))
        is_few = clip.engine in FEW_SPEAKERS and rng.random() < 0.6
        return _other_speed(clip, rng) if is_few else clip

    def user_where(
        self, tag: str, rng: np.random.Generator, wanted: Callable[[str], bool]
    ) -> Clip | None:
        """A random user clip of a kind whose text is wanted; None where none of TRIES was."""
        texts = self._texts(tag)
        for row in rng.integers(len(texts), size=TRIES):
            if wanted(texts[row]):
                return self.bank.clip(int(self._by_tag[tag][row]))
        return None

    def user_with(self, tag: str, rng: np.random.Generator, words: Collection[str]) -> Clip | None:
        """A random user clip of a kind that has one of the words; None where there is none."""
        index = self._index(tag)
        rows = [row for word in words for row in index.get(word, ())]
        return self.bank.clip(rows[rng.integers(len(rows))]) if rows else None

    def _words_of(self, tag: str) -> dict[str, list[int]]:
        """For every word the clips of a kind in which it is said."""
        index: dict[str, list[int]] = {}
        for row, text in zip(self._by_tag[tag], self._texts(tag), strict=True):
            for word in set(text.split()):
                index.setdefault(word, []).append(int(row))
        return index

    def trait(self, rng: np.random.Generator) -> str:
        """A text such as "the table is golden" that the own voice has been heard to say."""
        return self._traits[rng.integers(len(self._traits))]

    def own(self, text: str) -> Clip:
        return self.bank.clip(self._own[text])

    def own_clips(self) -> list[Clip]:
        return [self.bank.clip(i) for i in self._own.values()]

    def question(self, text: str) -> Question:
        return self._questions[text]

    def phrase(self, rng: np.random.Generator, max_words: int) -> str:
        """A text of at most `max_words` words that the own voice has been heard to say."""
        pool = self._phrases[max_words]
        return pool[rng.integers(len(pool))]


def _other_speed(clip: Clip, rng: np.random.Generator) -> Clip:
    """A little faster or slower, pitch and all: few speakers, so each should sound like several."""
    sound, scale = change_speed(clip.samples.astype(np.float32), rng.uniform(0.87, 1.18))
    return replace(
        clip,
        samples=np.clip(sound, -32768, 32767).astype(np.int16),
        words=[(word, start * scale, end * scale) for word, start, end in clip.words],
        phones=[(phone, start * scale, end * scale) for phone, start, end in clip.phones],
    )
