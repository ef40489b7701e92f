"""Sound from log-mel frames without any training. Knows nothing of language models or sessions.

Griffin and Lim (1984) in real time (RTISI-LA, Zhu et al. 2007): sound that was given out is
fixed; the phases of the frames that still reach into the future are refined together. Work goes
slot by slot in products and transforms of one fixed shape, so streaming equals whole bit for bit.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.clock import SAMPLE_RATE_HZ
from interplay.media.dmel import NUM_MELS, DmelConfig, filterbank
from interplay.model.vocoder import DELAY_FRAMES, HOP, mel_to_freqs

SLOT_FRAMES = 4
MEL = DmelConfig(subframes=4)
OVERLAPS = MEL.window // HOP
OPEN_FRAMES = DELAY_FRAMES + SLOT_FRAMES  # frames whose phases a slot may still change
FIXED = (OVERLAPS - 1) * HOP  # sound that those frames see and nobody may change
MIN_WEIGHT = 0.3  # of overlapping windows: the newest samples have few, and must not be blown up
FLOOR = 1e-6
FILTER_AREA = math.log10(SAMPLE_RATE_HZ / MEL.n_fft)  # a mel filter's sum over frequencies
NUM_CORRECTIONS = 2

State = dict[str, Tensor]


class GriffinLim:
    """Log10 mel [B, F, 80] (hop 200 at 16 kHz, causal) to sound [B, F * 200], two frames late.

    num_iterations: refinements per slot of 50 ms; 12 take about 10 ms per 200 ms on one core.
    """

    def __init__(self, num_iterations: int = 12) -> None:
        self.num_iterations = num_iterations
        filters = torch.from_numpy(filterbank(MEL))
        self.filters, self.spread = filters, mel_to_freqs(len(filters)).T.contiguous()
        self.window = torch.hann_window(MEL.window)
        # Out of digital silence no phase can come: a little of a fixed one is always there.
        angle = torch.rand(MEL.n_fft // 2 + 1, generator=torch.Generator().manual_seed(0)) * 6.28
        self.spark = torch.polar(torch.full_like(angle, 1e-4), angle)
        squares = (self.window**2).expand(OPEN_FRAMES, -1)
        self.weight = self._overlap(squares)[FIXED:].clamp_min(MIN_WEIGHT)

    def initial_state(self, batch: int) -> State:
        """Silence before the first frame."""
        return {
            "fixed": torch.zeros(batch, FIXED),
            "open": torch.zeros(batch, DELAY_FRAMES * HOP),
            "magnitude": torch.zeros(batch, DELAY_FRAMES, MEL.n_fft // 2 + 1),
        }

    def __call__(self, mel: Float[Tensor, "b f 80"]) -> Float[Tensor, "b samples"]:
        """The sound of a whole sequence: [B, F * 200]."""
        return self.stream(mel, self.initial_state(mel.shape[0]))[0]

    @torch.no_grad()
    def stream(
        self, mel: Float[Tensor, "b f 80"], state: State
    ) -> tuple[Float[Tensor, "b samples"], State]:
        """The next F frames (whole slots of 4): sound [B, F * 200] and the next state."""
        batch, num_frames, num_mels = mel.shape
        assert num_mels == NUM_MELS and num_frames % SLOT_FRAMES == 0, mel.shape
        slots = []
        for slot in mel.split(SLOT_FRAMES, dim=1):
            rows = [self._slot(one, state, i) for i, one in enumerate(slot)]
            slots.append(torch.stack([sound for sound, _ in rows]))
            state = {key: torch.stack([new[key] for _, new in rows]) for key in state}
        return torch.cat(slots, dim=1) if slots else mel.new_zeros(batch, 0), state

    def _slot(
        self, mel: Float[Tensor, "4 80"], state: State, row: int
    ) -> tuple[Float[Tensor, " samples"], State]:
        """One slot of one row, always in the same shapes."""
        magnitude = torch.cat([state["magnitude"][row], self._unmel(mel)])
        fixed = state["fixed"][row]
        sound = torch.cat([fixed, state["open"][row]])
        sound = torch.cat([sound, sound.new_zeros(SLOT_FRAMES * HOP)])
        self._extrapolate(sound, magnitude)
        for _ in range(self.num_iterations):
            frames = sound.unfold(0, MEL.window, HOP) * self.window
            made = self._with_magnitude(frames, magnitude)
            sound = torch.cat([fixed, self._overlap(made * self.window)[FIXED:] / self.weight])
        given = SLOT_FRAMES * HOP
        return sound[FIXED : FIXED + given], {
            "fixed": sound[given : FIXED + given],
            "open": sound[FIXED + given :],
            "magnitude": magnitude[SLOT_FRAMES:],
        }

    def _unmel(self, mel: Float[Tensor, "4 80"]) -> Float[Tensor, "4 freqs"]:
        """Magnitudes: smooth ones first, then corrected where their own mel is off."""
        level = mel + FILTER_AREA
        for _ in range(NUM_CORRECTIONS):
            own = torch.pow(10.0, level @ self.spread) @ self.filters
            level = level + mel - own.clamp_min(FLOOR).log10()
        return torch.pow(10.0, level @ self.spread)

    def _extrapolate(self, sound: Tensor, magnitude: Tensor) -> None:
        """A first guess for each new frame in turn: the phases of what is already there."""
        for k in range(DELAY_FRAMES, OPEN_FRAMES):
            part = sound[k * HOP : k * HOP + MEL.window]
            guess = self._with_magnitude(part * self.window, magnitude[k])
            part[FIXED:] = (guess * self.window)[FIXED:] / MIN_WEIGHT

    def _with_magnitude(self, frames: Tensor, magnitude: Tensor) -> Tensor:
        """The frames with their own phases and the given magnitudes."""
        spectrum = torch.fft.rfft(frames, MEL.n_fft) + self.spark
        size = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-12)
        return torch.fft.irfft(spectrum * (magnitude / size), MEL.n_fft)[..., : MEL.window]

    def _overlap(self, frames: Float[Tensor, "open window"]) -> Float[Tensor, " samples"]:
        """Frames HOP apart, added."""
        out = frames.new_zeros((OPEN_FRAMES + OVERLAPS - 1) * HOP)
        for k in range(len(frames)):
            out[k * HOP : k * HOP + MEL.window] += frames[k]
        return out
