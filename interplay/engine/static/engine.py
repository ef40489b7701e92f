"""The engine with its sessions on a device: `engine.engine`'s API over ticks of fixed shapes.

What sessions remember lives on the device; the host keeps what waits on `read`, and fetches a past
only for who asks for it. On a GPU a tick is one captured graph per size of batch; without capture
the same operations run one by one. Knows nothing of sockets, wall clocks or event loops.
"""

import copy
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from interplay.clock import NUM_SLOTS
from interplay.engine.emit import Emitter, Numbers, SamplingConfig, measure
from interplay.engine.engine import Engine, set_threads
from interplay.engine.memory import NoRoomError, new_ring
from interplay.engine.past import Past, Said, SessionState
from interplay.engine.precision import (
    STATIC,
    cast_weights,
    choose_dtype,
    choose_operations,
    choose_products,
)
from interplay.engine.session import Correction, Session, Trace, slot_of
from interplay.engine.speech import Speaking
from interplay.engine.static.graphs import TickGraphs
from interplay.engine.static.tick import SlotStates, StaticTick
from interplay.errors import ConfigError
from interplay.media.dmel import DmelConfig, StreamingDmel
from interplay.model.checkpoint import Loaded
from interplay.model.vocoder import Vocoder
from interplay.turns.types import PAD, InputHalf, OutputHalf


class DeviceEngine(Engine):
    """Runs up to `num_slots` sessions of one model on `device`.

    traces: keep what each micro-turn read and emitted, which records need and thousands of sessions
    have no time for. strict: raise ConfigError where the fast way is not available here.

    Raises ConfigError for a model without a trained vocoder: Griffin-Lim asks the host.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        device: torch.device,
        num_slots: int = 1,
        dtype: torch.dtype | None = None,
        sampling: SamplingConfig | None = None,
        traces: bool = True,
        strict: bool = False,
    ) -> None:
        if num_slots < 1:
            raise ConfigError(f"num_slots is {num_slots}; an engine needs at least 1")
        if not isinstance(loaded.vocoder, Vocoder):
            raise ConfigError("this model has no trained vocoder; run it in the plain loop")
        vocoder = copy.deepcopy(loaded.vocoder).to(device)
        self.loaded, self.config, self.device = (
            replace(loaded, vocoder=vocoder),
            loaded.config,
            device,
        )
        self.runs_on = STATIC if device.type == "cpu" else str(device)
        num_params = set_threads(loaded)
        self.dtype, reason = choose_dtype(dtype, device, served=loaded.model)
        self.model = cast_weights(copy.deepcopy(loaded.model), self.dtype).to(device).eval()
        self.facts = {
            "model": str(loaded.facts.get("name", loaded.path or "untrained")),
            "device": f"{device}, ticks of fixed shapes",
            "parameters": f"{num_params:,}",
            "number format": f"{str(self.dtype).removeprefix('torch.')} ({reason})",
            **choose_operations(self.model, vocoder, self.dtype, device, strict=strict),
        }
        if device.type == "cpu":
            products = choose_products(self.model, vocoder, self.dtype, strict=strict)
            self.facts["few rows"] = products
        self.cache = new_ring(self.config.backbone, num_slots, self.dtype, device)
        self._keeps_traces = traces
        self.sampling = sampling or SamplingConfig()
        self._dmel = StreamingDmel(DmelConfig(subframes=self.config.subframes))
        try:
            tick = StaticTick(Emitter(self.model, self.sampling), vocoder, self.cache, self.dtype)
            self._states, self._graphs = tick.states, TickGraphs(tick)
        except torch.OutOfMemoryError:
            raise NoRoomError(
                f"no memory on {device} for the ticks of {num_slots} session slots; use fewer"
            ) from None
        self._sessions: list[Session | None] = [None] * num_slots

    def open(self, *, seed: int = 0, first_turn: int = 0, prefix: str = "") -> Session:
        session = super().open(seed=seed, first_turn=first_turn, prefix=prefix)
        self._write(session)
        return session

    def restore(self, state: SessionState) -> Session:
        session = super().restore(state)
        self._write(session)
        return session

    def state(self, session: Session) -> SessionState:
        self._check_open(session)
        self._read(session)
        return super().state(session)

    @torch.inference_mode()
    def tick(self, halves: Mapping[Session, InputHalf]) -> dict[Session, OutputHalf]:
        """Advance the given sessions by one micro-turn; the others do not notice.

        Either every given session advances or, when this raises, none does. Raises SessionError
        for a closed session or an input half that cannot be read.
        """
        if not halves:
            return {}
        for session, half in halves.items():
            self._check_open(session)
            self._check_half(half)
        outputs: dict[Session, OutputHalf] = {}
        with self._all_or_none(halves):
            corrections = self._take_back({s: h.num_played for s, h in halves.items()})
            for camera in (False, True):
                group = {s: h for s, h in halves.items() if (h.see is not None) == camera}
                if group:
                    outputs |= self._tick_alike(group, camera, corrections)
        return {session: outputs[session] for session in halves}

    def _tick_alike(
        self,
        halves: Mapping[Session, InputHalf],
        camera: bool,
        corrections: Mapping[Session, Correction],
    ) -> dict[Session, OutputHalf]:
        """A tick of sessions that all have a camera, or none."""
        buffers = self._graphs.buffers(len(halves), camera=camera)
        reads, waiting = [], []
        for row, (session, half) in enumerate(halves.items()):
            text = (*session.past.waiting, *half.read)
            read = text[:NUM_SLOTS]
            reads.append(read + (PAD,) * (NUM_SLOTS - len(read)))
            waiting.append(text[NUM_SLOTS:])
            buffers.slots[row] = slot_of(session)
            buffers.hear[row] = torch.from_numpy(half.hear)
            if buffers.see is not None and half.see is not None:
                buffers.see[row] = torch.from_numpy(half.see)
        num = len(reads)
        buffers.read[:num] = torch.tensor(reads, dtype=torch.int32)
        made = {name: x[:num].clone() for name, x in self._graphs.run(num, camera=camera).items()}
        tokens, on, sound = (made[name].cpu().numpy() for name in ("tokens", "voice_on", "sound"))
        outputs = {}
        for row, session in enumerate(halves):
            past = session.past
            turns = {"turn": past.turn + 1, "num_turns": past.num_turns + 1}
            session.past = replace(past, waiting=waiting[row], **turns)
            if self._keeps_traces:
                session.trace = _trace(session, reads[row], made, row, corrections.get(session))
            heard, say, act = (tuple(column) for column in tokens[row].T.tolist())
            outputs[session] = OutputHalf(
                heard=heard, say=say, act=act, voice_on=on[row], voice=sound[row]
            )
        return outputs

    @contextmanager
    def _all_or_none(self, sessions: Collection[Session]) -> Iterator[None]:
        slots = self._slots(sessions)
        rows = self._states.rows(slots)
        with super()._all_or_none(sessions):
            try:
                yield
            except BaseException:
                self._states.write(slots, rows)
                raise

    def _take_back(self, played: Mapping[Session, int | None]) -> dict[Session, Correction]:
        """Re-read the newest output half of sessions of which less was played than emitted."""
        corrections = {}
        for session, num_samples in played.items():
            if num_samples is None or not session.past.num_turns:
                continue
            self._read(session)
            past = session.past
            said = past.said.played(num_samples)
            if torch.equal(said.voice_on, past.said.voice_on):
                continue
            slot = slot_of(session)
            self.cache.truncate(slot, int(self.cache.length[slot]) - NUM_SLOTS)
            read = _moved(said.read_after(past.before), self.device)
            hidden = self.model.read_slot(
                read.as_read()[None],
                read.voice[None],
                read.voice_on[None],
                None,
                self.cache,
                torch.tensor([slot], device=self.device),
                self.dtype,
            )
            numbers = measure(self.model, hidden[0], _moved(said, self.device))
            speaking = past.speaking if said.voice_on[-1] else None
            session.past = replace(past, said=said, speaking=speaking)
            self._write(session)
            corrections[session] = Correction(said=said, numbers=_moved(numbers, "cpu"))
        return corrections

    def _write(self, session: Session) -> None:
        """A session's past into its slot's row."""
        past, slot = session.past, slot_of(session)
        row = SlotStates.empty(1, self.config.subframes, self.loaded.vocoder, self.device)
        row.seed[0], row.turn[0], row.num_turns[0] = past.seed, past.turn, past.num_turns
        row.memory.copy_(torch.from_numpy(past.memory))
        row.hear_tail[0] = torch.from_numpy(past.hear_tail)
        for name, value in row.said.items():
            value[0] = torch.cat([vars(past.before)[name], vars(past.said)[name]])
        if past.speaking:
            for name, value in row.vocoder.items():
                value.copy_(past.speaking.state[name])
            row.frame[0] = past.speaking.frame
            row.speaking[0] = True
        self._states.write(torch.tensor([slot], device=self.device), row)

    def _read(self, session: Session) -> None:
        """A session's past from its slot's row."""
        slot = torch.tensor([slot_of(session)], device=self.device)
        row = {name: part.cpu() for name, part in self._states.rows(slot).tensors().items()}
        said = {name.removeprefix("said."): x[0] for name, x in row.items() if name[:5] == "said."}
        speaking = None
        if row["speaking"][0]:
            state = {name[8:]: part for name, part in row.items() if name[:8] == "vocoder."}
            speaking = Speaking(state=state, frame=row["frame"][0])
        session.past = Past(
            seed=session.past.seed,
            turn=session.past.turn,
            num_turns=session.past.num_turns,
            memory=row["memory"].numpy(),
            waiting=session.past.waiting,
            hear_tail=row["hear_tail"][0].numpy(),
            before=Said(**{name: part[:1] for name, part in said.items()}),
            said=Said(**{name: part[1:] for name, part in said.items()}),
            speaking=speaking,
        )


def _trace(
    session: Session,
    read: tuple[int, ...],
    made: dict[str, Tensor],
    row: int,
    correction: Correction | None,
) -> Trace:
    """What the micro-turn just made read and emitted."""
    return Trace(
        turn=session.past.turn - 1,
        hear=made["bins"][row].cpu().numpy(),
        read=read,
        said=Said(**{name: made[name][row].cpu() for name in Said.__dataclass_fields__}),
        numbers=Numbers(**{name: made[name][row].cpu() for name in Numbers.__dataclass_fields__}),
        correction=correction,
    )


def _moved(value, device):
    """A dataclass of tensors on another device."""
    return type(value)(**{name: part.to(device) for name, part in vars(value).items()})
