"""The suite translate: words, windows, order, lag and overlap by hand; items."""

import json
from dataclasses import replace

import pytest
from bench_helpers import hand_made, item, oracle_trace, said, value_in

from interplay.bench.suites import translate as suite
from interplay.bench.suites.translate_twin import phrases_of, twin
from interplay.bench.traces.trace import Trace, anchor_s
from interplay.data.item import At, AtWord, Speak
from interplay.data.texts.languages.lexicon import LANGUAGES
from interplay.data.texts.languages.sentences import sentence_of

WORDS = ("el", "coche", "rojo", "es", "caro")  # from 3.0 on, half a second each; then on to 9.0
USER = (
    *(("asked", 0.5, 1.5),),
    *((word, 3.0 + 0.5 * k, 3.5 + 0.5 * k) for k, word in enumerate(WORDS)),
    *(("otra", 5.5, 9.0),),
)
CUES = ((0.5, 1.5), (3.0, 5.5), (5.5, 9.0))
PHRASES = [  # may be said from 4.5 and from 5.5 on
    {"text": "the red car", "cue": 1, "word": 2, "counted": ["red", "car"], "is_new": True},
    {"text": "is expensive", "cue": 1, "word": 4, "counted": ["expensive"], "is_new": False},
]
ITEM = replace(
    item(
        *[said("x")] * 3,
        length_s=16.0,
        kind="translate",
        expect=[
            AtWord(text=(phrase["text"],), after=1, word=phrase["word"], due_s=0.4)
            for phrase in PHRASES
        ],
    ),
    subset="spanish",
    about={"phrases": PHRASES},
)


def spoken(*parts: tuple[str, float]) -> Trace:
    """Texts that begin at times, 0.3 s a word."""
    words = [(word, at + 0.3 * k) for text, at in parts for k, word in enumerate(text.split())]
    voice = [(at, at + 0.3 * len(text.split()) - 0.01) for text, at in parts]
    return replace(hand_made(ITEM, say=words, voice=voice, cues=CUES), user_words=USER)


def value(trace: Trace, row: str) -> float | None:
    [found] = [r for r in suite.ROWS if r.name == f"translate_{row}"]
    return value_in(found, suite.score([trace])[found.name])


def test_a_phrase_is_anchored_in_the_word_that_completes_it():
    assert [anchor_s(e, CUES, USER) for e in ITEM.expect if isinstance(e, At)] == [4.5, 5.5]
    plain = At(text=("x",), after=1, due_s=1.0)
    assert anchor_s(plain, CUES, USER) == 5.5 and anchor_s(plain, (None,) * 3, ()) is None


def test_content_words_count_once_each_within_four_seconds():
    right = spoken(("the red car", 5.0), ("is expensive", 6.2))
    assert value(right, "acc") == value(right, "spanish") == value(right, "order") == 1
    assert value(right, "new_pairs") == 1 and value(right, "german") is None
    assert value(right, "no_response") == value(right, "extra") == 0
    assert value(spoken(("the car", 5.0)), "acc") == pytest.approx(1 / 3)
    assert value(spoken(("car car car", 5.0)), "acc") == pytest.approx(1 / 3)
    assert value(spoken(("the red car", 3.0)), "acc") == 0, "before it was said"
    assert value(spoken(("red", 8.4), ("car", 8.8)), "acc") == pytest.approx(1 / 3)
    assert value(spoken(("el coche rojo es caro", 4.0)), "acc") == 0
    assert value(spoken(), "acc") == 0 and value(spoken(), "no_response") == 1


def test_words_in_the_order_of_the_source_are_told_from_english():
    assert value(spoken(("the car red", 5.0)), "order") == 0
    assert value(spoken(("the car red", 5.0)), "acc") == pytest.approx(2 / 3)
    assert value(spoken(("expensive", 6.0)), "order") is None


def test_the_lag_runs_to_the_first_word_of_the_phrase():
    assert value(spoken(("the red car", 5.0)), "lag_s") == pytest.approx(0.5)
    assert value(spoken(("la red car", 5.0)), "lag_s") == pytest.approx(0.8)
    assert value(spoken(("purple", 5.0)), "lag_s") is None


def test_overlap_is_of_what_is_translated_while_the_user_could_go_on():
    assert value(spoken(("the red car", 5.0)), "overlap") == 1
    waits = spoken(("the red car", 9.9), ("is expensive", 11.0))
    assert value(waits, "overlap") == 0 and value(waits, "acc") == 0
    assert value(spoken(), "overlap") is None


def test_words_that_fit_nothing_are_extra():
    assert value(spoken(("okay", 1.9), ("the red car", 5.0)), "extra") == 0
    assert value(spoken(("the red dog", 5.0)), "extra") == pytest.approx(1 / 3)


def test_items_are_the_same_for_ever_and_hold_in_json():
    items = twin(2, 0)
    assert items == twin(2, 0) and items != twin(2, 1)
    assert [what.subset for what in items] == [name for name in LANGUAGES for _ in range(2)]
    for what in items:
        stored = replace(what, about=json.loads(json.dumps(what.about)))
        assert phrases_of(stored) == phrases_of(what)


def test_items_hold_test_sentences_one_after_another():
    for what in twin(3, 4):
        asked, *cues = [cue for cue in what.cues if isinstance(cue, Speak)]
        assert what.subset in asked.text and asked.voice.startswith("espeak:en-us+")
        assert {cue.voice for cue in cues} == {asked.voice.replace("en-us", _accent(cues[0]))}
        assert all(cue.at.seconds < 0.6 for cue in cues[1:]), "shorter than a turn's end"
        phrases = phrases_of(what)
        for number, cue in enumerate(cues, 1):
            sentence = sentence_of(cue.text)
            assert (sentence.language, sentence.split) == (what.subset, "test")
            mine = [phrase for phrase in phrases if phrase.cue == number]
            assert [phrase.text for phrase in mine] == [said.text for said in sentence.english]
            assert mine[-1].word == len(cue.text.split()) - 1
        heard = {word for cue in cues for word in cue.text.split()}
        assert all(p.counted and not heard & set(p.counted) for p in phrases)


def _accent(cue: Speak) -> str:
    return cue.voice.split(":")[1].split("+")[0]


def test_who_waits_for_the_end_translates_nothing_in_time():
    [what, _] = twin(1, 2)
    perfect, waits = (oracle_trace(name, what) for name in ("perfect", "half_duplex"))
    assert value(perfect, "acc") == value(perfect, "order") == 1
    assert (value(waits, "acc") or 0.0) < 0.3 and value(waits, "overlap") == 0
