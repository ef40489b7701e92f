"""When each word is said: as the transcript says, by forced alignment, or because we say it.

Knows nothing of files or of what a session is for.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.align import Aligner, Pronunciation
from interplay.data.engines.flite import Flite
from interplay.data.engines.pico import british
from interplay.data.own.words import MODEL, Piece, Problem, Spelled, Word, spell
from interplay.data.speech import synthesize
from interplay.data.voices import OWN_VOICE
from interplay.errors import SynthError

MARGIN_S = 0.1  # captions come and go a little early or late
SENTENCE_GAP_S = 1.0  # whoever pauses so long begins a new sentence
WORDS_AT_A_TIME = 40  # whose phones are asked for


class Timing:
    """Finds times; the aligner is made when the first text without word times comes."""

    def __init__(self) -> None:
        self._tools: tuple[Aligner, Flite] | None = None

    def words(
        self, pieces: Sequence[Piece], track: Float32[np.ndarray, " T"], file: str
    ) -> tuple[list[Word], list[Problem]]:
        """The words of one channel, in order. track: that channel, 16 kHz."""
        said: list[tuple[Spelled, list[tuple[float, float]], str]] = []
        problems: list[Problem] = []
        length_s = len(track) / SAMPLE_RATE_HZ
        pieces = sorted(pieces, key=lambda piece: piece.start_s or 0.0)
        borders = _borders(pieces, length_s)
        if self._tools is None and not all(piece.is_word for piece in pieces):
            self._tools = Aligner(), Flite()  # what is not installed is no fault of a text
        for piece, (low_s, high_s) in zip(pieces, borders, strict=True):
            spelled = spell(piece.text)
            if not spelled.words:
                continue
            if piece.is_word:
                assert piece.start_s is not None and piece.end_s is not None
                spans = [(piece.start_s, piece.end_s)]
            else:
                first, last = round(low_s * SAMPLE_RATE_HZ), round(high_s * SAMPLE_RATE_HZ)
                try:
                    found = self._aligned(spelled.words, track[first:last])
                except SynthError as error:
                    problems.append(_unaligned(piece, spelled, file, low_s, str(error)))
                    continue
                spans = [(low_s + start_s, low_s + end_s) for start_s, end_s in found]
            said.append((spelled, spans, piece.channel or ""))
        return _in_sentences(said), problems

    def _aligned(
        self, words: Sequence[str], track: Float32[np.ndarray, " T"]
    ) -> list[tuple[float, float]]:
        """Start and end of every word in seconds from the track's start. Raises SynthError."""
        samples = (np.clip(track, -1, 1) * 32767).astype(np.int16)
        if not samples.any():
            raise SynthError("nothing sounds there")
        if foreign := [word for word in words if not word.isascii()]:
            raise SynthError(f"only English can be aligned, and {foreign[0]!r} is not")
        assert self._tools is not None
        aligner, flite = self._tools
        ways: list[list[Pronunciation]] = []
        for start in range(0, len(words), WORDS_AT_A_TIME):
            american = flite.pronounce(list(words[start : start + WORDS_AT_A_TIME]))
            ways += [list(dict.fromkeys((way, british(way)))) for way in american]
        times = aligner.align(samples, ways)
        if times is None:
            raise SynthError("the words do not fit into the sound")
        starts: dict[int, float] = {}
        ends: dict[int, float] = {}
        for word, _, start_s, end_s in times:
            starts.setdefault(word, start_s)
            ends[word] = end_s
        length_s = len(track) / SAMPLE_RATE_HZ
        return [(max(0.0, starts[k]), min(length_s, ends[k])) for k in range(len(words))]


def _borders(pieces: Sequence[Piece], length_s: float) -> list[tuple[float, float]]:
    """Where each piece is looked for: its time and a margin, but half of a gap at most."""
    spans = [
        (p.start_s or 0.0, length_s if p.end_s is None else min(p.end_s, length_s)) for p in pieces
    ]
    found = []
    for k, (start_s, end_s) in enumerate(spans):
        before_s = spans[k - 1][1] if k else 0.0
        after_s = spans[k + 1][0] if k + 1 < len(spans) else length_s
        low_s = max(start_s - MARGIN_S, min(start_s, (before_s + start_s) / 2), 0.0)
        high_s = min(end_s + MARGIN_S, max(end_s, (after_s + end_s) / 2), length_s)
        found.append((low_s, high_s))
    return found


def _unaligned(piece: Piece, spelled: Spelled, file: str, low_s: float, reason: str) -> Problem:
    return Problem(
        file=file,
        at_s=low_s,
        what=f"{' '.join(spelled.words)[:40]!r} could not be timed: {reason}",
        cure="correct text or time, or give the words with times",
    )


def _in_sentences(
    said: list[tuple[Spelled, list[tuple[float, float]], str]],
) -> list[Word]:
    words: list[Word] = []
    ended = True
    for spelled, spans, channel in said:
        for word, begins, (start_s, end_s) in zip(
            spelled.words, spelled.begins, spans, strict=True
        ):
            paused = bool(words) and start_s - words[-1].end_s >= SENTENCE_GAP_S
            words.append(
                Word(
                    channel=channel,
                    word=word,
                    start_s=round(start_s, 3),
                    end_s=round(end_s, 3),
                    begins=begins or ended or paused,
                )
            )
            ended = False
        ended = spelled.ends
    return words


def say_texts(
    pieces: Sequence[Piece], num_samples: int, file: str
) -> tuple[Float32[np.ndarray, " T"], list[Word], list[Problem]]:
    """The model's own voice says every piece when it is due: its track and its words.

    Raises SynthError where that voice is not installed.
    """
    track = np.zeros(num_samples, np.float32)
    words: list[Word] = []
    problems = []
    pieces = [p for p in sorted(pieces, key=lambda p: p.start_s or 0.0) if spell(p.text).words]
    synthesize("hello", OWN_VOICE)  # what is missing on this machine is no fault of the text
    for piece, after in zip(pieces, [*pieces[1:], None], strict=True):
        text = " ".join(spell(piece.text).words)
        first = round((piece.start_s or 0.0) * SAMPLE_RATE_HZ)
        limit = num_samples
        if after is not None:
            limit = min(limit, round((after.start_s or 0.0) * SAMPLE_RATE_HZ))
        try:
            spoken = synthesize(text, OWN_VOICE)
        except SynthError as error:
            problems.append(
                Problem(file=file, at_s=piece.start_s, what=str(error), cure="change the text")
            )
            continue
        last = first + len(spoken.samples)
        if last > limit:
            problems.append(
                Problem(
                    file=file,
                    at_s=piece.start_s,
                    what=f"{text[:40]!r} takes until {last / SAMPLE_RATE_HZ:.2f} s to say, and "
                    f"there is time until {limit / SAMPLE_RATE_HZ:.2f} s",
                    cure="shorten it or move it",
                )
            )
            continue
        track[first:last] = spoken.samples / np.float32(32768)
        zero_s = first / SAMPLE_RATE_HZ
        words += [
            Word(
                channel=MODEL,
                word=word,
                start_s=round(zero_s + start_s, 3),
                end_s=round(zero_s + end_s, 3),
                begins=number == 0,
            )
            for number, (word, start_s, end_s) in enumerate(spoken.words)
        ]
    return track, words, problems
