"""A session being written: user sound and the model's streams, laid on the 200 ms grid.

The timing rules of the whole project live here. Knows nothing about what is said or why.

    heard   a word is due 0.2 s after its end; `<text>` stands before the first word of a
            sentence and behind the last one before a quotation, `<every>` before a word that is
            to be waited for, `<end>` before the first word behind either
    say     the answer begins in the micro-turn in which the last word is due, one slot later;
            later words run 0.3 s ahead of their sound
    voice   begins one slot after the first `say` token; slot s is played 4 slots later
    yield   the voice stops with the first micro-turn that has 0.34 s of the interruption
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_SLOT, SAMPLES_PER_TURN
from interplay.data.bank import Clip
from interplay.data.dry import Dry
from interplay.data.example import UNKNOWN, Example
from interplay.data.phones import SILENCE
from interplay.media.video import tile_pairs
from interplay.turns import tokens
from interplay.turns.tokens import Tokenizer
from interplay.turns.types import PAD, SEE_SHAPE, Streams

HEARD_DELAY = int(0.2 * SAMPLE_RATE_HZ)
YIELD_DELAY = int(0.34 * SAMPLE_RATE_HZ)
SAY_LEAD_SLOTS = 6
PLAYBACK_SLOTS = NUM_SLOTS  # an output half plays one micro-turn later
MEL_FLOOR = -4.5  # log10; the synthesiser's digital zero would be an outlier to regress on
NOTE_TURNS = 50
NOTE_LATE = 5  # micro-turns that a note waits for a moment in which nothing else is told
SCORED_FROM = 3 + NOTE_LATE  # micro-turns that a note takes at the beginning of a session
NEVER = 10**9
VOCODER_DELAY = 400  # samples, two mel frames


def turn_with(sample: int) -> int:
    """The first micro-turn whose input half is complete up to `sample`."""
    return max(0, -(-int(sample) // SAMPLES_PER_TURN) - 1)


@dataclass
class Spoken:
    """Where an utterance of the model lies: output slots [first, last) and its sound in samples."""

    first: int
    last: int

    @property
    def starts(self) -> int:
        return (self.first + PLAYBACK_SLOTS) * SAMPLES_PER_SLOT + VOCODER_DELAY

    @property
    def ends(self) -> int:
        return (self.last + PLAYBACK_SLOTS) * SAMPLES_PER_SLOT + VOCODER_DELAY


@dataclass
class Running:
    """A timer or clock: `kind` is the token that opened it; turns are [start, stop).

    period: of a reminder, or of the whole timer; the last one ends with `stop` or later.
    """

    kind: int
    start: int
    stop: int
    period: int
    text: list[int] = field(default_factory=list)

    def left(self, turn: int) -> int:
        """Micro-turns until it is due."""
        return self.period - (turn - self.start) % self.period

    def note(self, turn: int) -> list[int]:
        """As note tokens: kind, period of a reminder, seconds left (or gone), text."""
        if self.kind == tokens.CLOCK:
            return [self.kind, tokens.count_token(min((turn - self.start) // 5, tokens.MAX_COUNT))]
        ids = [self.kind]
        if self.kind == tokens.EVERY:
            ids.append(tokens.count_token(self.period // 5))
        return [*ids, *time_tokens(-(-self.left(turn) // 5)), *self.text]


@dataclass
class Standing:
    """Something agreed that has no time of its own, such as a cue: `ids` as they were written on
    `act`, to be told in the notes of turns [start, stop)."""

    start: int
    stop: int
    ids: list[int]

    def left(self, turn: int) -> int:
        """Never due: told before all that is."""
        return NEVER

    def note(self, turn: int) -> list[int]:
        return self.ids


def time_tokens(num_seconds: int) -> list[int]:
    """Seconds as one token up to a minute, as minutes and seconds above."""
    if num_seconds <= tokens.MAX_COUNT:
        return [tokens.count_token(num_seconds)]
    minutes, seconds = divmod(num_seconds, 60)
    return [tokens.count_token(minutes), tokens.count_token(seconds)]


class Timeline:
    """`num_turns` micro-turns of silence to write into. Sound past the end is dropped."""

    def __init__(self, num_turns: int, tokenizer: Tokenizer, *, first_turn: int = 0) -> None:
        self.num_turns = num_turns
        self.num_samples = num_turns * SAMPLES_PER_TURN
        self.num_slots = num_turns * NUM_SLOTS
        self.tokenizer = tokenizer
        self.streams = Streams.empty(num_turns, subframes=4, first_turn=first_turn)
        self.user = np.zeros(self.num_samples, np.float32)
        self.own = np.zeros(self.num_samples, np.float32)
        self.phones_user = np.full(self.num_slots, SILENCE, np.int8)
        self.phones_own = np.full(self.num_slots, SILENCE, np.int8)
        self.heard_known = np.ones(self.num_turns, bool)
        self.say_known = np.ones(self.num_turns, bool)
        self.sights: np.ndarray | None = None  # int8 [num_turns, questions]
        self.heard_by: list[int] = []  # of the newest clip's words the slots that read them written
        self.running: list[Running | Standing] = []
        self.spoken_until = 0  # the output slot after the last that has own voice
        self.scored_from = 0
        self._text = {
            name: getattr(self.streams, name).reshape(-1)
            for name in ("read", "heard", "say", "act")
        }

    def write(self, stream: str, ids: list[int], slot: int) -> int:
        """Put ids into the first free slots from `slot` on; returns the slot after the last."""
        row = self._text[stream]
        for token in ids:
            while slot < self.num_slots and row[slot] != PAD:
                slot += 1
            if slot >= self.num_slots:
                break
            row[slot] = token
            slot += 1
        return slot

    def hear(
        self,
        clip: Clip,
        sound: np.ndarray,
        start: int,
        *,
        borders: Collection[int] = (),
        waits: Collection[int] = (),
        ends: Collection[int] = (),
        slips: Sequence[int] | None = None,
    ) -> tuple[int, int]:
        """User speech from sample `start`; `sound` is the clip as it arrives (augmented, maybe
        longer by its reverberation). Returns the true samples of its first and last word edge,
        `start` twice where it has no words.

        borders, waits, ends: numbers of words after which `<text>`, `<every>` and `<end>` are
        written, 0 for before the first; the last two with the word that follows, which tells.
        slips: for every word by how many micro-turns `heard` is late (or early, below 0), as a
        model's own writing sometimes is; such micro-turns are context and not to be learnt.
        """
        self._add(self.user, sound, start)
        for phone, begin_s, end_s in clip.phones or [(UNKNOWN, 0.0, clip.duration_s)]:
            self._mark_phone(self.phones_user, phone, start, begin_s, end_s)
        first = start + (int(clip.words[0][1] * SAMPLE_RATE_HZ) if clip.words else 0)
        end, at = first, 0
        self.heard_by = []
        for k, (word, _, end_s) in enumerate(clip.words):
            end = start + int(end_s * SAMPLE_RATE_HZ)
            turn = turn_with(end + HEARD_DELAY)
            slip = slips[k] if slips is not None else 0
            if slip:
                self.heard_known[min(turn, turn + slip) : max(turn, turn + slip)] = False
            ids = [tokens.TEXT] if k == 0 and 0 in borders else []
            ids += [tokens.END] if k in ends and k not in borders else []
            ids += [tokens.EVERY] if k in waits else []
            ids += self.tokenizer.encode_word(word)
            at = self.write("heard", ids, max(at, NUM_SLOTS * (turn + slip)))
            self.heard_by.append(at)
            if k + 1 in borders:
                ids = [tokens.END, tokens.TEXT] if k + 1 in ends else [tokens.TEXT]
                at = self.write("heard", ids, at)
        return first, end

    def overhear(self, sound: np.ndarray, start: int) -> None:
        """Sound from sample `start` that is not meant for the model: it is not written down."""
        self._add(self.user, sound, start)

    def speak(self, clip: Clip, slot: int) -> Spoken:
        """The model says the clip: first word token at output slot `slot`, voice one later."""
        assert clip.mel is not None, "the own voice's clips have mel frames"
        voice = slot + 1
        mel = np.maximum(clip.mel, MEL_FLOOR).reshape(-1, 4, clip.mel.shape[-1])
        spoken = Spoken(first=voice, last=min(voice + len(mel), self.num_slots))
        self.spoken_until = max(self.spoken_until, spoken.last)
        size = max(0, spoken.last - voice)
        frames = self.streams.voice.reshape(-1, *self.streams.voice.shape[2:])
        frames[voice : voice + size] = mel[:size]
        self.streams.voice_on.reshape(-1)[voice : voice + size] = True
        self._add(self.own, clip.samples.astype(np.float32) / 32768, spoken.starts)
        for phone, begin_s, end_s in clip.phones:
            self._mark_phone(self.phones_own, phone, voice * SAMPLES_PER_SLOT, begin_s, end_s)
        at = slot
        for word, begin_s, _ in clip.words:
            due = voice + int(begin_s * SAMPLE_RATE_HZ) // SAMPLES_PER_SLOT - SAY_LEAD_SLOTS
            at = self.write("say", self.tokenizer.encode_word(word), max(at, due))
        self.write("say", [tokens.END], at)
        return spoken

    def stop(self, spoken: Spoken, turn: int) -> Spoken:
        """Cut an utterance at output half `turn`: the voice is off, the words are dropped."""
        slot = NUM_SLOTS * turn
        self._text["say"][slot : spoken.last] = PAD
        self.write("say", [tokens.STOP], slot)
        self.streams.voice.reshape(-1, *self.streams.voice.shape[2:])[slot : spoken.last] = 0
        self.streams.voice_on.reshape(-1)[slot : spoken.last] = False
        self.phones_own[slot : spoken.last] = SILENCE
        cut = Spoken(first=spoken.first, last=min(slot, spoken.last))
        self.own[max(0, cut.ends) : max(0, spoken.ends)] = 0
        return cut

    def show(
        self, frames: Iterable[np.ndarray], turn: int, sights: np.ndarray | None = None
    ) -> int:
        """The camera is on from micro-turn `turn`, one frame, uint8 [H, W, 3], in each; returns the
        micro-turn after the last. sights: int8 [frames, questions], what they show
        (data.scenes.sights), where that is known. Raises VideoError."""
        streams, before = self.streams, None
        if streams.see is None:
            streams.see = np.zeros((self.num_turns, *SEE_SHAPE), np.uint8)
            streams.see_on = np.zeros(self.num_turns, bool)
        assert streams.see_on is not None, "it was made with the tiles"
        if sights is not None:
            if self.sights is None:
                self.sights = np.full((self.num_turns, sights.shape[1]), UNKNOWN, np.int8)
            known = self.sights[turn : turn + len(sights)]
            known[:] = sights[: len(known)]
        for frame in frames:
            if turn >= self.num_turns:
                break
            streams.see[turn], streams.see_on[turn] = tile_pairs(before, frame), True
            before, turn = frame, turn + 1
        return turn

    def answer_slot(self, end: int) -> int:
        """Output slot of the first word of an answer to speech that ended at sample `end`."""
        return NUM_SLOTS * turn_with(end + HEARD_DELAY) + 1

    def yield_turn(self, onset: int) -> int:
        """The micro-turn in which an interruption that began at sample `onset` is obeyed."""
        return turn_with(onset + YIELD_DELAY)

    def write_notes(self) -> None:
        """Every 10 s of the phase clock: what is running, on `act`; what is due next comes last.

        A note waits until nothing else falls into it, a second at most: a text in two pieces is
        copied wrong, and a second that is told late makes the next one late (docs/log.md).
        """
        for turn in range(-self.streams.first_turn % NOTE_TURNS, self.num_turns, NOTE_TURNS):
            slot, ids = self._note(turn)
            if ids:
                notes = [self._note(turn + late) for late in range(NOTE_LATE + 1)]
                free = [note for note in notes if note[1] and self._is_free(note[0], len(note[1]))]
                slot, ids = free[0] if free else (slot, ids)
                self.write("act", ids, slot)

    def _note(self, turn: int) -> tuple[int, list[int]]:
        """That of micro-turn `turn`, and its slot: the tick of the clock comes before it."""
        running = [r for r in self.running if r.start < turn < r.stop]
        running.sort(key=lambda r: r.left(turn), reverse=True)
        ids = [i for r in running for i in r.note(turn)]
        return NUM_SLOTS * turn + 1, [tokens.NOTE, *ids, tokens.END] if ids else []

    def _is_free(self, slot: int, size: int) -> bool:
        row = self._text["act"]
        return slot + size <= len(row) and not row[slot : slot + size].any()

    def begin_at_note(self) -> None:
        """The session begins in the middle of a longer one, of which it knows what the note says
        that it begins with."""
        self.streams.first_turn -= self.streams.first_turn % NOTE_TURNS
        self.scored_from = SCORED_FROM

    def example(
        self, heard: np.ndarray | Dry, *, start: int = 0, stop: int | None = None
    ) -> Example:
        """The finished session, or micro-turns [start, stop) of it. heard: bins of the whole, uint8
        [N, 4, S, 80], or what is still to be heard."""
        stop = self.num_turns if stop is None else stop
        dry = heard.cut(start, stop) if isinstance(heard, Dry) else None
        if isinstance(heard, np.ndarray):
            self.streams.hear = heard
        slots = slice(NUM_SLOTS * start, NUM_SLOTS * stop)
        return Example(
            streams=self.streams.cut(start, stop),
            phones_user=self.phones_user[slots].reshape(-1, NUM_SLOTS),
            phones_own=self.phones_own[slots].reshape(-1, NUM_SLOTS),
            heard_known=self.heard_known[start:stop],
            say_known=self.say_known[start:stop],
            sights=None if self.sights is None else self.sights[start:stop],
            scored_from=SCORED_FROM if start else self.scored_from,
            dry=dry,
        )

    def _add(self, track: np.ndarray, sound: np.ndarray, start: int) -> None:
        size = min(len(sound), self.num_samples - start)
        if size > 0:
            track[start : start + size] += sound[:size]

    def _mark_phone(
        self, row: np.ndarray, phone: int, start: int, begin_s: float, end_s: float
    ) -> None:
        """A slot's phone is the one that covers its end."""
        first = -(-(start + int(begin_s * SAMPLE_RATE_HZ)) // SAMPLES_PER_SLOT) - 1
        last = -(-(start + int(end_s * SAMPLE_RATE_HZ)) // SAMPLES_PER_SLOT) - 1
        row[max(0, first) : max(0, last)] = phone
