"""The engine: every live session advances by one micro-turn per tick, in one batch.

Knows nothing of sockets, wall clocks or event loops: time is an argument. Slots of the cache are
allocated once; a session holds one until it is closed. Bits of a session do not depend on which
other sessions share its ticks (docs/numerics.md).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from interplay.clock import NUM_SLOTS, SAMPLES_PER_TURN
from interplay.engine.emit import Emitter, Numbers, SamplingConfig, measure
from interplay.engine.hearing import Heard, hear_all
from interplay.engine.memory import new_cache
from interplay.engine.past import Past, Said, SessionState
from interplay.engine.precision import (
    CPU,
    PLAIN,
    cast_weights,
    choose_dtype,
    choose_operations,
    choose_products,
)
from interplay.engine.session import Correction, Session, Trace, slot_of
from interplay.engine.speech import speak
from interplay.errors import ConfigError, SessionError
from interplay.media.dmel import DmelConfig, StreamingDmel
from interplay.model.checkpoint import Loaded
from interplay.model.interaction import Inputs
from interplay.model.mark import Mark
from interplay.model.vocoder import HOP
from interplay.turns.follow import no_memory
from interplay.turns.tokens import END, Tokenizer
from interplay.turns.types import SEE_SHAPE, InputHalf, OutputHalf

ONE_THREAD_BELOW = 50_000_000  # parameters: smaller products are over before threads have met


class Engine:
    """Runs up to `num_slots` sessions of one model.

    dtype: None chooses by the processor. num_threads: of torch, for the whole process; None
    means one for a small model and torch's own choice for a large one.
    strict: raise ConfigError where the fast way is not available here.
    facts: what was chosen and why, for commands to print. runs_on: what `--device` calls it.
    on_stage: called within a tick at the end of each of its stages: `encode`, `prefill`,
    `decode`, `codec`.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        num_slots: int = 1,
        dtype: torch.dtype | None = None,
        num_threads: int | None = None,
        sampling: SamplingConfig | None = None,
        strict: bool = False,
    ) -> None:
        if num_slots < 1:
            raise ConfigError(f"num_slots is {num_slots}; an engine needs at least 1")
        self.loaded, self.config = loaded, loaded.config
        dmel = DmelConfig(subframes=self.config.subframes)
        if dmel.hop != HOP:
            raise ConfigError(
                f"subframes is {dmel.subframes}; the voice needs 4 (a frame every 12.5 ms)"
            )
        num_params = set_threads(loaded, num_threads)
        self.runs_on = PLAIN
        self.dtype, reason = choose_dtype(dtype, served=loaded.model)
        self.model = cast_weights(loaded.model, self.dtype).eval()
        self.facts = {
            "model": str(loaded.facts.get("name", loaded.path or "untrained")),
            "parameters": f"{num_params:,}",
            "number format": f"{str(self.dtype).removeprefix('torch.')} ({reason})",
            "threads": str(torch.get_num_threads()),
            **choose_operations(self.model, loaded.vocoder, self.dtype, CPU),
            "few rows": choose_products(self.model, loaded.vocoder, self.dtype, strict=strict),
            "vocoder": type(loaded.vocoder).__name__,
        }
        self.cache = new_cache(self.model.backbone, num_slots, self.dtype)
        self._dmel = StreamingDmel(dmel)
        self.sampling = sampling or SamplingConfig()
        self._emitter = Emitter(self.model, self.sampling)
        self._sessions: list[Session | None] = [None] * num_slots
        self.on_stage: Callable[[str], object] = lambda stage: None

    @property
    def num_slots(self) -> int:
        return len(self._sessions)

    @property
    def tokenizer(self) -> Tokenizer:
        return self.loaded.tokenizer

    @property
    def has_eyes(self) -> bool:
        return self.config.see is not None

    @property
    def num_free_slots(self) -> int:
        return self._sessions.count(None)

    @property
    def num_kv_tokens(self) -> int:
        """Positions whose keys and values the live sessions still need. On a device it waits for
        the counts, so it is for whoever watches and never for a tick."""
        most, lengths = self.cache.window + self.cache.prefix, self.cache.length.tolist()
        return sum(min(lengths[i], most) for i, one in enumerate(self._sessions) if one)

    def open(self, *, seed: int = 0, first_turn: int = 0, prefix: str = "") -> Session:
        """A new session. Raises SessionError when every slot is taken.

        first_turn: where the phase clock starts. prefix: instructions, which it reads first,
        4 tokens per micro-turn.
        """
        waiting = (*self.loaded.tokenizer.encode(prefix), END) if prefix else ()
        subframes = self.config.subframes
        past = Past(
            seed=seed,
            turn=first_turn,
            num_turns=0,
            memory=no_memory(1),
            waiting=waiting,
            hear_tail=self._dmel.initial_state(),
            before=Said.nothing(1, subframes),
            said=Said.nothing(NUM_SLOTS, subframes),
        )
        session = self._admit(past)
        self.cache.reset_slot(slot_of(session))
        return session

    def restore(self, state: SessionState) -> Session:
        """A session that goes on from `state`. Raises SessionError if it does not fit."""
        saved = state.cache
        for theirs, ours in ((saved["k"], self.cache.k), (saved["v"], self.cache.v)):
            fits = theirs.dtype == ours.dtype and theirs.ndim == 4
            if not fits or theirs[:, :, 0].shape != ours[:, 0, :, 0].shape:
                raise SessionError(
                    f"this state was made by another model or number format ({theirs.dtype}, "
                    f"{list(theirs.shape)}); restore it in an engine like its own"
                )
        session = self._admit(state.past)
        try:
            self.cache.write_slot(slot_of(session), state.cache)
        except SessionError:
            self.close(session)
            raise
        return session

    def state(self, session: Session) -> SessionState:
        self._check_open(session)
        return SessionState(past=session.past, cache=self.cache.read_slot(slot_of(session)))

    def close(self, session: Session) -> None:
        if session.slot is not None and self._sessions[session.slot] is session:
            self._sessions[session.slot] = None
        session.slot = None

    def _admit(self, past: Past) -> Session:
        if None not in self._sessions:
            raise SessionError(
                f"all {self.num_slots} session slots are taken; close a session or start the "
                "engine with more slots"
            )
        slot = self._sessions.index(None)
        session = self._sessions[slot] = Session(self, slot, past)
        return session

    @torch.inference_mode()
    def tick(self, halves: Mapping[Session, InputHalf]) -> dict[Session, OutputHalf]:
        """Advance the given sessions by one micro-turn; the others do not notice.

        Either every given session advances or, when this raises, none does. Raises SessionError
        for a closed session or an input half that the model cannot read.
        """
        if not halves:
            return {}
        for session, half in halves.items():
            self._check_open(session)
            self._check_half(half)
        sessions = sorted(halves, key=slot_of)
        with self._all_or_none(sessions):
            corrections = self._correct({s: halves[s].num_played for s in sessions})
            heard = hear_all(self._dmel, {s: (s.past, halves[s]) for s in sessions})
            self.on_stage("encode")
            for camera in (False, True):
                group = [s for s in sessions if (halves[s].see is not None) == camera]
                if group:
                    self._read_input(group, heard, halves)
            self.on_stage("prefill")
            said, numbers, memory = self._emit(sessions, [heard[s].memory for s in sessions])
            self.on_stage("decode")
            sound, speaking = speak(
                self.loaded.vocoder,
                torch.stack([part.voice for part in said]),
                torch.stack([part.voice_on for part in said]),
                [s.past.speaking for s in sessions],
            )
            self.on_stage("codec")
            outputs = {}
            for i, session in enumerate(sessions):
                past, half = session.past, heard[session]
                session.trace = Trace(
                    turn=past.turn,
                    hear=half.hear,
                    read=half.read,
                    said=said[i],
                    numbers=numbers[i],
                    correction=corrections.get(session),
                )
                session.past = replace(
                    past,
                    turn=past.turn + 1,
                    num_turns=past.num_turns + 1,
                    memory=memory[i : i + 1],
                    waiting=half.waiting,
                    hear_tail=half.tail,
                    before=past.said.last(),
                    said=said[i],
                    speaking=speaking[i],
                )
                outputs[session] = _output(said[i], sound[i])
        return {session: outputs[session] for session in halves}

    @contextmanager
    def _all_or_none(self, sessions: Collection[Session]) -> Iterator[None]:
        """Whatever raises within leaves the sessions and their slots as they were."""
        before = [(session, session.past, session.trace) for session in sessions]
        mark = Mark.of(self.cache, self._slots(sessions), NUM_SLOTS)
        try:
            yield
        except BaseException:
            mark.go_back()
            for session, past, trace in before:
                session.past, session.trace = past, trace
            raise

    def _read_input(
        self,
        sessions: list[Session],
        heard: dict[Session, Heard],
        halves: Mapping[Session, InputHalf],
    ) -> None:
        nothing = torch.empty(0)
        tiles = [halves[s].see for s in sessions]
        inputs = Inputs(
            hear=torch.from_numpy(np.stack([heard[s].hear for s in sessions])).unsqueeze(1),
            read=torch.from_numpy(np.stack([heard[s].pairs for s in sessions])).unsqueeze(1),
            turn=torch.tensor([[s.past.turn] for s in sessions]),
            tokens=nothing,
            voice=nothing,
            voice_on=nothing,
            see=None if tiles[0] is None else torch.from_numpy(np.stack(tiles)).unsqueeze(1),  # type: ignore[arg-type]
        )
        self.model.read_input(inputs, self.cache, self._slots(sessions), self.dtype)

    def _emit(
        self, sessions: list[Session], memories: list[np.ndarray]
    ) -> tuple[list[Said], list[Numbers], np.ndarray]:
        """The four output slots, one after the other; also the memories after them."""
        memory = np.concatenate(memories)
        slots = self._slots(sessions)
        seeds = torch.tensor([s.past.seed for s in sessions])
        counters = torch.tensor([s.past.num_turns * NUM_SLOTS for s in sessions])
        before = _concat([s.past.said.last() for s in sessions])
        steps = []
        for j in range(NUM_SLOTS):
            hidden = self.model.read_slot(
                before.as_read().unsqueeze(1),
                before.voice.unsqueeze(1),
                before.voice_on.unsqueeze(1),
                j,
                self.cache,
                slots,
                self.dtype,
            )
            said, numbers = self._emitter.emit(hidden[:, 0], before, seeds, counters + j)
            before, memory = said.in_context(memory)
            steps.append((before, numbers))
        said = _per_session(Said, [step[0] for step in steps])
        numbers = _per_session(Numbers, [step[1] for step in steps])
        return said, numbers, memory

    def _correct(self, played: dict[Session, int | None]) -> dict[Session, Correction]:
        """Re-read the newest output half of sessions of which less was played than emitted."""
        wanted = {}
        for session, num_samples in played.items():
            if num_samples is None or not session.past.num_turns:
                continue
            said = session.past.said.played(num_samples)
            if not torch.equal(said.voice_on, session.past.said.voice_on):
                wanted[session] = said
        if not wanted:
            return {}
        sessions = list(wanted)
        for session in sessions:
            slot = slot_of(session)
            self.cache.truncate(slot, int(self.cache.length[slot]) - NUM_SLOTS)
        reads = [wanted[s].read_after(s.past.before) for s in sessions]
        hidden = self.model.read_slot(
            torch.stack([r.as_read() for r in reads]),
            torch.stack([r.voice for r in reads]),
            torch.stack([r.voice_on for r in reads]),
            None,
            self.cache,
            self._slots(sessions),
            self.dtype,
        )
        corrections = {}
        for rows, session in zip(hidden, sessions, strict=True):
            said, past = wanted[session], session.past
            goes_on = bool(said.voice_on[-1])
            session.past = replace(past, said=said, speaking=past.speaking if goes_on else None)
            numbers = measure(self.model, rows, said)
            corrections[session] = Correction(said=said, numbers=numbers)
        return corrections

    def _slots(self, sessions: Collection[Session]) -> Tensor:
        return torch.tensor([slot_of(s) for s in sessions], device=self.cache.length.device)

    def _check_open(self, session: Session) -> None:
        if session.slot is None or self._sessions[session.slot] is not session:
            raise SessionError("this session is closed or of another engine; open a new one")

    def _check_half(self, half: InputHalf) -> None:
        hear, see = half.hear, half.see
        if hear.dtype != np.float32:
            raise SessionError(f"hear is {hear.dtype}; float32 samples are needed")
        if hear.shape != (SAMPLES_PER_TURN,):
            raise SessionError(
                f"hear has shape {list(hear.shape)}; one micro-turn is [{SAMPLES_PER_TURN}] samples"
            )
        if not np.isfinite(hear).all():
            raise SessionError("hear holds NaN or infinite samples; send finite ones")
        if len(half.read) > NUM_SLOTS:
            raise SessionError(
                f"read has {len(half.read)} tokens; at most {NUM_SLOTS} fit into a micro-turn"
            )
        if not all(0 <= token < self.config.vocab_size for token in half.read):
            raise SessionError(f"read has tokens outside 0 to {self.config.vocab_size - 1}")
        if half.num_played is not None and not 0 <= half.num_played <= SAMPLES_PER_TURN:
            raise SessionError(
                f"num_played is {half.num_played}; use 0 to {SAMPLES_PER_TURN} samples"
            )
        if see is None:
            return
        if self.config.see is None:
            raise SessionError("this model has no eyes; send micro-turns without `see`")
        if see.dtype != np.uint8 or see.shape != SEE_SHAPE:
            raise SessionError(
                f"see is {see.dtype} {list(see.shape)}; uint8 {list(SEE_SHAPE)} is needed"
            )


def set_threads(loaded: Loaded, num_threads: int | None = None) -> int:
    """Give torch its threads, None: one for a small model. Returns the number of parameters."""
    num_params = sum(p.numel() for p in loaded.model.parameters())
    if num_threads is None and num_params < ONE_THREAD_BELOW:
        num_threads = 1
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    return num_params


def _concat(parts: list[Said]) -> Said:
    return Said(**{key: torch.cat([vars(part)[key] for part in parts]) for key in vars(parts[0])})


def _per_session(kind: type, steps: list) -> list:
    """Four steps over b sessions -> b values over four slots."""
    stacked = {key: torch.stack([vars(s)[key] for s in steps], dim=1) for key in vars(steps[0])}
    count = len(next(iter(stacked.values())))
    return [kind(**{key: value[i] for key, value in stacked.items()}) for i in range(count)]


def _output(said: Said, sound: Tensor) -> OutputHalf:
    heard, say, act = (tuple(column) for column in said.tokens.T.tolist())
    return OutputHalf(
        heard=heard, say=say, act=act, voice_on=said.voice_on.numpy(), voice=sound.numpy()
    )
