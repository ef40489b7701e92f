"""Forced alignment: against times that are known, and what it does where words do not fit."""

import numpy as np
import pytest

from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.align import Aligner, Pronunciation, share_evenly
from interplay.data.phones import PHONE_ID
from interplay.data.speech import synthesize
from interplay.errors import SynthError

TEXTS = ("what is seven plus five", "the happy birds fly over a green house", "mm hmm", "s e a")
SEVEN = [tuple(PHONE_ID[name] for name in ["S", "EH", "V", "AX", "N"])]


def known(text: str) -> tuple[np.ndarray, list[list[Pronunciation]], list[tuple[float, float]]]:
    """The sound of a text, the phones of its words and their times; skips without flite."""
    try:
        utterance = synthesize(text, "flite:awb")
    except SynthError as error:
        pytest.skip(str(error))
    starts = [start_s - 1e-4 for _, start_s, _ in utterance.words]
    words: list[list[int]] = [[] for _ in starts]
    for phone, start_s, _ in utterance.phones:
        words[int(np.searchsorted(starts, start_s, "right")) - 1].append(phone)
    spans = [(start_s, end_s) for _, start_s, end_s in utterance.words]
    return utterance.samples, [[tuple(word)] for word in words], spans


def test_words_are_found_where_the_engine_put_them():
    aligner = Aligner()
    errors = []
    for text in TEXTS:
        samples, words, spans = known(text)
        found = aligner.align(samples, words)
        assert found is not None
        assert [(w, p) for w, p, *_ in found] == [(n, p) for n, w in enumerate(words) for p in w[0]]
        ends = {word: end_s for word, _, _, end_s in found}
        errors += [abs(ends[number] - end_s) for number, (_, end_s) in enumerate(spans)]
    assert np.median(errors) < 0.02
    assert np.quantile(errors, 0.95) < 0.06


def test_what_was_heard_before_changes_no_time():
    sounds = [known(text)[:2] for text in TEXTS]
    forwards, backwards = Aligner(), Aligner()
    there = [forwards.align(*sound) for sound in sounds]
    back = [backwards.align(*sound) for sound in reversed(sounds)]
    assert there == back[::-1]
    assert None not in there


def test_of_several_ways_the_one_that_was_said_is_timed_and_silence_does_not_matter():
    samples, words, _ = known("seven birds")
    words[0].insert(0, tuple(PHONE_ID[name] for name in ("AW", "CH", "OY")))
    quiet = np.zeros(SAMPLE_RATE_HZ, np.int16)
    aligner = Aligner()
    found, later = aligner.align(samples, words), aligner.align(np.append(quiet, samples), words)
    assert found is not None and later is not None
    assert tuple(phone for word, phone, *_ in found if word == 0) == words[0][1]
    shifts = [after[2] - before[2] for before, after in zip(found, later, strict=True)]
    assert max(abs(shift - 1) for shift in shifts) < 0.02


def test_words_that_do_not_fit_are_not_aligned_and_share_the_sound_evenly():
    samples, _, _ = known("go")
    words = [SEVEN] * 30
    assert Aligner().align(samples, words) is None
    times = share_evenly(samples, words)
    assert [word for word, *_ in times] == [number for number in range(30) for _ in range(5)]
    lengths = [end_s - start_s for *_, start_s, end_s in times]
    assert max(lengths) - min(lengths) < 1e-6
    assert 0.9 * len(samples) < sum(lengths) * SAMPLE_RATE_HZ <= len(samples)
    with pytest.raises(SynthError, match="silence"):
        share_evenly(np.zeros(1600, np.int16), words)
