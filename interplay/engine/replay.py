"""Re-runs a recorded session as the trainer would and compares every number, bit for bit.

The engine made the numbers in five small passes per micro-turn, this makes them in one forward
pass over the whole session, with the fp32 master weights, on the kind of device that made them.
Knows nothing of live sessions.
"""

import copy
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interplay.clock import NUM_SLOTS
from interplay.engine.emit import Numbers, measure
from interplay.engine.past import Said
from interplay.engine.precision import CPU, GPU, choose_device, hardware
from interplay.engine.record import NUMBERS, STREAMS, Part, Record
from interplay.errors import DeviceError, RecordError
from interplay.model.checkpoint import Loaded
from interplay.model.interaction import Inputs
from interplay.turns.layout import TEXT_OUT, Carry, Laid, lay_out, num_positions
from interplay.turns.types import Streams

MAX_POSITIONS = 65_536  # of one forward pass, 27 minutes without a camera: it takes memory
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


def replay(record: Record, loaded: Loaded, device: torch.device = CPU) -> ReplayReport:
    """Compute the numbers of a record again, on `device`. Raises RecordError when the model does
    not fit it."""
    _check_fits(record, loaded)
    if device != CPU:
        loaded = replace(loaded, model=copy.deepcopy(loaded.model).to(device))
    whole = _joined(record)
    with torch.inference_mode():
        if num_positions(whole) <= MAX_POSITIONS:
            hidden = _forward(loaded, whole, record.dtype)
            passes = f"one forward pass over {num_positions(whole):,} positions"
        else:
            hidden = _append(loaded, record)
            passes = f"{num_positions(whole):,} positions in halves of micro-turns"
        sizes = [len(part.streams) * NUM_SLOTS for part in record.parts]
        pieces = zip(hidden.split(sizes), record.parts, strict=True)
        again = [_measure(loaded, piece, part) for piece, part in pieces]
    return _compare(record, again, passes)


def device_of(record: Record) -> torch.device:
    """Where a record can be computed again. Raises RecordError where this machine lacks that."""
    if not record.device.startswith(GPU):
        return CPU
    about = record.about
    made = f"{record.folder} was made on {about.get('hardware')} (--device {record.device})"
    try:
        device = choose_device(record.device)
    except DeviceError:
        raise RecordError(f"{made}; there is none here: replay it on a machine with one") from None
    if (found := hardware(record.device)) != about.get("hardware"):
        raise RecordError(f"{made}, and here is {found}: only the same GPU gives the same bits")
    return device


def check_operations(record: Record, operations: str) -> None:
    """Raises RecordError where the operations chosen here are not those that made the record."""
    made = record.about.get("operations", operations)
    if made != operations:
        raise RecordError(
            f"{record.folder} was made with {made}, and here operations are {operations}; replay "
            "it where they are the same"
        )


def _joined(record: Record) -> Streams:
    """The parts of a record as one session whose camera goes on and off."""
    streams = [part.streams for part in record.parts]
    if len(streams) == 1:
        return streams[0]
    shape = next(each.see.shape[1:] for each in streams if each.see is not None)
    see = [np.zeros((len(s), *shape), np.uint8) if s.see is None else s.see for s in streams]
    arrays = {name: np.concatenate([getattr(s, name) for s in streams]) for name in STREAMS}
    return Streams(
        **arrays,
        see=np.concatenate(see),
        see_on=np.concatenate([each.camera for each in streams]),
        first_turn=streams[0].first_turn,
    )


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


def _inputs(laid: Laid, device: torch.device) -> Inputs:
    """One session as tensors with a leading axis of 1."""

    def batch(array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).unsqueeze(0).to(device)

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
    out, _ = loaded.model(_inputs(laid, _device(loaded)), dtype)
    return out.flatten(0, 2)


def _append(loaded: Loaded, record: Record) -> Float[Tensor, "slots d"]:
    """Sessions too long for one pass."""
    model, slots = loaded.model, torch.tensor([0], device=_device(loaded))
    cache = model.backbone.new_cache(1, record.dtype)
    carry: Carry | None = None
    rows = []
    for part in record.parts:
        for turn in range(len(part.streams)):
            laid, carry = lay_out(part.streams.cut(turn, turn + 1), carry)
            inputs = _inputs(laid, slots.device)
            model.read_input(inputs, cache, slots, record.dtype)
            reads = inputs.tokens[:, 0], inputs.voice[:, 0], inputs.voice_on[:, 0]
            rows.append(model.read_slot(*reads, None, cache, slots, record.dtype)[0])
    return torch.cat(rows)


def _device(loaded: Loaded) -> torch.device:
    return loaded.model.words.device


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
        cut = Said(**{key: value[rows].to(hidden.device) for key, value in vars(said).items()})
        pieces.append(measure(loaded.model, hidden[rows], cut))
    return Numbers(
        **{
            f.name: torch.cat([getattr(piece, f.name) for piece in pieces]).cpu()
            for f in fields(Numbers)
        }
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
