"""One tick of many sessions over fixed buffers on a device, without a question to the host.

The steps are those of `engine.engine`: ears, input half, four output slots, mouth. What a session
remembers lies in rows of `SlotStates`; a tick reads and writes the rows that `Buffers.slots` names.
So it can be captured once as a CUDA graph and replayed for ever (`engine.static.graphs`). Knows
nothing of sessions, sockets or clocks.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from interplay.clock import NUM_SLOTS, SAMPLES_PER_TURN
from interplay.engine.emit import Emitter, Numbers
from interplay.engine.past import Said
from interplay.engine.speech import State, Synthesizer
from interplay.engine.static.memory import follow, read_pairs, remember
from interplay.engine.static.sound import DeviceDmel, speak_slots
from interplay.media.dmel import NUM_MELS, DmelConfig
from interplay.model.interaction import Inputs
from interplay.model.ring_cache import RingCache
from interplay.turns.follow import MEMORY, STREAMS
from interplay.turns.layout import TEXT_OUT
from interplay.turns.types import PAD, SEE_SHAPE

NUM_KEPT = NUM_SLOTS + 1  # output slots of the past: the newest half and the slot before it


@dataclass(frozen=True, kw_only=True)
class SlotStates:
    """What N slots remember beside their keys and values; `engine.past.Past` in rows.

    said: the fields of `Said`, [N, 5, ...], oldest first. vocoder, frame: valid where speaking.
    """

    seed: Tensor
    turn: Tensor
    num_turns: Tensor
    memory: Tensor
    hear_tail: Tensor
    said: dict[str, Tensor]
    vocoder: State
    frame: Tensor
    speaking: Tensor

    @staticmethod
    def empty(
        num_slots: int, subframes: int, synthesizer: Synthesizer, device: torch.device
    ) -> "SlotStates":
        """Sessions that have just begun, with seed 0."""

        def zeros(*shape: int, dtype: torch.dtype = torch.int64) -> Tensor:
            return torch.zeros(num_slots, *shape, dtype=dtype, device=device)

        nothing = vars(Said.nothing(NUM_KEPT, subframes))
        return SlotStates(
            seed=zeros(),
            turn=zeros(),
            num_turns=zeros(),
            memory=zeros(len(STREAMS), MEMORY, dtype=torch.int32) + PAD,
            hear_tail=zeros(DmelConfig(subframes=subframes).tail, dtype=torch.float32),
            said={
                name: value.to(device).repeat(num_slots, *[1] * value.ndim)
                for name, value in nothing.items()
            },
            vocoder=synthesizer.initial_state(num_slots),
            frame=zeros(NUM_MELS, dtype=torch.float32),
            speaking=zeros(dtype=torch.bool),
        )

    def tensors(self) -> dict[str, Tensor]:
        """All of them by name, nested ones as `group.name`."""
        flat = {}
        for item in fields(self):
            value = getattr(self, item.name)
            parts = value if isinstance(value, dict) else {"": value}
            flat |= {f"{item.name}.{key}".rstrip("."): part for key, part in parts.items()}
        return flat

    def rows(self, slots: Tensor) -> "SlotStates":
        """Copies of some rows."""
        return SlotStates(
            seed=self.seed[slots],
            turn=self.turn[slots],
            num_turns=self.num_turns[slots],
            memory=self.memory[slots],
            hear_tail=self.hear_tail[slots],
            said={name: part[slots] for name, part in self.said.items()},
            vocoder={name: part[slots] for name, part in self.vocoder.items()},
            frame=self.frame[slots],
            speaking=self.speaking[slots],
        )

    def write(self, slots: Tensor, rows: "SlotStates") -> None:
        """Put rows into their slots."""
        theirs = rows.tensors()
        for name, mine in self.tensors().items():
            mine[slots] = theirs[name]


@dataclass(frozen=True, kw_only=True)
class Buffers:
    """What one tick of b sessions takes: slots int64 [b], hear float32 [b, 3200], read int32 [b, 4]
    and, where all of them have a camera, see uint8 [b, 12, 2, 40, 40, 3]."""

    slots: Tensor
    hear: Tensor
    read: Tensor
    see: Tensor | None = None

    @staticmethod
    def empty(
        size: int, device: torch.device, *, camera: bool = False, pinned: bool = False
    ) -> "Buffers":
        """Silence and darkness into slot 0. pinned: in page-locked memory of the host."""
        parts = {
            "slots": torch.zeros(size, dtype=torch.int64, device=device),
            "hear": torch.zeros(size, SAMPLES_PER_TURN, device=device),
            "read": torch.full((size, NUM_SLOTS), PAD, dtype=torch.int32, device=device),
        }
        if camera:
            parts["see"] = torch.zeros(size, *SEE_SHAPE, dtype=torch.uint8, device=device)
        return Buffers(**{k: x.pin_memory() if pinned else x for k, x in parts.items()})

    def tensors(self) -> dict[str, Tensor]:
        """Those there are, by name."""
        return {name: part for name, part in vars(self).items() if part is not None}


class StaticTick:
    """The tick as a function of buffers; its bits do not depend on how many rows there are."""

    def __init__(
        self, emitter: Emitter, synthesizer: Synthesizer, cache: RingCache, dtype: torch.dtype
    ) -> None:
        self.emitter, self.model = emitter, emitter.model
        self.synthesizer, self.cache, self.dtype = synthesizer, cache, dtype
        device, subframes = cache.k.device, self.model.config.subframes
        self.dmel = DeviceDmel(DmelConfig(subframes=subframes), device)
        self.states = SlotStates.empty(cache.num_slots, subframes, synthesizer, device)

    @torch.inference_mode()
    def __call__(self, given: Buffers) -> dict[str, Tensor]:
        """Advance the sessions in `given.slots` by one micro-turn. The outputs by name: bins uint8
        [b, 4, S, 80] as they were heard, sound float32 [b, 3200], and each of the fields of `Said`
        and `Numbers` [b, 4, ...]."""
        rows = self.states.rows(given.slots)
        bins, tail = self.dmel.push(given.hear, rows.hear_tail)
        pairs, memory = read_pairs(given.read, rows.memory)
        nothing = bins.new_empty(0)
        inputs = Inputs(
            hear=bins.unsqueeze(1),
            read=pairs.unsqueeze(1),
            turn=rows.turn.unsqueeze(1),
            tokens=nothing,
            voice=nothing,
            voice_on=nothing,
            see=None if given.see is None else given.see.unsqueeze(1),
        )
        self.model.read_input(inputs, self.cache, given.slots, self.dtype)
        said, numbers, memory = self._emit(given.slots, rows, memory)
        sound, vocoder, frame, speaking = speak_slots(
            self.synthesizer,
            said["voice"],
            said["voice_on"],
            rows.vocoder,
            rows.frame,
            rows.speaking,
        )
        before = {name: value[:, -1:] for name, value in rows.said.items()}
        after = SlotStates(
            seed=rows.seed,
            turn=rows.turn + 1,
            num_turns=rows.num_turns + 1,
            memory=memory,
            hear_tail=tail,
            said={name: torch.cat([before[name], said[name]], dim=1) for name in said},
            vocoder=vocoder,
            frame=frame,
            speaking=speaking,
        )
        self.states.write(given.slots, after)
        return {"bins": bins, "sound": sound, **said, **numbers}

    def _emit(
        self, slots: Tensor, rows: SlotStates, memory: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
        """The four output slots, one after the other; also the memories after them."""
        before = Said(**{name: value[:, -1] for name, value in rows.said.items()})
        steps: list[tuple[Said, Numbers]] = []
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
            counters = rows.num_turns * NUM_SLOTS + j
            said, numbers = self.emitter.emit(hidden[:, 0], before, rows.seed, counters)
            latest = memory[:, : len(TEXT_OUT), -1]
            empty = torch.full_like(said.tokens[:, :1], PAD)
            memory = remember(memory, torch.cat([said.tokens, empty], dim=1))
            before = Said(
                tokens=said.tokens,
                latest=latest,
                follow=follow(memory),
                voice=said.voice,
                voice_on=said.voice_on,
            )
            steps.append((before, numbers))
        said, numbers = (
            {
                name: torch.stack([vars(s[i])[name] for s in steps], dim=1)
                for name in vars(steps[0][i])
            }
            for i in range(2)
        )
        return said, numbers, memory
