"""Imported sessions among the made-up ones: batches for training.

A batch is a function of seed, step and progress alone, as the composer's are. Long recordings are
cut, short ones follow each other until a session is full. The timing rules are those of
`data.timeline`. Knows nothing of files, tensors or losses.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby, pairwise

import numpy as np
from jaxtyping import Float32, UInt8

from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_SLOT, SAMPLES_PER_TURN
from interplay.data.bank import Clip, own_mel
from interplay.data.compose import LOUDNESS_DB, SPEECH_LEVEL, ComposeConfig, Composer, Kind
from interplay.data.corpus import Corpus
from interplay.data.example import UNKNOWN, Example
from interplay.data.own.store import OwnData, Session
from interplay.data.own.words import MODEL, USER, Word
from interplay.data.timeline import PLAYBACK_SLOTS, VOCODER_DELAY, Timeline
from interplay.media.video import tile_pairs

CONTEXT_TURNS = 3  # after a cut: what was said before it is not known
UTTERANCE_GAP_S = 0.5  # the model's voice is off in longer gaps
_EDGE_S = 0.05  # sound around an utterance that belongs to it
_FILMS = 0x0DA7A  # key of the random numbers of batches of films


class OwnComposer(Composer):
    """The composer's batches, a share of them replaced by the user's own data.

    share: of all sessions, 0 to 1. Films come in batches of their own, with fewer sessions, because
    all sessions of a batch have a camera or none has.
    """

    def __init__(
        self,
        corpus: Corpus,
        config: ComposeConfig,
        data: OwnData,
        share: float,
        *,
        dry: bool = False,
    ) -> None:
        super().__init__(corpus, config, dry=dry)
        self._films = [s for s in data.sessions if s.facts.has_camera]
        self._talks = [s for s in data.sessions if not s.facts.has_camera]
        num_filmed = sum(s.facts.num_samples for s in self._films)
        num_samples = sum(s.facts.num_samples for s in data.sessions)
        self._film_share = share * num_filmed / num_samples
        self._talk_share = 0.0
        if self._talks:
            self._talk_share = (share - self._film_share) / (1 - self._film_share)

    def kind(self, step: int, progress: float) -> Kind:
        if self.random(step, _FILMS).random() >= self._film_share:
            return super().kind(step, progress)
        _, num_turns = self.shape(progress)
        size = self.size_with_camera(num_turns)
        return Kind(size=size, draw=partial(self._film, num_turns=num_turns), key=(_FILMS,))

    def session(
        self, rng: np.random.Generator, num_turns: int, mix: dict[str, float], *, late: bool
    ) -> Example:
        own = rng.spawn(1)[0]  # a made-up session is the same whatever the share
        if own.random() < self._talk_share:
            return self._talk(own, num_turns)
        return super().session(rng, num_turns, mix, late=late)

    def _talk(self, rng: np.random.Generator, num_turns: int) -> Example:
        """A stretch of a long recording, or several short ones one after the other."""
        timeline = self._empty(num_turns, rng)
        room = timeline.num_samples
        session = _draw(self._talks, rng)
        if session.facts.num_samples >= room:
            start = int(rng.integers(session.facts.num_samples - room + 1))
            _place(timeline, session, rng, start=start, at=0)
            return self._finish(timeline, rng, is_cut=start > 0, voice_known=_known([session]))
        placed: list[Session] = []
        at = _rest(rng)
        while at + session.facts.num_samples <= room:
            _place(timeline, session, rng, start=0, at=at)
            placed.append(session)
            at += session.facts.num_samples + _rest(rng)
            session = _draw(self._talks, rng)
        if not placed:  # as long as the whole, and a rest
            _place(timeline, session, rng, start=0, at=at)
            placed.append(session)
        return self._finish(timeline, rng, is_cut=False, voice_known=_known(placed))

    def _film(self, rng: np.random.Generator, num_turns: int) -> Example:
        """A stretch of one film; after the end of a short one its last picture stays."""
        timeline = self._empty(num_turns, rng)
        session = _draw(self._films, rng)
        last = max(0, session.facts.num_samples // SAMPLES_PER_TURN - num_turns)
        first = int(rng.integers(last + 1))
        lead = 2 if first == 0 else 0  # a model needs time before its first word
        _place(
            timeline,
            session,
            rng,
            start=first * SAMPLES_PER_TURN,
            at=lead * SAMPLES_PER_TURN,
        )
        timeline.streams.see = _tiles(session.frames, first - lead, num_turns)
        known = _known([session])
        return self._finish(timeline, rng, is_cut=first > 0, voice_known=known)

    def _finish(
        self, timeline: Timeline, rng: np.random.Generator, *, is_cut: bool, voice_known: bool
    ) -> Example:
        return replace(
            timeline.example(self.listen(timeline, rng)),
            voice_known=voice_known,
            scored_from=CONTEXT_TURNS if is_cut else 0,
        )


def _draw(sessions: Sequence[Session], rng: np.random.Generator) -> Session:
    """Any second of the data is as likely as any other."""
    sizes = np.array([s.facts.num_samples for s in sessions], float)
    return sessions[int(rng.choice(len(sessions), p=sizes / sizes.sum()))]


def _rest(rng: np.random.Generator) -> int:
    return int(rng.uniform(0.4, 1.5) * SAMPLE_RATE_HZ)


def _known(sessions: Sequence[Session]) -> bool:
    return all(s.facts.voice_known or not s.facts.has_model for s in sessions)


def _place(
    timeline: Timeline, session: Session, rng: np.random.Generator, *, start: int, at: int
) -> None:
    """Sample `start` of a session, and what comes after it, from sample `at` on."""
    size = min(session.facts.num_samples - start, timeline.num_samples - at)
    sound = session.sound(start, size)
    zero_s, end_s = start / SAMPLE_RATE_HZ, (start + size) / SAMPLE_RATE_HZ

    def inside(channel: str) -> list[Word]:
        said = session.said_in(channel)
        cut = [word for word in said if word.end_s > zero_s and word.start_s < end_s]
        return [
            replace(word, start_s=word.start_s - zero_s, end_s=word.end_s - zero_s) for word in cut
        ]

    _hear(timeline, inside(USER), sound[0], rng, at)
    if session.facts.has_model:
        _speak(timeline, inside(MODEL), sound[1], at)


def _hear(
    timeline: Timeline,
    words: list[Word],
    sound: Float32[np.ndarray, " T"],
    rng: np.random.Generator,
    at: int,
) -> None:
    """The user's track, noises and all, and its words sentence by sentence."""
    loud = sound * np.float32(_gain(words, sound, rng))
    timeline.hear(_clip(sound, [], USER), loud, at)
    numbers = np.cumsum([word.begins for word in words])
    nothing = np.zeros(0, np.float32)
    for _, numbered in groupby(zip(numbers, words, strict=True), key=lambda pair: pair[0]):
        sentence = [word for _, word in numbered]
        spans = [(word.word, word.start_s, word.end_s) for word in sentence]
        borders = (0,) if sentence[0].begins else ()
        timeline.hear(_clip(nothing, spans, USER), nothing, at, borders=borders)


def _gain(words: list[Word], sound: Float32[np.ndarray, " T"], rng: np.random.Generator) -> float:
    """Every other recording as loud as it is, the others as loud as made-up sessions are."""
    change = 10 ** (rng.uniform(*LOUDNESS_DB) / 20)
    as_it_is = rng.random() < 0.5
    spans = [
        sound[max(0, int(w.start_s * SAMPLE_RATE_HZ)) : int(w.end_s * SAMPLE_RATE_HZ)]
        for w in words
    ]
    speech = np.concatenate(spans) if spans else sound[:0]
    if as_it_is or not len(speech):
        return 1.0
    return change * SPEECH_LEVEL / (float(np.sqrt(np.mean(speech**2))) + 1e-4)


def _speak(
    timeline: Timeline, words: list[Word], sound: Float32[np.ndarray, " T"], at: int
) -> None:
    """The model's utterances, each on the grid of output slots so that no sound is moved.

    What was said too early for the model to have said it, after a cut, is left out.
    """
    for utterance in _utterances(words):
        begins = at + round((utterance[0].start_s - _EDGE_S) * SAMPLE_RATE_HZ)
        slot = (begins - VOCODER_DELAY) // SAMPLES_PER_SLOT - PLAYBACK_SLOTS
        earliest = -((VOCODER_DELAY - at) // SAMPLES_PER_SLOT) - PLAYBACK_SLOTS  # sound is there
        slot = max(1, earliest, slot)
        cut = (slot + PLAYBACK_SLOTS) * SAMPLES_PER_SLOT + VOCODER_DELAY - at
        end = round((utterance[-1].end_s + _EDGE_S) * SAMPLE_RATE_HZ)
        part = sound[cut:end]
        if not len(part) or slot >= timeline.num_slots:
            continue
        zero_s = cut / SAMPLE_RATE_HZ
        spans = [
            (word.word, word.start_s - zero_s, word.end_s - zero_s)
            for word in utterance
            if word.start_s >= zero_s
        ]
        timeline.speak(_clip(part, spans, MODEL), slot - 1)


def _utterances(words: list[Word]) -> list[list[Word]]:
    """Words without a long gap between them."""
    found: list[list[Word]] = []
    for word in words:
        if found and word.start_s - found[-1][-1].end_s <= UTTERANCE_GAP_S:
            found[-1].append(word)
        else:
            found.append([word])
    return found


def _clip(
    sound: Float32[np.ndarray, " T"], spans: list[tuple[str, float, float]], channel: str
) -> Clip:
    samples = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
    is_own = channel == MODEL
    return Clip(
        samples=samples,
        words=spans,
        phones=[(UNKNOWN, 0.0, len(samples) / SAMPLE_RATE_HZ)],
        text=" ".join(word for word, _, _ in spans),
        voice="recorded",
        engine="recorded",
        role="own" if is_own else "user",
        tag="",
        mel=own_mel(samples) if is_own else None,
    )


def _tiles(
    frames: UInt8[np.ndarray, "F 120 160 3"], first: int, num_turns: int
) -> UInt8[np.ndarray, "N 12 2 40 40 3"]:
    """What each micro-turn sees, from picture `first` on; the edges stand still."""
    index = np.clip(np.arange(first - 1, first + num_turns), 0, len(frames) - 1)
    pairs = [tile_pairs(frames[a], frames[b]) for a, b in pairwise(index)]
    return np.stack(pairs)
