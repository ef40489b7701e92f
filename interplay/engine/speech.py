"""From the voice slots of one micro-turn to its sound. Knows nothing of sessions or tokens.

The rules at the ends of speech: speech starts from the vocoder's initial state; when the voice
goes off, the sound that the vocoder still owes (it is two frames late) is drawn from the last
frame held, fades out over its last 10 ms, and the state is dropped. Silence is exact zeros.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_SLOT, SAMPLES_PER_TURN
from interplay.model.vocoder import DELAY_FRAMES, HOP, fade_out

FADE_MS = 10.0
TAIL_SAMPLES = DELAY_FRAMES * HOP
FADE_SAMPLES = round(FADE_MS * SAMPLE_RATE_HZ / 1000)

State = dict[str, Tensor]


@runtime_checkable  # the tests check signatures while they run
class Synthesizer(Protocol):
    """What `Vocoder` and `GriffinLim` have in common."""

    def initial_state(self, batch: int) -> State: ...

    def stream(self, mel: Tensor, state: State) -> tuple[Tensor, State]: ...


@dataclass(frozen=True, kw_only=True)
class Speaking:
    """A voice that is on: the vocoder's state (batch 1) and the newest frame, log10 mel [80]."""

    state: State
    frame: Tensor


@dataclass(frozen=True, kw_only=True)
class _Run:
    """Slots [start, stop) of one row without a break; `ends` when the voice then goes off."""

    row: int
    start: int
    stop: int
    ends: bool
    before: Speaking | None

    @property
    def num_slots(self) -> int:
        return self.stop - self.start + self.ends


def speak(
    synthesizer: Synthesizer,
    mel: Float[Tensor, "b 4 S 80"],
    voice_on: Bool[Tensor, "b 4"],
    before: list[Speaking | None],
) -> tuple[Float[Tensor, "b 3200"], list[Speaking | None]]:
    """Sound of one micro-turn per row, and what to pass as `before` next time.

    mel: log10 mel, read where `voice_on`. before: None for a row that was silent.
    """
    sound = torch.zeros(len(mel), SAMPLES_PER_TURN)
    after: list[Speaking | None] = [None] * len(mel)
    runs = [
        run
        for row, (on, past) in enumerate(zip(voice_on.tolist(), before, strict=True))
        for run in _runs(row, on, past)
    ]
    for num_slots in {run.num_slots for run in runs}:
        alike = [run for run in runs if run.num_slots == num_slots]
        pieces, states = _synthesize(synthesizer, mel, alike)
        for i, run in enumerate(alike):
            start = run.start * SAMPLES_PER_SLOT
            sound[run.row, start : start + pieces.shape[1]] = _ended(pieces[i], run)
            if not run.ends:
                state = {key: value[i : i + 1].clone() for key, value in states.items()}
                after[run.row] = Speaking(state=state, frame=mel[run.row, -1, -1].clone())
    return sound, after


def _runs(row: int, on: list[bool], before: Speaking | None) -> list[_Run]:
    runs, start = [], 0 if before else None
    for slot, is_on in enumerate([*on, None]):  # None: the next micro-turn decides
        if is_on and start is None:
            start = slot
        elif not is_on and start is not None:
            runs.append(
                _Run(
                    row=row,
                    start=start,
                    stop=slot,
                    ends=slot < NUM_SLOTS,
                    before=before if start == 0 else None,
                )
            )
            start = None
    return runs


def _synthesize(
    synthesizer: Synthesizer, mel: Tensor, runs: list[_Run]
) -> tuple[Float[Tensor, "runs samples"], State]:
    """Runs of equal length as one batch."""
    frames = torch.stack([_frames(mel, run) for run in runs])
    states = [run.before.state if run.before else synthesizer.initial_state(1) for run in runs]
    state = {key: torch.cat([one[key] for one in states]) for key in states[0]}
    return synthesizer.stream(frames, state)


def _frames(mel: Tensor, run: _Run) -> Float[Tensor, "F 80"]:
    frames = mel[run.row, run.start : run.stop].flatten(0, 1)
    if not run.ends:
        return frames
    if run.stop > run.start:
        last = frames[-1]
    else:
        assert run.before is not None, "an empty run ends a voice that was on"
        last = run.before.frame
    return torch.cat([frames, last.expand(mel.shape[2], -1)])


def _ended(piece: Float[Tensor, " samples"], run: _Run) -> Float[Tensor, " samples"]:
    if not run.ends:
        return piece
    end = (run.stop - run.start) * SAMPLES_PER_SLOT + TAIL_SAMPLES
    return fade_out(piece, end - FADE_SAMPLES, FADE_MS)
