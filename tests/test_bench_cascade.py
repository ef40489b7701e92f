"""The cascade: end-pointing, rules, hearing through pocketsphinx, deafness and barge-in."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
from bench_helpers import item

from interplay.bench.playing.logical_clock import System, play
from interplay.bench.systems.cascade.ear import Ear, Endpointer
from interplay.bench.systems.cascade.language import arpa, forms, words_of
from interplay.bench.systems.cascade.replies import UNKNOWN, Rules
from interplay.bench.systems.cascade.system import Cascade, Talk
from interplay.bench.wording.written import speakable
from interplay.data.item import Say, Speak, Type, When
from interplay.data.speech import synthesize
from interplay.data.texts import questions, vocabulary
from interplay.errors import ConfigError

TURN = 3200
FLOOR = np.random.default_rng(0).normal(0, 1e-3, 400 * TURN).astype(np.float32)
VOICE = "espeak:en-us"


def sound(text: str, voice: str = "espeak:en-us+f3") -> np.ndarray:
    return synthesize(text, voice).samples.astype(np.float32) / 32768


def track(*parts: tuple[float, np.ndarray], length_s: float) -> np.ndarray:
    """float32: the floor with sounds at their times."""
    samples = FLOOR[: int(length_s * 5) * TURN].copy()
    for start_s, part in parts:
        start = round(start_s * 16_000)
        samples[start : start + len(part)] += part
    return samples


def turns(samples: np.ndarray) -> list[np.ndarray]:
    return [samples[i : i + TURN] for i in range(0, len(samples), TURN)]


# Ears


def test_an_utterance_ends_after_0_7_s_of_silence():
    part = sound("how are you today")
    heard = track((1.0, part), length_s=5)
    ends = Endpointer()
    found = [(index, u) for index, turn in enumerate(turns(heard)) for u in ends.push(turn)]
    [(index, utterance)] = found
    end_s = 1.0 + len(part) / 16_000
    assert end_s + 0.5 <= 0.2 * (index + 1) <= end_s + 1.1
    assert len(part) <= len(utterance) <= len(part) + 1.3 * 16_000
    assert not ends.in_speech
    assert not [u for turn in turns(track(length_s=5)) for u in Endpointer().push(turn)]


def test_a_short_breath_ends_nothing_and_a_long_one_does():
    part = sound("how are you")
    for gap_s, num in ((0.4, 1), (1.4, 2)):
        again_s = 0.5 + len(part) / 16_000 + gap_s
        heard = track((0.5, part), (again_s, part), length_s=6)
        ends = Endpointer()
        assert sum(len(ends.push(turn)) for turn in turns(heard)) == num


def test_the_language_is_all_that_users_say_and_no_item():
    assert "what is <number> plus <number>" in forms()
    asked = {word for split in questions.SPLITS for q in questions.facts(split)
             for word in q.text.split()}  # fmt: skip
    assert asked | set(vocabulary.CONTENT) <= set(words_of(forms()))


def test_the_trigram_model_is_a_distribution():
    grams: dict[tuple, tuple[float, float]] = {}
    for line in arpa().splitlines():
        if line.startswith("-"):
            first, *rest = line.split()
            weight = float(rest.pop()) if rest[-1].lstrip("-")[:1].isdigit() else 0.0
            grams[tuple(rest)] = (float(first), weight)
    words = [gram[0] for gram in grams if len(gram) == 1 and gram != ("<s>",)]

    def chance(gram: tuple) -> float:
        if gram in grams:
            return 10 ** grams[gram][0]
        backoff = grams.get(gram[:-1], (0.0, 0.0))[1]
        return 10**backoff * chance(gram[1:])

    for context in ((), ("what",), ("what", "is"), ("<s>", "tell"), ("plus", "four")):
        assert sum(chance((*context, word)) for word in words) == pytest.approx(1, abs=2e-3)
    assert chance(("seven", "plus", "four")) > 100 * chance(("seven", "plus", "banana"))


def test_what_was_heard_before_changes_nothing(cascade: Cascade):
    heard = (synthesize(text, VOICE).samples for text in ("count to six", "good morning"))
    first, other = (np.pad(samples, 4000) for samples in heard)
    ear = cascade._ear
    ear.words(first)
    score = ear._decoder.hyp().score
    ear.words(other)
    ear.words(first)
    assert ear._decoder.hyp().score == score


# Rules


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("what is two plus three", "five"),
        ("tell me the opposite of hot", "cold"),
        ("say yellow apple", "yellow apple"),
        ("can you say market", "market"),
        ("who wrote the golden book", UNKNOWN),
        ("my hat is in the car", "okay"),
        ("yeah", ""),
        ("", ""),
        ("stop", ""),
    ],
)
def test_rules(text: str, answer: str):
    assert Rules().reply(text, 1.0, 2.0) == answer


def test_a_timer_waits_until_it_is_spoken_to():
    rules = Rules()
    assert rules.reply("say tea in five seconds", 1.0, 2.0) == "okay"
    assert rules.reply("what is two plus two", 4.0, 5.0) == "four"
    assert rules.reply("what is two plus two", 9.0, 10.0) == "tea four"
    assert rules.reply("what is two plus two", 19.0, 20.0) == "four"
    assert rules.reply("remind me to stretch every second", 23.0, 24.0) == "okay"
    assert rules.reply("say tea in one second", 24.5, 24.8) == "okay"
    assert rules.reply("hello", 26.0, 27.0) == "stretch tea hello"
    rules.reply("remind me to stretch every two seconds", 30.0, 31.0)
    rules.reply("stop", 31.5, 32.0)
    assert rules.reply("hello", 40.0, 41.0) == "hello"


def test_the_clock_and_what_was_said():
    rules = Rules()
    assert rules.reply("how long was that", 1.0, 2.0) == UNKNOWN
    rules.reply("start the clock", 2.0, 3.0)
    assert rules.reply("how long was that", 9.0, 10.2) == "seven seconds"
    rules.reply("my hat is in the car", 11.0, 12.0)
    assert rules.reply("what did i say", 13.0, 14.0) == "my hat is in the car"


def test_what_a_language_model_writes_becomes_speakable():
    assert speakable("It's 12 o'clock, **Bob**: 42!") == "it's twelve o'clock bob forty two"


# The whole


@pytest.fixture(scope="module")
def cascade() -> Cascade:
    return Cascade(synthesize=synthesize, voice=VOICE)


def test_it_answers_after_the_hang_over_and_does_not_hear_while_it_speaks(cascade: Cascade):
    assert isinstance(cascade, System)
    asked = Speak(text="count to six", voice="flite:rms", at=When(seconds=0.4))
    what = item(asked, expect=[Say(text=("one two three four five six",), after=0)], length_s=6.0)
    [played] = play([what], cascade, synthesize)
    assert " ".join(word.text for word in played.heard) == "count to six"
    assert " ".join(word.text for word in played.say) == "one two three four five six"
    end = played.cues[0]
    assert end and 0.7 <= played.voice[0][0] - end[1] <= 1.3
    long = Type(text="count to twelve", at=When(seconds=0.2))
    beside = Speak(text="good morning", voice="flite:rms", at=When(seconds=1.5))
    [played] = play([item(long, beside, length_s=6.0)], cascade, synthesize)
    assert played.heard == () and [word.text for word in played.say][-1] == "twelve"


def test_barge_in_stops_it(cascade: Cascade):
    talk = Talk(cascade._ear, Rules(), synthesize, voice=VOICE, barge_in=True, executor=None)
    heard = track((2.0, sound("is that enough or not")), length_s=4)
    emitted = []
    for index, turn in enumerate(turns(heard)):
        typed = ["<text>", "count", "to", "twelve", "<end>"] if index == 1 else []
        emitted.append(talk.push(turn, typed))
    loud = [bool(np.abs(e.voice).max() > 0.01) for e in emitted]
    assert all(loud[2:9]) and not any(loud[12:16])
    assert [piece for e in emitted[:2] for piece in e.say if piece][:1] == [" one"]


def test_thinking_elsewhere_answers_later_but_the_same(cascade: Cascade):
    busy = Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(busy.wait, 10)
        talk = Talk(cascade._ear, Rules(), synthesize, voice=VOICE, executor=pool)
        at_once = talk.push(FLOOR[:TURN], ["<text>", "hello", "<end>"])
        busy.set()
        pool.submit(lambda: None).result(10)
        later = [piece for _ in range(4) for piece in talk.push(FLOOR[:TURN]).say if piece]
        talk.close()
    assert not any(at_once.say) and later == [" hello"]


def test_typed_text_is_read_aloud(cascade: Cascade):
    what = item(Type(text="seven apples", at=When(seconds=0.4)), length_s=3.0)
    [played] = play([what], cascade, synthesize)
    assert [word.text for word in played.spoken()] == ["seven", "apples"]


def test_a_hang_over_of_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"0\.02"):
        Cascade(synthesize=synthesize, hangover_s=0.0)


def test_an_ear_knows_words_its_dictionary_lacks(cascade: Cascade):
    assert isinstance(cascade._ear, Ear)
    assert cascade._ear.words(np.zeros(16_000, np.int16) + 1) in ("", *vocabulary.BACKCHANNELS)
