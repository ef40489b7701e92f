"""The cascade: the turn-based voice agent that the field ships, as a system to be measured.

webrtcvad with 0.7 s of hang-over -> pocketsphinx -> a reply -> espeak-ng. It hears nothing while it
speaks; with barge-in, speech of the user stops it for good. Real and not scripted: it is given the
sound and the tokens that a session gets, and nothing else of the item. On the logical clock its
computing costs no time. Knows nothing of items or scores.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future

import numpy as np
from jaxtyping import Float32, Int16

from interplay.bench.playing.stage import EMPTY, Emission, Speech, Stage, Synthesizer
from interplay.bench.systems.cascade.ear import FRAME, HANGOVER_S, Ear, Endpointer
from interplay.bench.systems.cascade.replies import Replies, Rules
from interplay.bench.traces.trace import normal
from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_TURN, TURN_S
from interplay.errors import ConfigError

VOICE = "espeak:en-us"


class Talk:
    """One session, micro-turn by micro-turn, on any clock.

    executor: hears and thinks there, and the reply begins when it is ready; None: at once, and what
    fails is raised by `push`. failure: what has failed there; the session goes on without it.
    """

    def __init__(
        self,
        ear: Ear,
        replies: Replies,
        synthesize: Synthesizer,
        *,
        voice: str,
        hangover_s: float = HANGOVER_S,
        barge_in: bool = False,
        executor: Executor | None = None,
    ) -> None:
        self._ear, self._replies, self._synthesize, self._voice = ear, replies, synthesize, voice
        self._ends = Endpointer(hangover_s)
        self._hangover_s, self._barge_in, self._executor = hangover_s, barge_in, executor
        self.failure: BaseException | None = None
        self._turn = 0
        self._control, self._typed = "", list[str]()
        self._jobs: deque[Future] = deque()
        self._heard: deque[str] = deque()
        self._sound = np.zeros(0, np.float32)  # still to be emitted
        self._words: deque[tuple[float, str]] = deque()  # (seconds of session, piece) of it
        self._is_sounding = False

    def push(self, hear: Float32[np.ndarray, " 3200"], read: Sequence[str] = ()) -> Emission:
        """What the user does in this micro-turn -> what it emits, to sound in the next one."""
        self._listen(hear)
        for control, text in self._messages(read):
            self._start(lambda control=control, text=text: ("", self._read(control, text)))
        while self._jobs and self._jobs[0].done():
            job = self._jobs.popleft()
            if error := job.exception():
                self.failure = error
            else:
                self._take(*job.result())
        emitted = self._emit()
        self._turn += 1
        return emitted

    def close(self) -> None:
        """Drop the work under way."""
        while self._jobs:
            self._jobs.popleft().cancel()

    def hush(self) -> None:
        """Drop what is still to be said of the reply."""
        self._sound = self._sound[:0]
        self._words.clear()

    def _listen(self, hear: Float32[np.ndarray, " 3200"]) -> None:
        is_busy = self._is_sounding or len(self._sound) > 0
        if is_busy and not self._barge_in:
            self._ends.clear()
            return
        for utterance in self._ends.push(hear):
            end_s = (self._turn + 1) * TURN_S - self._hangover_s
            begin_s = end_s - max(0.0, len(utterance) / SAMPLE_RATE_HZ - self._hangover_s)
            self._start(lambda u=utterance, b=begin_s, e=end_s: self._think(u, b, e))
        if is_busy and self._ends.in_speech:
            self.hush()

    def _messages(self, read: Sequence[str]) -> list[tuple[str, str]]:
        """Texts that are complete: (control, words)."""
        done = []
        for piece in read:
            if piece == "<end>":
                done.append((self._control, " ".join(self._typed)))
            if piece.startswith("<"):
                self._control, self._typed = "" if piece == "<end>" else piece, []
            else:
                self._typed.append(piece)
        return done

    def _read(self, control: str, text: str) -> str:
        """What to say to a text."""
        if control:
            return self._replies.read(text)
        self._replies.has_said(text)
        return ""

    def _think(
        self, utterance: Int16[np.ndarray, " T"], begin_s: float, end_s: float
    ) -> tuple[str, str]:
        """(what was heard, what to say)."""
        heard = self._ear.words(utterance)
        return heard, self._replies.reply(heard, begin_s, end_s)

    def _start(self, work: Callable[[], tuple[str, str]]) -> None:
        if self._executor is not None:
            self._jobs.append(self._executor.submit(self._spoken, work))
            return
        done: Future = Future()
        done.set_result(self._spoken(work))
        self._jobs.append(done)

    def _spoken(self, work: Callable[[], tuple[str, str]]) -> tuple[str, Speech | None]:
        """(what was heard, the sound of what to say, if anything)."""
        heard, answer = work()
        return heard, self._synthesize(answer, self._voice) if answer else None

    def _take(self, heard: str, speech: Speech | None) -> None:
        self._heard.extend(normal(heard))
        if speech is None:
            return
        plays_s = (self._turn + 1) * TURN_S + len(self._sound) / SAMPLE_RATE_HZ
        self._words.extend((plays_s + start_s, f" {word}") for word, start_s, _ in speech.words)
        samples = speech.samples.astype(np.float32) / 32768
        self._sound = np.concatenate([self._sound, samples])

    def _emit(self) -> Emission:
        now, self._sound = self._sound[:SAMPLES_PER_TURN], self._sound[SAMPLES_PER_TURN:]
        self._is_sounding = len(now) > 0
        voice = np.zeros(SAMPLES_PER_TURN, np.float32)
        voice[: len(now)] = now
        plays_s = (self._turn + 1) * TURN_S
        say: list[str] = [*EMPTY]
        slot = 0
        while self._words and slot < NUM_SLOTS and self._words[0][0] < plays_s + TURN_S:
            time_s, piece = self._words.popleft()
            slot = max(slot, min(NUM_SLOTS - 1, int((time_s - plays_s) / TURN_S * NUM_SLOTS)))
            say[slot] = piece
            slot += 1
        heard = [f" {self._heard.popleft()}" for _ in range(min(NUM_SLOTS, len(self._heard)))]
        return Emission(heard=(*heard, *EMPTY)[:NUM_SLOTS], say=tuple(say), voice=voice)


class Cascade:
    """A `System` (bench.playing.logical_clock). replies: makes who answers in one session;
    hangover_s, barge_in, executor: as in `Talk`. general: it hears general English instead of our
    own vocabulary. Raises ConfigError for a hang-over that is no number of frames."""

    num_seats = 32

    def __init__(
        self,
        *,
        synthesize: Synthesizer,
        voice: str = VOICE,
        name: str = "cascade",
        replies: Callable[[], Replies] = Rules,
        hangover_s: float = HANGOVER_S,
        barge_in: bool = False,
        general: bool = False,
        executor: Executor | None = None,
    ) -> None:
        if hangover_s < FRAME / SAMPLE_RATE_HZ:
            raise ConfigError(f"a hang-over of {hangover_s:g} s; at least 0.02 is needed")
        self.name = f"{name}:general" if general else name
        self._synthesize, self._voice, self._replies = synthesize, voice, replies
        self._hangover_s, self._barge_in, self._executor = hangover_s, barge_in, executor
        self._ear = Ear() if general else Ear(synthesize, voice)
        self._talks: dict[Stage, Talk] = {}

    def talk(self) -> Talk:
        """A new session."""
        return Talk(
            self._ear,
            self._replies(),
            self._synthesize,
            voice=self._voice,
            hangover_s=self._hangover_s,
            barge_in=self._barge_in,
            executor=self._executor,
        )

    def open(self, stage: Stage) -> None:
        self._talks[stage] = self.talk()

    def close(self, stage: Stage) -> None:
        self._talks.pop(stage).close()

    def encode(self, control: str, text: str) -> list:
        return [*([control] if control else []), *normal(text), "<end>"]

    def step(self, stages: Sequence[Stage]) -> list[Emission]:
        talks = [self._talks[stage] for stage in stages]
        emitted = [
            talk.push(stage.hear, stage.read) for talk, stage in zip(talks, stages, strict=True)
        ]
        raise_failures(talks)
        return emitted


def raise_failures(talks: Iterable[Talk]) -> None:
    """Raise what the work of one of them has failed with, if any has."""
    for talk in talks:
        if talk.failure is not None:
            raise talk.failure
