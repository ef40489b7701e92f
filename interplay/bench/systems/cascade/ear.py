"""Ears of the cascade: where an utterance ends (webrtcvad) and which words it has (pocketsphinx).

Knows nothing of items or replies.
"""

import tempfile
from collections import deque
from pathlib import Path

import numpy as np
import pocketsphinx
import webrtcvad
from jaxtyping import Float32, Int16

from interplay.bench.listening.grammar import dictionary_phones
from interplay.bench.playing.stage import Synthesizer
from interplay.bench.systems.cascade.language import arpa, forms, words_of
from interplay.bench.traces.trace import to_int16
from interplay.clock import SAMPLE_RATE_HZ

FRAME_MS = 20
FRAME = SAMPLE_RATE_HZ * FRAME_MS // 1000
MODE = 3  # of webrtcvad: the one that takes the least for speech
HANGOVER_S = 0.7  # silence after which a turn counts as over
ONSET_FRAMES, ONSET_OF = 7, 10  # so many voiced frames among so many are speech
LEFT_FRAMES = 2  # stray voiced frames that a silence may hold
PREROLL_S = 0.3  # kept from before the onset
MAX_S = 20.0  # a turn is cut there


class Endpointer:
    """Cuts a stream of sound into utterances. hangover_s: the silence that ends one."""

    def __init__(self, hangover_s: float = HANGOVER_S) -> None:
        self._vad = webrtcvad.Vad(MODE)
        self._hangover = round(1000 * hangover_s / FRAME_MS)
        self.clear()

    def clear(self) -> None:
        """Forget what was heard and wait for an onset."""
        self._voiced: deque[bool] = deque(maxlen=max(self._hangover, ONSET_OF))
        self._frames: deque[np.ndarray] = deque(maxlen=round(1000 * PREROLL_S / FRAME_MS))
        self._kept: list[np.ndarray] = []

    @property
    def in_speech(self) -> bool:
        """An utterance has begun and not ended."""
        return bool(self._kept)

    def push(self, samples: Float32[np.ndarray, " T"]) -> list[Int16[np.ndarray, " N"]]:
        """Takes whole frames of 20 ms at 16 kHz; gives the utterances that ended within them."""
        done = []
        for frame in to_int16(samples).reshape(-1, FRAME):
            self._voiced.append(self._vad.is_speech(frame.tobytes(), SAMPLE_RATE_HZ))
            if not self._kept:
                self._frames.append(frame)
                if sum(list(self._voiced)[-ONSET_OF:]) >= ONSET_FRAMES:
                    self._kept = list(self._frames)
                continue
            self._kept.append(frame)
            recent = list(self._voiced)[-self._hangover :]
            is_quiet = len(recent) == self._hangover and sum(recent) <= LEFT_FRAMES
            if is_quiet or len(self._kept) * FRAME >= MAX_S * SAMPLE_RATE_HZ:
                done.append(np.concatenate(self._kept))
                self.clear()
        return done


class Ear:
    """pocketsphinx with the trigram model of our own language (bench.systems.cascade.language), in
    which a word missing in its dictionary gets the phones that `synthesize` speaks it with; without
    `synthesize` with the general English model of its wheel, for what strangers say."""

    def __init__(self, synthesize: Synthesizer | None = None, voice: str = "") -> None:
        options = {"loglevel": "FATAL", "samprate": SAMPLE_RATE_HZ, "cmn": "batch"}
        if synthesize is None:
            self._decoder = pocketsphinx.Decoder(**options)
            return
        self._decoder = pocketsphinx.Decoder(lm=None, **options)
        for word in words_of(forms()):
            if self._decoder.lookup_word(word) is None:
                phones = dictionary_phones(synthesize(word, voice).phones)
                self._decoder.add_word(word, phones, False)
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "talk.arpa"
            model.write_text(arpa())
            self._decoder.add_lm_file("talk", str(model))
        self._decoder.activate_search("talk")

    def words(self, samples: Int16[np.ndarray, " T"]) -> str:
        """The most likely words, "" if there are none."""
        self._decoder.reinit_feat()  # what it heard before changes nothing
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), no_search=False, full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return found.hypstr if found else ""
