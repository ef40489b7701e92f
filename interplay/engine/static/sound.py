"""Ears and mouth of a tick in fixed shapes: samples to dMel bins, mel slots to samples, in torch.

What `media.dmel` and `engine.speech` do for single sessions on the host, for a batch on a device
and without asking it anything. Knows nothing of tokens or sessions.
"""

import math

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from interplay.clock import NUM_SLOTS, SAMPLES_PER_SLOT
from interplay.engine.speech import FADE_MS, FADE_SAMPLES, TAIL_SAMPLES, State, Synthesizer
from interplay.media.dmel import BIN_CENTERS, NUM_MELS, POWER_FLOOR, DmelConfig, filterbank
from interplay.model.vocoder import fade_out
from interplay.ops.linear import linear


class DeviceDmel:
    """dMel bins of one micro-turn per row."""

    def __init__(self, config: DmelConfig, device: torch.device) -> None:
        self.config = config
        sample = torch.arange(config.window, dtype=torch.float64)
        window = 0.5 - 0.5 * torch.cos(2 * math.pi * sample / config.window)
        freq = torch.arange(config.n_fft // 2 + 1, dtype=torch.float64)
        angle = 2 * math.pi / config.n_fft * freq[:, None] * sample
        parts = torch.cat([angle.cos(), angle.sin()]) * window
        self._parts = parts.float().to(device)
        self._filters = torch.from_numpy(filterbank(config)).T.contiguous().to(device)
        centres = torch.from_numpy(BIN_CENTERS)
        self._edges = ((centres[1:] + centres[:-1]) / 2).float().to(device)

    def push(
        self, samples: Float[Tensor, "b 3200"], tail: Float[Tensor, "b tail"]
    ) -> tuple[UInt8[Tensor, "b 4 S 80"], Float[Tensor, "b tail"]]:
        """The bins and the tail to pass next time."""
        config = self.config
        signal = torch.cat([tail, samples], dim=1)
        frames = signal.unfold(1, config.window, config.hop)
        real, imag = linear(frames, self._parts).chunk(2, dim=-1)
        magnitude = (real * real + imag * imag).clamp_min(float(POWER_FLOOR)).sqrt()
        mel = linear(magnitude, self._filters).clamp_min(float(POWER_FLOOR)).log10()
        bins = torch.bucketize(mel, self._edges, right=True).to(torch.uint8)
        return bins.view(len(bins), NUM_SLOTS, -1, NUM_MELS), signal[:, samples.shape[1] :]


def speak_slots(
    synthesizer: Synthesizer,
    mel: Float[Tensor, "b 4 S 80"],
    voice_on: Bool[Tensor, "b 4"],
    state: State,
    frame: Float[Tensor, "b 80"],
    speaking: Bool[Tensor, " b"],
) -> tuple[Float[Tensor, "b 3200"], State, Float[Tensor, "b 80"], Bool[Tensor, " b"]]:
    """Sound of one micro-turn per row, slot by slot: `engine.speech.speak` without its branches.

    state, frame: the vocoder's memory and the newest frame, read where `speaking`; they are passed
    on likewise. In a slot where the voice is off every row is computed and silence is taken.
    """
    start = synthesizer.initial_state(len(mel))
    pieces = []
    for slot in range(NUM_SLOTS):
        on, ends = voice_on[:, slot], speaking & ~voice_on[:, slot]
        state = {
            key: torch.where(_wide(speaking, value), value, start[key])
            for key, value in state.items()
        }
        held = frame[:, None].expand(-1, mel.shape[2], -1)
        frames = torch.where(on[:, None, None], mel[:, slot], held)
        piece, state = synthesizer.stream(frames, state)
        faded = fade_out(piece, TAIL_SAMPLES - FADE_SAMPLES, FADE_MS)
        piece = torch.where(on[:, None], piece, torch.where(ends[:, None], faded, 0.0))
        assert piece.shape[1] == SAMPLES_PER_SLOT
        pieces.append(piece)
        frame, speaking = torch.where(on[:, None], mel[:, slot, -1], frame), on
    return torch.cat(pieces, dim=1), state, frame, speaking


def _wide(rows: Bool[Tensor, " b"], like: Tensor) -> Tensor:
    return rows.view(-1, *[1] * (like.ndim - 1))
