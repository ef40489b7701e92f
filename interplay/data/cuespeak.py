"""CueSpeak-open: instructions to speak on a cue while the user goes on talking, as test items.

C1 key word, C2 word of another language, C3 filler, C4 wrong fact, C5 running count, C6 last words
of a sentence or a foreign phrase said again, C7 wrong sum, C8 wrong name, C9 game. NEG1: the same
without a cue, NEG2: words that sound like the cue, NEG3: the instruction is taken back. Three more
are about a kind of things (animals): STORY counts them aloud, CATEGORY answers them with a word,
QUIET counts them and tells the number when it is asked. Every cue (of all but that question)
closes a piece of speech and is followed by three seconds and more of further speech without a
pause over 0.3 s, so the right moment always lies inside the user's turn. Knows nothing of scores.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from interplay.data.item import Item
from interplay.data.moments import Draft, Stretch
from interplay.data.texts import claims, cuewords, vocabulary
from interplay.data.voices import random_voice

SEED_BASE = 7_500_000  # no training seed is near
WINDOW_S = (-0.1, 2.0)  # of the onset around the end of the cue
REACTION_S = 0.4  # of the perfect oracle
SEAM_S = (0.02, 0.1)  # between two pieces of one turn; shorter than a pause
BEFORE_S = 1.5 + 1.0  # after the instruction: room for an acknowledgement
TAIL_S = 2.5  # after the turn, so that answers that come too late are seen
WORDS_PER_MINUTE = (135, 175)  # faster voices would need more words after each cue
STRETCH = (0.92, 1.08)


@dataclass(frozen=True, kw_only=True)
class Event:
    """A piece of speech that ends with a cue (or with what is none), and the answer to it.

    answer: None where silence is wanted. voice: of the last word `foreign`, spoken separately.
    close: the next event follows within two seconds, on `link` instead of a long filler.
    """

    opening: str
    answer: str | None = None
    alternatives: tuple[tuple[str, ...], ...] = ()
    fuzzy: bool = False
    foreign: str = ""
    voice: str = ""
    link: str = ""

    @property
    def goes_on(self) -> str:
        """What follows instead of a long filler: nothing is waited for after what is no cue."""
        return self.link or ("" if self.answer else "and so on and so forth")


def _pick(rng: np.random.Generator, values):
    return values[int(rng.integers(len(values)))]


def _some(rng: np.random.Generator, values: Sequence, count: int) -> list:
    """`count` different values in random order."""
    return [values[int(k)] for k in rng.permutation(len(values))[:count]]


def paced_voice(rng: np.random.Generator, split: str) -> str:
    """A voice of moderate pace."""
    voice = random_voice(rng, split)
    pace = f":r{rng.integers(*WORDS_PER_MINUTE)}:"
    voice = re.sub(r":r\d+:", pace, voice)
    return re.sub(r":d[\d.]+", f":d{rng.uniform(*STRETCH):.3f}", voice)


def _draft(rng: np.random.Generator, family: str) -> Draft:
    voice = paced_voice(rng, "test")
    gain_db = float(rng.uniform(-8, 4))
    return Draft(family=family, rng=rng, voice=voice, gain_db=gain_db, gap_s=0.3, pace=0.78)


def _talk(draft: Draft, instruction: str, events: Sequence[Event]) -> Draft:
    """The instruction, room to acknowledge it, and one long turn with the events in it."""
    asked = draft.speak(instruction, ack_s=BEFORE_S)
    fillers = iter(_some(draft.rng, cuewords.FILLERS, len(cuewords.FILLERS)))
    _go_on(draft, _short(next(fillers)), BEFORE_S)
    for number, event in enumerate(events):
        _event(draft, event, again=number > 0 and bool(events[number - 1].link))
        _go_on(draft, event.goes_on or next(fillers))
    last = len(draft.cues) - 1
    draft.monologue = Stretch(after=asked, from_s=BEFORE_S, until=last)
    return draft


def _short(text: str) -> str:
    return " ".join(text.split()[:7])


def _go_on(draft: Draft, text: str, wait_s: float | None = None, voice: str = "") -> int:
    if wait_s is None:
        wait_s = float(draft.rng.uniform(*SEAM_S))
    return draft.speak(text, wait_s, voice=voice, ack_s=None)


def _event(draft: Draft, event: Event, again: bool) -> None:
    cue = _go_on(draft, event.opening) if event.opening else -1
    if event.foreign:
        cue = _go_on(draft, event.foreign, voice=event.voice)
    if event.answer is not None:
        draft.due(
            event.answer,
            cue,
            0.0,
            onset_s=REACTION_S,
            alternatives=event.alternatives,
            fuzzy=event.fuzzy,
            window_s=WINDOW_S,
            again=again,
        )


def _finish(draft: Draft, number: int) -> Item:
    """The middle one of three cues is the probe; none where silence is wanted."""
    probe = None if draft.family.startswith("NEG") else min(1, len(draft.moments) - 1)
    return draft.item("cuespeak", number, probe, tail_s=TAIL_S)


def _openings(rng: np.random.Generator, count: int) -> list[str]:
    return _some(rng, cuewords.OPENINGS, count)


def _with_close_pair(rng: np.random.Generator, events: list[Event], link: str) -> list[Event]:
    """Half of the time the last two of three events come within two seconds."""
    if rng.random() < 0.5:
        return events
    first, second, third = events
    pair = Event(opening=second.opening, answer=second.answer, link=link)
    return [first, pair, Event(opening=third.opening.split()[-1], answer=third.answer)]


def keyword(rng: np.random.Generator, number: int) -> Item:
    """C1: a word is answered with another one."""
    word, answer = _pick(rng, cuewords.KEYWORDS)
    events = [Event(opening=f"{text} {word}", answer=answer) for text in _openings(rng, 3)]
    events = _with_close_pair(rng, events, "and then another")
    instruction = f"whenever i say {word} say {answer}"
    return _finish(_talk(_draft(rng, "C1"), instruction, events), number)


def keyword_apart(rng: np.random.Generator, number: int, word: str) -> Item:
    """C1 with a key word that is given, and each time a cue of its own, so that it can be said by
    somebody else."""
    draft, (_, answer) = _draft(rng, "C1"), _pick(rng, cuewords.KEYWORDS)
    events = [
        Event(opening=text, foreign=word, voice=draft.voice, answer=answer)
        for text in _openings(rng, 3)
    ]
    return _finish(_talk(draft, f"whenever i say {word} say {answer}", events), number)


def code_switch(rng: np.random.Generator, number: int) -> Item:
    """C2: a word of another language, in a voice of that language, is given in English."""
    language = _pick(rng, list(cuewords.FOREIGN))
    voice = f"espeak:{language}+{_pick(rng, ('f4', 'm2', 'm7'))}:p45:r140"
    pairs = _some(rng, cuewords.FOREIGN[language], 3)
    events = [
        Event(opening=text, foreign=word, voice=voice, answer=english, fuzzy=True)
        for text, (word, english) in zip(_openings(rng, 3), pairs, strict=True)
    ]
    instruction = "every time i use another language give me the correct word in english"
    return _finish(_talk(_draft(rng, "C2"), instruction, events), number)


def filler(rng: np.random.Generator, number: int) -> Item:
    """C3: "um" and "uh" are pointed out."""
    events = [
        Event(opening=f"{text} {_pick(rng, ('um', 'uh'))}", answer="filler")
        for text in _openings(rng, 3)
    ]
    instruction = "i want to speak without noises so say filler whenever i say um or uh"
    return _finish(_talk(_draft(rng, "C3"), instruction, events), number)


def wrong_fact(rng: np.random.Generator, number: int) -> Item:
    """C4: a wrong fact is corrected; a true one is not."""
    events = [
        Event(opening=f"{text} {_pick(rng, wrong)}", answer=right)
        for text, right, wrong in _some(rng, cuewords.FACTS, 3)
    ]
    rest = [fact for fact in cuewords.FACTS if not any(fact[0] in e.opening for e in events)]
    true = _pick(rng, rest)
    events.insert(int(rng.integers(4)), Event(opening=f"{true[0]} {true[1]}"))
    instruction = "correct me at once whenever i say something wrong"
    return _finish(_talk(_draft(rng, "C4"), instruction, events), number)


def counter(rng: np.random.Generator, number: int) -> Item:
    """C5: every mention of a word is counted aloud."""
    word = _pick(rng, cuewords.COUNTED)
    events = [
        Event(opening=f"{text} {word}", answer=vocabulary.NUMBERS[k])
        for k, text in enumerate(_openings(rng, 3), 1)
    ]
    events = _with_close_pair(rng, events, "and one more")
    instruction = f"count aloud how many times i say {word} and say the number each time"
    return _finish(_talk(_draft(rng, "C5"), instruction, events), number)


def shadow(rng: np.random.Generator, number: int) -> Item:
    """C6: the last word of some sentences is said again, or foreign phrases in English."""
    return (last_words if rng.random() < 0.5 else foreign_phrases)(rng, number)


def last_words(rng: np.random.Generator, number: int) -> Item:
    """The last word of some sentences is said again."""
    nouns = _some(rng, [word for word in vocabulary.NOUNS if len(word) > 4], 3)
    events = [
        Event(opening=f"{text} {noun} full stop", answer=noun)
        for text, noun in zip(_openings(rng, 3), nouns, strict=True)
    ]
    instruction = "when i say full stop repeat the last word before it while i go on"
    return _finish(_talk(_draft(rng, "C6"), instruction, events), number)


def foreign_phrases(rng: np.random.Generator, number: int) -> Item:
    """Phrases of another language, in a voice of that language, are given in English."""
    language = _pick(rng, list(cuewords.PHRASES))
    voice = f"espeak:{language}+{_pick(rng, ('f4', 'm2', 'm7'))}:p45:r140"
    events = [
        Event(opening="", foreign=phrase, voice=voice, answer=english, alternatives=(words,))
        for phrase, english, words in _some(rng, cuewords.PHRASES[language], 3)
    ]
    name = cuewords.LANGUAGE[language]
    instruction = f"translate everything i say in {name} into english while i go on talking"
    return _finish(_talk(_draft(rng, "C6"), instruction, events), number)


def wrong_sum(rng: np.random.Generator, number: int) -> Item:
    """C7: sums said aloud; wrong ones are corrected."""
    names, events = vocabulary.NUMBERS, []
    seen: set[int] = set()
    while len(events) < 3:
        a, b = (int(k) for k in rng.integers(2, 10, 2))
        wrong = a + b + int(_pick(rng, (-2, -1, 1, 2)))
        if a + b not in seen:
            seen.add(a + b)
            text = f"{names[a]} plus {names[b]} is {names[wrong]}"
            events.append(Event(opening=text, answer=names[a + b]))
    a, b = (int(k) for k in rng.integers(2, 10, 2))
    right = Event(opening=f"{names[a]} plus {names[b]} is {names[a + b]}")
    events.insert(int(rng.integers(4)), right)
    instruction = "i will add some numbers so give me the right result whenever mine is wrong"
    return _finish(_talk(_draft(rng, "C7"), instruction, events), number)


def wrong_name(rng: np.random.Generator, number: int) -> Item:
    """C8: somebody is called by a wrong name."""
    right, *wrong = _some(rng, cuewords.NAMES, 4)
    kin = _pick(rng, cuewords.KIN)
    events = [Event(opening=f"and my {kin} {name}", answer=right, fuzzy=True) for name in wrong]
    events.insert(int(rng.integers(4)), Event(opening=f"and my {kin} {right}"))
    instruction = f"my {kin} is called {right} so tell me the name whenever i get it wrong"
    return _finish(_talk(_draft(rng, "C8"), instruction, events), number)


def game(rng: np.random.Generator, number: int) -> Item:
    """C9: a game: one word calls for another."""
    answer = _pick(rng, ("paper", "scissors"))
    starts = ("and once more i say shoot", "ready steady shoot", "are you ready then shoot")
    events = [Event(opening=text, answer=answer) for text in _some(rng, starts, 3)]
    events = _with_close_pair(rng, events, "and again")
    instruction = f"let us play a game and when i say shoot you say {answer}"
    return _finish(_talk(_draft(rng, "C9"), instruction, events), number)


def no_cue(rng: np.random.Generator, number: int) -> Item:
    """NEG1: the instruction of C1, and a turn in which the word never comes."""
    word, answer = _pick(rng, cuewords.KEYWORDS)
    others = [other for other, _ in cuewords.KEYWORDS if other not in (word, answer)]
    events = [
        Event(opening=f"{text} {other}")
        for text, other in zip(_openings(rng, 3), _some(rng, others, 3), strict=True)
    ]
    draft = _draft(rng, "NEG1")
    return _finish(_talk(draft, f"whenever i say {word} say {answer}", events), number)


def near_miss(rng: np.random.Generator, number: int) -> Item:
    """NEG2: words that sound like the cue."""
    word, answer = _pick(rng, cuewords.KEYWORDS)
    others = _some(rng, cuewords.NEAR_MISS[word], 3)
    events = [
        Event(opening=f"{text} {other}")
        for text, other in zip(_openings(rng, 3), others, strict=True)
    ]
    draft = _draft(rng, "NEG2")
    return _finish(_talk(draft, f"whenever i say {word} say {answer}", events), number)


def revoked(rng: np.random.Generator, number: int) -> Item:
    """NEG3: one cue that counts, the instruction taken back, and two cues that do not."""
    word, answer = _pick(rng, cuewords.KEYWORDS)
    one, *others = _openings(rng, 3)
    draft = _draft(rng, "NEG3")
    draft = _talk(
        draft,
        f"whenever i say {word} say {answer}",
        [Event(opening=f"{one} {word}", answer=answer)],
    )
    back = _go_on(draft, f"from now on forget about {answer} and stay quiet", 1.0)
    draft.acks.append(Stretch(after=back, until=back, to_s=BEFORE_S))
    fillers = iter(_some(rng, cuewords.FILLERS, 3))
    _go_on(draft, _short(next(fillers)), BEFORE_S)
    for text in others:
        _event(draft, Event(opening=f"{text} {word}"), again=False)
        _go_on(draft, next(fillers))
    draft.monologue = Stretch(after=back, from_s=BEFORE_S, until=len(draft.cues) - 1)
    return _finish(draft, number)


def story(rng: np.random.Generator, number: int, kind: str = "") -> Item:
    """STORY: the things of a kind that a story names are counted aloud, something else is not."""
    draft, kind = _draft(rng, "STORY"), kind or _pick(rng, list(claims.KINDS_OF_THINGS))
    answers = vocabulary.NUMBERS[1:4]
    instruction = _pick(rng, cuewords.STORIES).format(s=claims.PLURAL[kind])
    return _finish(_talk(draft, instruction, _named(rng, kind, answers)), number)


def animals(rng: np.random.Generator, number: int) -> Item:
    """STORY with animals."""
    return story(rng, number, "animal")


def category(rng: np.random.Generator, number: int) -> Item:
    """CATEGORY: the things of a kind are answered with a word, something else is not."""
    draft, kind = _draft(rng, "CATEGORY"), _pick(rng, list(claims.KINDS_OF_THINGS))
    members = claims.KINDS_OF_THINGS[kind]
    answer = _pick(rng, [word for _, word in cuewords.KEYWORDS if word not in members])
    thing = f"{claims.ARTICLE[kind]} {kind}"
    instruction = _pick(rng, cuewords.CATEGORIES).format(c=thing, a=answer)
    return _finish(_talk(draft, instruction, _named(rng, kind, [answer] * 3)), number)


def quiet_count(rng: np.random.Generator, number: int) -> Item:
    """QUIET: the same is counted in silence; the number is told when the user asks for it."""
    draft, kind = _draft(rng, "QUIET"), _pick(rng, list(claims.KINDS_OF_THINGS))
    count, plural = int(rng.integers(2, 5)), claims.PLURAL[kind]
    instruction = _pick(rng, cuewords.QUIETLY).format(s=plural)
    draft = _talk(draft, instruction, _named(rng, kind, [None] * count))
    question = draft.speak(_pick(rng, cuewords.ASKED).format(s=plural), ack_s=None)
    right = vocabulary.NUMBERS[count]
    draft.due(right, question, 0.0, window_s=WINDOW_S, reply=True)
    return _finish(draft, number)


def _named(rng: np.random.Generator, kind: str, answers: Sequence[str | None]) -> list[Event]:
    """So many things of a kind, each answered, and somewhere between them something else."""
    others = [w for w in cuewords.COUNTED if w not in claims.KINDS_OF_THINGS[kind]]
    named = _some(rng, claims.KINDS_OF_THINGS[kind], len(answers))
    first, *openings = _openings(rng, len(answers) + 1)
    events = [
        Event(opening=f"{text} {word}", answer=answer)
        for text, word, answer in zip(openings, named, answers, strict=True)
    ]
    other = Event(opening=f"{first} {_pick(rng, others)}")
    events.insert(int(rng.integers(len(events) + 1)), other)
    return events


FAMILIES: dict[str, Callable[[np.random.Generator, int], Item]] = {
    "C1": keyword,
    "C2": code_switch,
    "C3": filler,
    "C4": wrong_fact,
    "C5": counter,
    "C6": shadow,
    "C7": wrong_sum,
    "C8": wrong_name,
    "C9": game,
    "NEG1": no_cue,
    "NEG2": near_miss,
    "NEG3": revoked,
}
NEGATIVE = tuple(name for name in FAMILIES if name.startswith("NEG"))
OF_A_KIND = {"STORY": story, "CATEGORY": category, "QUIET": quiet_count}  # in no headline


def items(num_per_family: int, seed: int) -> list[Item]:
    """`num_per_family` items of every family; the same for ever for the same seed."""
    return [
        make(np.random.default_rng([SEED_BASE, seed, index, family]), _number(seed, family, index))
        for family, make in enumerate((FAMILIES | OF_A_KIND).values())
        for index in range(num_per_family)
    ]


def _number(seed: int, family: int, index: int) -> int:
    return SEED_BASE + (seed * 100 + family) * 10_000 + index
