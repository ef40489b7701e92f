"""Re-runs a recorded session as the trainer would and compares every number, bit for bit.

The engine made the numbers in five small passes per micro-turn, this makes them in one forward
pass over the whole session, with the fp32 master weights. Knows nothing of live sessions.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interplay.clock import NUM_SLOTS
from interplay.engine.emit import Numbers, measure
from interplay.engine.past import Said
from interplay.engine.record import NUMBERS, Part, Record
from interplay.errors import RecordError
from interplay.model.checkpoint import Loaded
from interplay.model.interaction import Inputs
from interplay.turns.layout import TEXT_OUT, Carry, Laid, lay_out, positions_per_turn
from interplay.turns.types import Streams

MAX_POSITIONS = 8192  # of one forward pass: its mask grows with the square
_ONES = np.array([value.bit_count() for value in range(256)], np.uint8)  # in every byte


@dataclass(frozen=True, kw_only=True)
class ReplayReport:
    """How many fp32 values were compared, how many differ, in how many bits, and where first.

    passes: how the numbers were made again.
    """

    num_values: int
    num_differing_values: int
    num_differing_bits: int
    first: str
    passes: str

    def __str__(self) -> str:
        text = f"{self.num_values:,} values, {self.num_differing_bits:,} differing bits"
        if self.num_differing_bits:
            text += f" in {self.num_differing_values:,} values, first {self.first}"
        return text


def replay(record: Record, loaded: Loaded) -> ReplayReport:
    """Compute the numbers of a record again. Raises RecordError when the model does not fit it."""
    _check_fits(record, loaded)
    num_positions = sum(
        len(part.streams) * positions_per_turn(camera=part.streams.see is not None)
        for part in record.parts
    )
    one_pass = len(record.parts) == 1 and num_positions <= MAX_POSITIONS
    with torch.inference_mode():
        if one_pass:
            hidden = [_forward(loaded, record.parts[0].streams, record.dtype)]
            passes = f"one forward pass over {num_positions:,} positions"
        else:
            hidden = _append(loaded, record)
            passes = f"{num_positions:,} positions in halves of micro-turns"
        again = [_measure(loaded, h, p) for h, p in zip(hidden, record.parts, strict=True)]
    return _compare(record, again, passes)


def _check_fits(record: Record, loaded: Loaded) -> None:
    config = loaded.config
    for part in record.parts:
        streams = part.streams
        highest = max(int(getattr(streams, name).max()) for name in (*TEXT_OUT, "read"))
        blind = streams.see is not None and config.see is None
        if streams.subframes != config.subframes or highest >= config.vocab_size or blind:
            raise RecordError(
                f"{record.folder} was made with another model; give the one in its record.json"
            )


def _inputs(laid: Laid) -> Inputs:
    """One session as tensors with a leading axis of 1."""

    def batch(array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).unsqueeze(0)

    return Inputs(
        hear=batch(laid.hear),
        read=batch(laid.read),
        turn=batch(laid.turn),
        tokens=batch(laid.previous.as_read()),
        voice=batch(laid.previous.voice),
        voice_on=batch(laid.previous.voice_on),
        see=None if laid.see is None else batch(laid.see),
        see_on=batch(laid.see_on),
    )


def _forward(loaded: Loaded, streams: Streams, dtype: torch.dtype) -> Float[Tensor, "slots d"]:
    laid, _ = lay_out(streams)
    out, _ = loaded.model(_inputs(laid), dtype)
    return out.flatten(0, 2)


def _append(loaded: Loaded, record: Record) -> list[Float[Tensor, "slots d"]]:
    """Sessions too long for one pass, or with the camera going on and off."""
    model, slots = loaded.model, torch.tensor([0])
    cache = model.backbone.new_cache(1, record.dtype)
    carry: Carry | None = None
    hidden = []
    for part in record.parts:
        rows = []
        for turn in range(len(part.streams)):
            laid, carry = lay_out(part.streams.cut(turn, turn + 1), carry)
            inputs = _inputs(laid)
            model.read_input(inputs, cache, slots, record.dtype)
            reads = inputs.tokens[:, 0], inputs.voice[:, 0], inputs.voice_on[:, 0]
            rows.append(model.read_slot(*reads, None, cache, slots, record.dtype)[0])
        hidden.append(torch.cat(rows))
    return hidden


def _measure(loaded: Loaded, hidden: Float[Tensor, "slots d"], part: Part) -> Numbers:
    """Micro-turn by micro-turn is slow and all at once is large: 256 of them at a time."""
    streams = part.streams
    said = replace(  # what was in context is read, not emitted
        Said.nothing(len(hidden), streams.subframes),
        tokens=torch.from_numpy(
            np.stack([getattr(streams, name).reshape(-1) for name in TEXT_OUT], axis=-1)
        ),
        voice=torch.from_numpy(streams.voice).flatten(0, 1),
        voice_on=torch.from_numpy(streams.voice_on).flatten(),
    )
    pieces = []
    for start in range(0, len(hidden), 256 * NUM_SLOTS):
        rows = slice(start, start + 256 * NUM_SLOTS)
        cut = Said(**{key: value[rows] for key, value in vars(said).items()})
        pieces.append(measure(loaded.model, hidden[rows], cut))
    return Numbers(
        **{f.name: torch.cat([getattr(piece, f.name) for piece in pieces]) for f in fields(Numbers)}
    )


def _compare(record: Record, again: list[Numbers], passes: str) -> ReplayReport:
    num_values = num_values_off = num_bits_off = 0
    first, turns_before = "", 0
    for part, numbers in zip(record.parts, again, strict=True):
        for name in NUMBERS:
            ours = getattr(numbers, name).numpy().reshape(len(part.streams), -1)
            theirs = getattr(part.numbers, name).numpy().reshape(ours.shape)
            compared = np.ones(ours.shape, bool)
            if name == "mean":  # the head runs while the voice is on, elsewhere there is no number
                compared = np.repeat(part.streams.voice_on, ours.shape[1] // NUM_SLOTS, axis=1)
            off = (ours.view(np.uint32) ^ theirs.view(np.uint32)) * compared
            num_values += int(compared.sum())
            num_values_off += int(np.count_nonzero(off))
            num_bits_off += int(_ONES[off.astype(np.uint32).view(np.uint8)].sum())
            if off.any() and not first:
                first = f"in {name} of micro-turn {turns_before + int(off.any(1).argmax())}"
        turns_before += len(part.streams)
    return ReplayReport(
        num_values=num_values,
        num_differing_values=num_values_off,
        num_differing_bits=num_bits_off,
        first=first,
        passes=passes,
    )
