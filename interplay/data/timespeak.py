"""TimeSpeak-open: requests to speak at a given time, in nine families, as test items.

F1 one delay, F2 a beat until told to stop, F3 two words in turn on a beat, F4 a countdown, F5 a
delay from an event after the request, F6 a delay with talk in between, F7 two timers, F8 elapsed
time, F9 a timer that is moved or taken out of two; and NEG, a timer that is cancelled, which wants
silence. LONGER stands beside them: a sign as soon as something takes longer than it did before.
Every item has random numbers of its own: a family that is added moves no other. The first
wording of F1, F2 and of the stopwatch is the
one that the small models are trained on. Knows nothing of how answers are scored.
"""

from collections.abc import Callable

import numpy as np

from interplay.data.item import Item
from interplay.data.moments import Draft, Stretch
from interplay.data.texts import cuewords, questions, vocabulary
from interplay.data.texts.questions import split_of
from interplay.data.voices import random_voice

SEED_BASE = 7_400_000  # no training seed is near
DELAYS = (3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30)
_DELAY_SHARES = np.array([2, 2, 3, 3, 3, 3, 3, 3, 2, 2, 1, 1]) / 28
PERIODS = (3, 4, 5, 6, 7, 8, 9, 10)
REPLY_LO_S, REPLY_HI_S = -0.5, 2.0  # of an answer to a question in between
SETTLED_S = 2.0  # after a stop or a cancellation nothing may sound from here on

NUMBERS = [*vocabulary.NUMBERS, *[""] * 9, "thirty"]
SENTENCES = (
    ("the kettle is ready", (("kettle",), ("water", "ready"))),
    ("dinner is on the table", (("dinner",),)),
    ("the train is leaving", (("train",),)),
    ("it is your turn", (("your", "turn"),)),
    ("the egg is done", (("egg",),)),
    ("the break is over", (("break", "over"),)),
)
ONCE = (
    "say {x} in {n} seconds",
    "in {n} seconds say {x}",
    "please say {x} in {n} seconds",
    "wait {n} seconds and then say {x}",
    "{n} seconds from now say {x}",
)
REMIND = ("remind me in {n} seconds that {x}", "in {n} seconds tell me that {x}")
BEATS = (
    "remind me to {x} every {n} seconds",
    "remind me to {x} every {n} seconds until i say stop",
    "every {n} seconds remind me to {x}",
    "i want to practice so say {x} every {n} seconds until i ask you to stop",
)
TURNS = (
    "every {n} seconds say {x} and then {y} in turn",
    "say {x} and {y} in turn one word every {n} seconds",
    "alternate between {x} and {y} every {n} seconds and start with {x}",
)
TURN_WORDS = (("in", "out"), ("left", "right"), ("up", "down"), ("push", "pull"), ("open", "close"))
COUNTDOWNS = {
    1: ("count down from {k} one number per second", "count from {k} to one once a second"),
    2: (
        "count down from {k} one number every two seconds",
        "count from {k} to one a number every two seconds",
    ),
}
TALKED = (
    "tell me when i have talked for {n} seconds",
    "i am going to talk now so tell me when {n} seconds of it are over",
)
MOVED = (
    "actually make it {n} seconds from now",
    "change that to {n} seconds from now",
    "no wait say it {n} seconds from now",
)
INSTEAD = (
    "cancel that and say {x} in {n} seconds",
    "forget that and say {x} in {n} seconds instead",
)
FIRST_ONE = ("cancel the first one", "never mind the first one", "you can forget the first one")
LONGER = (
    "now do it once more and say longer as soon as it takes more time than before",
    "i begin again so say longer if i need more time than i did just now",
)
CANCELS = ("forget that", "cancel it please", "please forget it", "no cancel that one")
FIRST_NUMBER_S = 0.5  # a countdown begins at once


def _draft(rng: np.random.Generator, family: str) -> Draft:
    return Draft(
        family=family,
        rng=rng,
        voice=random_voice(rng, "test"),
        gain_db=float(rng.uniform(-8, 4)),
    )


def _pick(rng: np.random.Generator, values):
    return values[int(rng.integers(len(values)))]


def _words(rng: np.random.Generator, low: int = 1, high: int = 2) -> str:
    """Known words of the test split; no numbers, which are also in every request."""
    while True:
        text = questions.phrase(rng, low, high)
        if split_of(text) == "test" and not set(text.split()) & set(vocabulary.NUMBERS):
            return text


def _delay(rng: np.random.Generator, low: int = 3, high: int = 30) -> int:
    while not low <= (seconds := int(rng.choice(DELAYS, p=_DELAY_SHARES))) <= high:
        pass
    return seconds


def one_delay(rng: np.random.Generator, number: int) -> Item:
    """F1: one utterance, 3 to 30 s after the request."""
    draft, seconds = _draft(rng, "F1"), _delay(rng)
    if rng.random() < 0.7:
        text, alternatives = _words(rng), ()
        template = ONCE[0] if rng.random() < 0.5 else _pick(rng, ONCE[1:])
    else:
        text, alternatives = _pick(rng, SENTENCES)
        template = _pick(rng, REMIND)
    asked = draft.speak(template.format(x=text, n=NUMBERS[seconds]))
    draft.due(text, asked, seconds, alternatives=alternatives)
    return draft.item("timespeak", number, 0)


def _beats(draft: Draft, asked: int, period: int, texts: list[str]) -> int:
    """Texts on a beat, then "stop" instead of the last one, then silence; returns the probe."""
    *texts, never = texts
    for number, text in enumerate(texts, 1):
        draft.due(text, asked, period * number, delay_s=period, beat=number)
    wait_s = period * len(texts) + min(1.9, 0.5 * period)
    stop = draft.speak("stop", wait_s, after=asked)
    draft.take_back(never, asked, period * (len(texts) + 1), delay_s=period)
    draft.quiet.append(Stretch(after=stop, from_s=SETTLED_S))
    return int(draft.rng.integers(1, min(3, len(texts))))


def beat(rng: np.random.Generator, number: int) -> Item:
    """F2: the same words every 3 to 10 s, 3 to 6 times, until told to stop."""
    draft, period = _draft(rng, "F2"), int(_pick(rng, PERIODS))
    words = _pick(rng, vocabulary.REMINDERS)
    template = BEATS[0] if rng.random() < 0.5 else _pick(rng, BEATS[1:])
    asked = draft.speak(template.format(x=words, n=NUMBERS[period]))
    times = int(rng.integers(3, 7 if period < 5 else 4))
    return draft.item("timespeak", number, _beats(draft, asked, period, [words] * (times + 1)))


def turns(rng: np.random.Generator, number: int) -> Item:
    """F3: two words in turn every 3 to 6 s, until told to stop."""
    draft, period = _draft(rng, "F3"), int(_pick(rng, PERIODS[:4]))
    pair = _pick(rng, TURN_WORDS)
    text = _pick(rng, TURNS).format(x=pair[0], y=pair[1], n=NUMBERS[period])
    times = int(rng.integers(3, 7 if period < 5 else 5))
    texts = [pair[k % 2] for k in range(times + 1)]
    asked = draft.speak(text)
    return draft.item("timespeak", number, _beats(draft, asked, period, texts))


def countdown(rng: np.random.Generator, number: int) -> Item:
    """F4: numbers downwards, one every one or two seconds, beginning at once."""
    draft, period = _draft(rng, "F4"), int(rng.integers(1, 3))
    draft.gap_s = 0.3 if period == 1 else 0.5  # half a second of a word leaves half of silence
    high = int(rng.integers(4, 9))
    asked = draft.speak(_pick(rng, COUNTDOWNS[period]).format(k=NUMBERS[high]))
    for beat_number, value in enumerate(range(high, 0, -1), 1):
        due_s = FIRST_NUMBER_S + period * (beat_number - 1)
        draft.due(NUMBERS[value], asked, due_s, delay_s=period, beat=beat_number)
    return draft.item("timespeak", number, 2)


def event(rng: np.random.Generator, number: int) -> Item:
    """F5: a delay that begins with something said after the request."""
    draft, seconds = _draft(rng, "F5"), _delay(rng, 3, 10)
    text = _words(rng)
    if rng.random() < 0.5:
        word = _pick(rng, cuewords.EVENT_WORDS)
        while word in text.split():
            text = _words(rng)
        draft.speak(f"{NUMBERS[seconds]} seconds after i say {word} say {text}")
        before = f"yesterday i saw a {_pick(rng, vocabulary.ADJECTIVES)} {word}"
        anchor = draft.speak(before, float(rng.uniform(2.5, 4.5)))
    else:
        draft.speak(f"say {text} {NUMBERS[seconds]} seconds after i finish talking")
        draft.speak(questions.statement(rng), float(rng.uniform(0.4, 0.8)))
        anchor = draft.speak(questions.statement(rng), float(rng.uniform(0.4, 0.8)))
    return draft.item("timespeak", number, draft.due(text, anchor, seconds))


def between(rng: np.random.Generator, number: int) -> Item:
    """F6: a delay; meanwhile a question that wants its answer, or talk that goes on until after
    the utterance is due."""
    draft, text = _draft(rng, "F6"), _words(rng)
    if rng.random() < 0.5:
        seconds = int(rng.integers(9, 13))
        asked = draft.speak(ONCE[0].format(x=text, n=NUMBERS[seconds]))
        pool = [q for q in questions.facts("test") if q.kind != "spelling"]
        while True:
            other = _pick(rng, pool)
            if not set(other.answer.split()) & set(text.split()):
                break
        question = draft.speak(other.text, float(rng.uniform(1.0, 1.6)))
        window_s = (REPLY_LO_S, REPLY_HI_S)
        draft.due(other.answer, question, 0.0, window_s=window_s, reply=True)
    else:
        seconds = int(rng.integers(4, 9))
        asked = draft.speak(ONCE[0].format(x=text, n=NUMBERS[seconds]))
        begun_s = 1.0
        while begun_s < seconds + 1.5:
            chat = questions.statement(rng)
            if not set(chat.split()) & set(text.split()):
                wait_s = float(rng.uniform(0.3, 0.6)) if begun_s > 1.0 else 1.2
                draft.speak(chat, wait_s)
                begun_s += wait_s + 0.28 * len(chat.split())
    return draft.item("timespeak", number, draft.due(text, asked, seconds))


def two_timers(rng: np.random.Generator, number: int) -> Item:
    """F7: two utterances at two times; the later one decides."""
    draft, (one, other), (first, second) = _draft(rng, "F7"), _two(rng), _two_delays(rng)
    text = f"in {NUMBERS[first]} seconds say {one} and in {NUMBERS[second]} seconds say {other}"
    asked = draft.speak(text)
    draft.due(one, asked, first)
    return draft.item("timespeak", number, draft.due(other, asked, second))


def _two(rng: np.random.Generator) -> tuple[str, str]:
    one = _words(rng, 1, 1)
    while (other := _words(rng, 1, 1)) == one:
        pass
    return one, other


def _two_delays(rng: np.random.Generator) -> tuple[int, int]:
    first = int(rng.integers(4, 8))
    return first, first + int(rng.integers(4, 8))


def elapsed(rng: np.random.Generator, number: int) -> Item:
    """F8: the seconds between two utterances told when asked for (one more or less is right), or a
    sign, given while the user talks, when they have talked for so long."""
    draft = _draft(rng, "F8")
    if number % 2 == 0:  # every second item: a turn-taker can answer this one
        probe, _ = _timed(draft, float(rng.uniform(4.0, 9.0)))
        return draft.item("timespeak", number, probe)
    seconds, wait_s = int(rng.integers(6, 12)), 1.6
    asked = draft.speak(_pick(rng, TALKED).format(n=NUMBERS[seconds]), ack_s=1.5)
    spoken_s, first = 0.0, True
    while spoken_s < seconds + 3.0:
        chat = questions.statement(rng)
        draft.speak(chat, wait_s if first else 0.15, ack_s=None)
        spoken_s += 0.25 * len(chat.split())  # a fast voice
        first = False
    alternatives = (("now",), (NUMBERS[seconds],), ("time",))
    probe = draft.due("now", asked, wait_s + seconds, alternatives=alternatives)
    return draft.item("timespeak", number, probe)


def _timed(draft: Draft, gap_s: float) -> tuple[int, int]:
    """A clock is started, and after `gap_s` its seconds are asked for: the moment at which they are
    told, and how many they are, from the word "start" to the middle of the question."""
    ask = _pick(draft.rng, vocabulary.CLOCK_ASK)
    draft.speak(_pick(draft.rng, vocabulary.CLOCK_START))
    asked = draft.speak(ask, gap_s)
    middle = round(gap_s + 0.3 * len(ask.split()) / 2)
    right = tuple((NUMBERS[k],) for k in (middle, middle - 1, middle + 1))
    window_s = (REPLY_LO_S, REPLY_HI_S)
    text = f"{NUMBERS[middle]} seconds"
    told = draft.due(text, asked, 0.0, alternatives=right, window_s=window_s, reply=True)
    return told, middle


def changed(rng: np.random.Generator, number: int) -> Item:
    """F9: a timer is moved, replaced, or taken out of two; the others still go off."""
    kind, draft = int(rng.integers(3)), _draft(rng, "F9")
    if kind == 2:
        (one, other), (first, second) = _two(rng), _two_delays(rng)
        first, second = first + 3, second + 5
        asked = draft.speak(
            f"in {NUMBERS[first]} seconds say {one} and in {NUMBERS[second]} seconds say {other}"
        )
        draft.speak(_pick(rng, FIRST_ONE), float(rng.uniform(1.2, 2.0)))
        draft.take_back(one, asked, first)
        return draft.item("timespeak", number, draft.due(other, asked, second))
    (text, other), old = _two(rng), int(rng.integers(6, 10))
    asked = draft.speak(ONCE[0].format(x=text, n=NUMBERS[old]))
    new = int(rng.integers(4, 11))
    while abs(old - 3.2 - new) < 2.5:  # the old time must not pass for the new one
        new = int(rng.integers(3, 16))
    draft.take_back(text, asked, old)
    if kind == 0:
        moved = draft.speak(_pick(rng, MOVED).format(n=NUMBERS[new]), float(rng.uniform(1.2, 1.8)))
        return draft.item("timespeak", number, draft.due(text, moved, new))
    template = _pick(rng, INSTEAD)
    moved = draft.speak(template.format(x=other, n=NUMBERS[new]), float(rng.uniform(1.2, 1.8)))
    return draft.item("timespeak", number, draft.due(other, moved, new))


def cancelled(rng: np.random.Generator, number: int) -> Item:
    """NEG: a timer that is cancelled; silence is wanted until the item ends."""
    draft, text, seconds = _draft(rng, "NEG"), _words(rng), int(rng.integers(6, 11))
    asked = draft.speak(ONCE[0].format(x=text, n=NUMBERS[seconds]))
    cancel = draft.speak(_pick(rng, CANCELS), float(rng.uniform(1.2, 1.8)))
    draft.take_back(text, asked, seconds)
    draft.quiet.append(Stretch(after=cancel, from_s=SETTLED_S))
    return draft.item("timespeak", number, None)


def longer(rng: np.random.Generator, number: int) -> Item:
    """LONGER: seconds are told when asked for; then they run again, from the end of the request,
    and a sign is due a second after that number, at the earliest after as long as the first time.
    """
    draft, gap_s = _draft(rng, "LONGER"), float(rng.uniform(3.0, 6.0))
    _, middle = _timed(draft, gap_s)
    again = draft.speak(_pick(rng, LONGER), float(rng.uniform(2.5, 3.5)))
    window_s = (gap_s - (middle + 1), REPLY_HI_S)
    probe = draft.due("longer", again, middle + 1, window_s=window_s)
    return draft.item("timespeak", number, probe)


FAMILIES: dict[str, Callable[[np.random.Generator, int], Item]] = {
    "F1": one_delay,
    "F2": beat,
    "F3": turns,
    "F4": countdown,
    "F5": event,
    "F6": between,
    "F7": two_timers,
    "F8": elapsed,
    "F9": changed,
    "NEG": cancelled,
}
BESIDE = {"LONGER": longer}  # in no headline


def items(num_per_family: int, seed: int) -> list[Item]:
    """`num_per_family` items of every family; the same for ever for the same seed."""
    return [
        make(np.random.default_rng([SEED_BASE, seed, index, family]), _number(seed, family, index))
        for family, make in enumerate((FAMILIES | BESIDE).values())
        for index in range(num_per_family)
    ]


def _number(seed: int, family: int, index: int) -> int:
    return SEED_BASE + (seed * 100 + family) * 10_000 + index
