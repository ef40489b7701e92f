"""Sessions to learn from: exchanges laid on a timeline, sound mixed and heard through dMel.

Batch k is a function of (seed, k) alone, so any resume sees the same batches. Knows nothing of
tensors, losses or models.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial

import numpy as np
from jaxtyping import Float32

from interplay.clock import NUM_SLOTS, SAMPLES_PER_TURN
from interplay.data import augment
from interplay.data.bank import MEL_CONFIG, Clip
from interplay.data.corpus import Corpus
from interplay.data.drill import drill, muted
from interplay.data.dry import Dry, Track
from interplay.data.example import Example
from interplay.data.families import BEHAVIOURS, CORE, EYES, LISTENING, REHEARSED, fill
from interplay.data.rehearsal import Rehearsal, Unspoken, unheard
from interplay.data.surroundings import draw_surroundings
from interplay.data.talk import Talk
from interplay.data.timeline import MEL_FLOOR, NOTE_TURNS, Timeline
from interplay.data.voices import MODEL_VOICE
from interplay.media.dmel import NUM_MELS, filterbank, log_mel, quantize
from interplay.turns.layout import positions_per_turn

NUM_WARPS = 24
SPEECH_LEVEL = 0.07  # root mean square of speech, full scale 1, before a session's own loudness
LOUDNESS_DB = (-7.0, 4.0)  # of a session
NUM_OTHERS = 8  # clips that talk behind the user is made of
SLIPPING = 0.4  # of the sessions: their `heard` is a micro-turn early or late now and then
SLIP_RATE = 0.08
_SEEN = 0xE7E  # key of the die for a camera
_DRILLED = 0xD1  # and for which sessions are drills


@dataclass(frozen=True, kw_only=True)
class ComposeConfig:
    """num_positions of a batch are constant: sessions are few and long or many and short.

    listening_until: share of training in which only ears and copying are taught.
    long_from: share of training after which sessions are twice as long.
    mix: families that sessions are composed of after that, by share of the exchanges.
    known: share of the sessions that hold nothing but `known_mix`, what the model that the run
        begins with can do, or what the run has taught first; they alone are then what it is held
        to what it was by. 0: all are.
    without_voices: beginnings of voice specs that no user of the sessions speaks with; what a model
        says as a user is for recipes that ask for it, whatever else is in their corpus.
    drilled: share of the sessions of a batch that are drills (data.drill); more of them,
        drilled_first, until drilled_until of the training. rehearsed: share of the drills in which
        no questions are asked but families rehearsed (data.rehearsal), `rehearsal` by share.
    babble: share of the sessions with a user in which others talk behind them (data.augment).
    seen: share of the batches whose sessions have a camera, `seen_turns` long; eyes: what happens
        in them, by share.
    """

    seed: int = 0
    batch_size: int = 8
    num_turns: int = 64
    listening_until: float = 0.3
    long_from: float = 0.5
    mix: tuple[tuple[str, float], ...] = tuple(BEHAVIOURS.items())
    known: float = 0.0
    known_mix: tuple[tuple[str, float], ...] = tuple(CORE.items())
    without_voices: tuple[str, ...] = (MODEL_VOICE,)
    drilled: float = 0.0
    drilled_first: float = 0.0
    drilled_until: float = 0.0
    rehearsed: float = 0.0
    rehearsal: tuple[tuple[str, float], ...] = tuple(REHEARSED.items())
    babble: float = 0.0
    seen: float = 0.0
    seen_turns: int = 100
    eyes: tuple[tuple[str, float], ...] = tuple(EYES.items())


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the sessions of a batch have in common: all have a camera, or none has.

    size: how many there are. draw: makes one. key: tells its random numbers from those of other
    kinds in the same step. drill: makes one of those in `drills`, row numbers.
    """

    size: int
    draw: Callable[[np.random.Generator], Example]
    key: tuple[int, ...] = ()
    drill: Callable[[np.random.Generator], Example] | None = None
    drills: frozenset[int] = frozenset()


@cache
def mel_filters() -> Float32[np.ndarray, "filters freqs 80"]:
    """What sessions are heard with: plain filters, and NUM_WARPS for longer and shorter vocal
    tracts."""
    warps = [1.0, *np.linspace(0.84, 1.2, NUM_WARPS)]
    return np.stack([filterbank(MEL_CONFIG, warp=float(warp)) for warp in warps])


class Composer:
    """Draws batches of sessions from a corpus.

    dry: the sound of sessions is left as it is, for a device that hears it (train.ears); nothing
    else about them is another, but for the dice of drills.
    """

    def __init__(self, corpus: Corpus, config: ComposeConfig, *, dry: bool = False) -> None:
        self.corpus = corpus
        self.config = config
        self.dry = dry

    @cached_property
    def _unspoken(self) -> Unspoken:
        return Unspoken(self.corpus.tokenizer)

    def batch(self, step: int, progress: float) -> list[Example]:
        """Batch number `step`; `progress` in [0, 1] is how much of the training is done."""
        kind = self.kind(step, progress)
        examples = []
        for row in range(kind.size):
            draw = kind.drill if kind.drill and row in kind.drills else kind.draw
            examples.append(draw(self.random(step, *kind.key, row)))
        return examples

    def kind(self, step: int, progress: float) -> Kind:
        """Which batch that is: with a camera or without."""
        config = self.config
        if self.random(step, _SEEN).random() < config.seen:
            eyes, num_turns = dict(config.eyes), config.seen_turns
            draw = partial(self.session, num_turns=num_turns, mix=eyes, late=False)
            return Kind(size=self.size_with_camera(num_turns), draw=draw)
        size, num_turns = self.shape(progress)
        mix = LISTENING if progress < config.listening_until else dict(config.mix)
        late = progress >= config.long_from
        draw = partial(self.session, num_turns=num_turns, mix=mix, late=late)
        if config.known:
            draw = partial(self.known_or_not, num_turns=num_turns, mix=mix, late=late)
        return Kind(
            size=size,
            draw=draw,
            drill=partial(self.drilling, num_turns=num_turns),
            drills=self.drills(step, progress, size),
        )

    def drills(self, step: int, progress: float, size: int) -> frozenset[int]:
        """Which rows of a batch of `size` are drills: spread evenly, so that every thread's share
        of the batch has as many, and on average over the steps as many as asked for."""
        config = self.config
        share = config.drilled_first if progress < config.drilled_until else config.drilled
        begun = self.random(step, _DRILLED).random()
        marks = [int(share * row + begun) for row in range(size + 1)]
        return frozenset(row for row in range(size) if marks[row + 1] > marks[row])

    def random(self, step: int, *key: int) -> np.random.Generator:
        """Random numbers of one step for one use."""
        return np.random.default_rng([self.config.seed, step, *key])

    def shape(self, progress: float) -> tuple[int, int]:
        """Sessions in a batch and micro-turns in each, where `progress` is as in `batch`."""
        size, num_turns = self.config.batch_size, self.config.num_turns
        return (
            (size // 2, num_turns * 2) if progress >= self.config.long_from else (size, num_turns)
        )

    def size_with_camera(self, num_turns: int) -> int:
        """Sessions of `num_turns` in a batch with a camera, which has about as many positions as
        one without; at least one."""
        config = self.config
        positions = config.batch_size * config.num_turns * positions_per_turn(camera=False)
        return max(1, round(positions / (num_turns * positions_per_turn(camera=True))))

    def known_or_not(
        self, rng: np.random.Generator, num_turns: int, mix: dict[str, float], *, late: bool
    ) -> Example:
        """A session of what is known, or one of `mix`."""
        is_known = bool(rng.spawn(1)[0].random() < self.config.known)
        mix = dict(self.config.known_mix) if is_known else mix
        return replace(self.session(rng, num_turns, mix, late=late), known=is_known)

    def drilling(self, rng: np.random.Generator, num_turns: int) -> Example:
        """A session without a sound: closed questions, or families that are rehearsed."""
        timeline = self._empty(num_turns, rng)
        heard = self.listen(timeline, rng)
        if self.config.rehearsed and rng.random() < self.config.rehearsed:
            fill(Rehearsal(timeline, self._unspoken, rng, unheard), dict(self.config.rehearsal))
            timeline.write_notes()
            return muted(timeline.example(heard))
        return drill(timeline, heard, rng)

    def session(
        self, rng: np.random.Generator, num_turns: int, mix: dict[str, float], *, late: bool
    ) -> Example:
        """One session; `late` ones may begin in the middle, right at a note."""
        return self.session_and_own(rng, num_turns, mix, late=late)[0]

    def session_and_own(
        self, rng: np.random.Generator, num_turns: int, mix: dict[str, float], *, late: bool
    ) -> tuple[Example, np.ndarray]:
        """The same, and float32 [T], the model's own voice as it is played from its start on."""
        middle = late and rng.random() < 0.3
        extra = num_turns // 2 if middle else 0
        timeline = self.timeline(rng, num_turns + extra, mix)
        heard = self.listen(timeline, rng)
        start = _note_turn(timeline, extra) if middle else 0
        example = timeline.example(heard, start=start, stop=start + num_turns)
        own = timeline.own[SAMPLES_PER_TURN * start : SAMPLES_PER_TURN * (start + num_turns)]
        return example, own

    def timeline(self, rng: np.random.Generator, num_turns: int, mix: dict[str, float]) -> Timeline:
        """One session as it is written: everything but what the microphone makes of it."""
        timeline = self._empty(num_turns, rng)
        loudness = rng.uniform(*LOUDNESS_DB)

        def arrive(clip: Clip) -> np.ndarray:
            return _arrive(clip, rng, loudness)

        slip_rate = SLIP_RATE if rng.random() < SLIPPING else 0.0
        talk = Talk(timeline, self.corpus, rng, arrive, slip_rate=slip_rate)
        talk.rest(0.1, 0.9)
        fill(talk, mix)
        timeline.write_notes()
        return timeline

    def _empty(self, num_turns: int, rng: np.random.Generator) -> Timeline:
        first_turn = int(rng.integers(300))
        return Timeline(num_turns, self.corpus.tokenizer, first_turn=first_turn)

    def microphone(self, timeline: Timeline, rng: np.random.Generator) -> np.ndarray:
        """float32 [T]: the user's track with room, line, noise, echo of the own voice and others'
        talk."""
        strength, others = self._strength_and_others(timeline, rng)
        return augment.augment_track(timeline.user, timeline.own, rng, strength, others=others)

    def _strength_and_others(
        self, timeline: Timeline, rng: np.random.Generator
    ) -> tuple[float, Sequence[np.ndarray]]:
        """How much befalls a session's sound, and who talks behind it."""
        strength = 0.7 * rng.random() ** 1.5
        return strength, self._others(rng) if self.config.babble and timeline.user.any() else ()

    def _others(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Clips for babble: in as many sessions as asked for, else none."""
        if rng.random() >= self.config.babble:
            return []
        return [self.corpus.user("listen", rng).samples for _ in range(NUM_OTHERS)]

    def listen(self, timeline: Timeline, rng: np.random.Generator) -> np.ndarray | Dry:
        """What the model hears, uint8 [N, 4, S, 80] dMel bins; or all that they are made of."""
        if not self.dry:
            track = self.microphone(timeline, rng)
            mel = log_mel(track, MEL_CONFIG, filters=mel_filters()[_draw_filters(rng)])
            return quantize(mel).reshape(-1, NUM_SLOTS, MEL_CONFIG.subframes, NUM_MELS)
        strength, others = self._strength_and_others(timeline, rng)
        around = draw_surroundings(
            rng,
            timeline.num_samples,
            strength,
            has_own=bool(timeline.own.any()),
            others=others,
            as_seeds=True,
        )
        user, own = Track.of(timeline.user), Track.of(timeline.own)
        return Dry(user=user, own=own, around=around, filters=_draw_filters(rng))


def _draw_filters(rng: np.random.Generator) -> int:
    """A number of `mel_filters`: warped ones in 70 % of the sessions."""
    return 1 + int(rng.integers(NUM_WARPS)) if rng.random() < 0.7 else 0


def _note_turn(timeline: Timeline, extra: int) -> int:
    """The micro-turn of a note early enough to start from, or 0."""
    first = -timeline.streams.first_turn % NOTE_TURNS
    return next((t for t in range(first, extra + 1, NOTE_TURNS) if t > 0), 0)


def _arrive(clip: Clip, rng: np.random.Generator, loudness_db: float) -> np.ndarray:
    """One clip at the level of its session, give or take 2 dB; every other recording of a person
    is louder or quieter than that by as much as it was recorded, for people are, too."""
    sound = np.asarray(clip.samples, np.float32) / 32768
    gain = 10 ** ((loudness_db + rng.uniform(-2, 2)) / 20)
    if clip.engine == "human" and rng.random() < 0.5:
        return sound * gain
    return sound * (gain * SPEECH_LEVEL / (np.sqrt(np.mean(sound**2)) + 1e-4))


def own_voice_statistics(corpus: Corpus, num_clips: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the own voice's log10 mel, per band, float32 [80]."""
    mels = [clip.mel for clip in corpus.own_clips()[:num_clips] if clip.mel is not None]
    frames = np.maximum(np.concatenate(mels), MEL_FLOOR).astype(np.float32)
    return frames.mean(0), frames.std(0) + 0.1
