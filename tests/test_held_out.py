"""What the training says is not what the benches say: sentences, wordings, cue words. No sound."""

from itertools import product

import numpy as np
import pytest
from family_helpers import POOLS

from interplay.bench.suites import (
    charades,
    delegate_twin,
    fdb3,
    gallery,
    long_timer,
    pvqa,
    repcount,
    tau_twin,
    translate_twin,
)
from interplay.data import cuespeak, timespeak
from interplay.data.corpus import CorpusPlan, plan_requests
from interplay.data.item import Speak
from interplay.data.texts import (
    cue_wordings,
    cuewords,
    everyday,
    kinds,
    notices,
    questions,
    templates,
    vocabulary,
    watchwords,
    wordings,
)

SHARED_WORDINGS = {timespeak.ONCE[0], timespeak.BEATS[0]}  # their contents are split
FIXED = {"stop", *vocabulary.CLOCK_START, *vocabulary.CLOCK_ASK}


@pytest.fixture(scope="module")
def training() -> set[str]:
    return {request.text for request in plan_requests(CorpusPlan(scale=0.03))}


def said_in(items) -> set[str]:
    return {cue.text for item in items for cue in item.cues if isinstance(cue, Speak)}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_sentence_of_the_cue_and_time_benches_is_trained_on(training, seed):
    cues = {text for text in said_in(cuespeak.items(6, seed)) if len(text.split()) > 1}
    assert not cues & training
    times = said_in(timespeak.items(6, seed)) - FIXED
    asked = {text for text in times if any(char in text for char in (" second", " count"))}
    reminders = {text for text in asked if text.startswith("remind me to ")}
    assert len(asked) > 30 and not (asked - reminders) & training


def test_reminders_have_the_words_of_the_bench_and_not_its_sentences():
    sentences = {text for text, _ in timespeak.SENTENCES}
    assert sentences == notices.HELD_OUT
    rng = np.random.default_rng(0)
    drawn = {notices.draw(rng) for _ in range(5000)}
    assert len(drawn) > 250 and not drawn & sentences
    words = {word for text in drawn for word in text.split()}
    assert {word for text in sentences for word in text.split()} <= words
    requests = plan_requests(CorpusPlan(scale=0.03))
    spoken = {request.text for request in requests if request.role == "own"}
    asked = [request.text for request in requests if request.tag == "reminder"]
    said = {text for asks in asked for text in kinds.asked_for("reminder", asks)}
    assert len(asked) == 60 and said <= spoken


def _all_wordings() -> list[str]:
    found = []
    for value in [*vars(wordings).values(), *vars(cue_wordings).values()]:
        if isinstance(value, templates.Wordings):
            found += [template.replace("{t}", "{n} seconds") for template in value.plain]
        elif isinstance(value, tuple):
            found += value
    return found


def test_wordings_of_the_benches_are_not_those_of_the_training():
    groups = (timespeak.ONCE, timespeak.REMIND, timespeak.BEATS, timespeak.TURNS, timespeak.MOVED)
    groups += (timespeak.INSTEAD, timespeak.FIRST_ONE, timespeak.TALKED, timespeak.CANCELS)
    mine = {template.replace("{w}", "{x}").replace("{v}", "{y}") for template in _all_wordings()}
    theirs = {template for group in groups for template in group}
    assert theirs & mine <= SHARED_WORDINGS
    assert not set(tau_twin.ASIDES) & set(kinds.ASIDES)
    called = {phrase.words for phrase, _ in fdb3.PHRASES}
    assert not {w.replace("{w}", "{x}") for c in kinds.CALLS for w in c.plain} & called


def test_cues_of_the_bench_are_agreed_in_other_words():
    agreed = {
        next(c.text for c in item.cues if isinstance(c, Speak)) for item in cuespeak.items(4, 0)
    }
    mine = [value for value in vars(cue_wordings).values() if type(value) is templates.Wordings]
    fixed = {text for text in _all_wordings() if "{" not in text}
    assert len(agreed) > 20 and not agreed & fixed
    for wording, text in product(mine, agreed):
        with pytest.raises(KeyError):
            wording.parse(text)


def test_translations_of_the_bench_are_asked_for_and_spoken_in_other_words(training):
    said = said_in(translate_twin.twin(6, 0))
    assert len(said) > 50 and not said & training
    asks = {ask.replace("{}", "{l}") for ask in translate_twin.ASKS}
    assert not asks & set(cue_wordings.TRANSLATE.templates)


def test_nothing_asked_of_the_camera_in_the_benches_is_trained_on():
    texts = {text for tag in watchwords.EYES_TAGS for text in watchwords.training_asks(tag)}
    scenes = [gallery.draw(name, 0) for name in ("friend", "push-ups", "safety")]
    films = [item for suite in (repcount, charades, pvqa) for item in suite.SUITE.twin(6, 0)]
    asked = {next(iter(said_in([item]))) for item in films} | {
        next(cue.text for cue in item.cues if isinstance(cue, Speak)) for item in scenes
    }
    assert len(asked) > 15 and len(texts) > 80 and not asked & texts


def test_nothing_said_about_delegations_and_long_timers_is_trained_on(training):
    said = said_in(delegate_twin.twin(6, 0))
    assert len(said) > 40 and not said & training
    assert not {*delegate_twin.FAILED} & {*kinds.SORRY}
    for what in long_timer.twin(4, 0):
        asked = {text for text in said_in([what]) if "four minutes" in text}
        assert len(asked) == 1 and not asked & training


def test_cue_words_of_the_benches_are_no_cues_and_test_words_no_payloads(training):
    rng = np.random.default_rng(0)
    for _ in range(100):
        slots = cue_wordings.CUE.parse(kinds.cue(rng, POOLS)).slots
        assert slots["w"] not in {*dict(cuewords.KEYWORDS), *cuewords.COUNTED, "shoot"}
        assert questions.split_of(slots["a"]) == questions.split_of(slots["w"]) == "train"
        slots = wordings.TWO.parse(kinds.two(rng, POOLS)).slots
        assert {questions.split_of(slots[name]) for name in "xy"} == {"train"}
    words = {word for text in training for word in text.split()}
    assert not words & set(vocabulary.UNSEEN)
    others = training - set(everyday.examples(everyday.folder()))
    nouns = {*everyday.nouns(everyday.folder())}
    assert not nouns & {*kinds.HELD_OUT_CUES} - {"shoot"}
    assert len({word for text in others for word in text.split()} - nouns) <= 1500


@pytest.mark.parametrize("tag", sorted(kinds.KINDS))
def test_texts_can_be_spoken_and_requests_be_understood(tag):
    rng = np.random.default_rng(1)
    found = [kinds.KINDS[tag].draw(rng, POOLS) for _ in range(20)]
    assert all(text == text.lower().strip() and text.isascii() for text in found)


WORDINGS = vars(wordings) | vars(cue_wordings)


@pytest.mark.parametrize(
    "name", [name for name, value in WORDINGS.items() if type(value) is templates.Wordings]
)
def test_a_request_is_taken_apart_as_it_was_put_together(name):
    wording = WORDINGS[name]
    slots = {"x": "river table", "y": "moon", "t": "five seconds", "u": "two minutes", "w": "first"}
    slots |= {"v": "piano", "n": "four", "a": "yellow", "c": "an animal", "s": "animals"}
    slots |= {"k": "uncle", "m": "anna", "l": "german"}
    for template, text in zip(wording.templates, wording.plain, strict=True):
        filled = text.format(**slots)
        request = wording.parse(filled)
        assert request.slots == {key: slots[key] for key in request.slots}
        assert all(f"{{{key}}}" in template for key in request.slots)
        words, marks = filled.split(), request.marks
        quoted = [words[place] for place in marks.quotes]
        assert len(quoted) == template.count('"') // 2
        assert set(quoted) <= {value.split()[0] for value in slots.values()}
        awaited = [words[place] for place in marks.waits]
        assert len(awaited) == template.count("[")
        assert set(awaited) <= {slots[key].split()[-1] for key in "wcsk"}
        ended = {words[place - 1] for place in marks.ends}
        assert ended <= {value.split()[-1] for value in slots.values()}
        assert len(marks.ends) in (len(quoted + awaited), len(quoted + awaited) - 1)


def test_what_no_wording_fits_is_an_error():
    with pytest.raises(KeyError, match="sing me a song"):
        wordings.ONCE.parse("sing me a song")
    assert templates.seconds_of(templates.spoken_time(30)) == 30
    assert (
        templates.seconds_of("three minutes") == 180 and templates.spoken_time(60) == "one minute"
    )
