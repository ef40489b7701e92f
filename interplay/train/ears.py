"""What the microphones of a batch send and how it is heard, on the device that trains.

The same as `data.augment` and `media.dmel` do session by session, for all at once: what befalls a
session is drawn where it is composed, the samples of its noise here, from its seeds. A session's
bins are a function of what it came with, whatever else is in the batch. Knows nothing of losses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, Int, UInt8
from torch import Tensor

from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ
from interplay.data.augment import (
    FLOOR_DBFS,
    LOWEST_HZ,
    MIN_SNR_DB,
    MU,
    RESPONSE_DB,
    SILENCE_DBFS,
    SLOPES,
    WRAP,
    fast_size,
)
from interplay.data.bank import MEL_CONFIG
from interplay.data.compose import mel_filters
from interplay.data.dry import Dry
from interplay.data.surroundings import LINES_HZ, NUM_BUMPS
from interplay.media.dmel import BIN_THRESHOLDS, NUM_MELS, POWER_FLOOR, hann_window


@dataclass(frozen=True, kw_only=True)
class Sounds:
    """Dry sessions, stacked; where something befalls only some of them, `..._of` are their rows.

    user, own: int16 [B, T] in steps of [B]. seeds: of noise and floor.
    closed: [B, 2] samples. rooms, echoes: impulses, filled up with zeros. hums: one period each,
    [H] samples long. bumps: [L, bumps, (height, centre, width)], bands: [L, 2] Hz.
    """

    user: Int[Tensor, "B T"]
    own: Int[Tensor, "B T"]
    user_step: Float[Tensor, " B"]
    own_step: Float[Tensor, " B"]
    gain_db: Float[Tensor, " B"]
    rooms: Float[Tensor, "R K"]
    rooms_of: Int[Tensor, " R"]
    echoes: Float[Tensor, "E D"]
    echoes_of: Int[Tensor, " E"]
    echo_db: Float[Tensor, " E"]
    others: Float[Tensor, "O _"]
    others_of: Int[Tensor, " O"]
    below_db: Float[Tensor, " O"]
    seeds: tuple[tuple[int, int], ...]
    noise_db: Float[Tensor, " B"]
    slopes: Float[Tensor, " C"]
    slopes_of: Int[Tensor, " C"]
    hums: Float[Tensor, "H P"]
    hums_of: Int[Tensor, " H"]
    periods: Int[Tensor, " H"]
    closed: Int[Tensor, "B 2"]
    bumps: Float[Tensor, "L bumps 3"]
    tilt_db: Float[Tensor, " L"]
    bands: Float[Tensor, "L 2"]
    lines_of: Int[Tensor, " L"]
    companded_of: Int[Tensor, " M"]
    quiet_db: Float[Tensor, " B"]
    filters: Int[Tensor, " B"]


def stack(dry: Sequence[Dry]) -> Sounds:
    """Sessions of equal length, noise as seeds."""
    around = [each.around for each in dry]
    rooms = _some([a.room for a in around])
    echoes = _some([a.echo for a in around])
    others = _some([a.others for a in around])
    lines = _some([a.line for a in around])
    hums = _some([a.noise.hum for a in around])
    slopes = _some([SLOPES[a.noise.color] or None for a in around])
    num_samples = len(dry[0].user.samples)
    return Sounds(
        user=torch.from_numpy(np.stack([each.user.samples for each in dry])),
        own=torch.from_numpy(np.stack([each.own.samples for each in dry])),
        user_step=_floats([each.user.step for each in dry]),
        own_step=_floats([each.own.step for each in dry]),
        gain_db=_floats([a.gain_db for a in around]),
        rooms=_filled_up(list(rooms.values())),
        rooms_of=_rows(rooms),
        echoes=_filled_up([echo.impulse for echo in echoes.values()]),
        echoes_of=_rows(echoes),
        echo_db=_floats([echo.level_db for echo in echoes.values()]),
        others=_filled_up([each.talk for each in others.values()], num_samples),
        others_of=_rows(others),
        below_db=_floats([each.below_db for each in others.values()]),
        seeds=tuple((int(a.noise.white), int(a.floor)) for a in around),
        noise_db=_floats([a.noise.level_db for a in around]),
        slopes=_floats(list(slopes.values())),
        slopes_of=_rows(slopes),
        hums=_filled_up(list(hums.values())),
        hums_of=_rows(hums),
        periods=torch.tensor([len(hum) for hum in hums.values()], dtype=torch.int64),
        closed=torch.tensor([a.closed for a in around]),
        bumps=_floats([line.bumps for line in lines.values()]).reshape(-1, NUM_BUMPS, 3),
        tilt_db=_floats([line.tilt_db for line in lines.values()]),
        bands=_floats([line.band_hz for line in lines.values()]).reshape(-1, 2),
        lines_of=_rows(lines),
        companded_of=_rows({row: 0 for row, line in lines.items() if line.name == "telephone"}),
        quiet_db=_floats([a.quiet_db for a in around]),
        filters=torch.tensor([each.filters for each in dry]),
    )


def hear(sounds: Sounds) -> UInt8[Tensor, "B N 4 S 80"]:
    """dMel bins of what the microphones send, on the device of `sounds`."""
    return bins(microphone(sounds), sounds.filters)


def microphone(sounds: Sounds) -> Float32[Tensor, "B T"]:
    """`data.augment.apply` of every session: within full scale, never silent for long."""
    track = sounds.user * (sounds.user_step * _amplitude(sounds.gain_db))[:, None]
    level_db = _active_dbfs(track)
    if len(rows := sounds.rooms_of):
        track = track.index_copy(0, rows, _convolved(track[rows], sounds.rooms))
    if len(rows := sounds.echoes_of):
        own = sounds.own[rows] * (sounds.own_step[rows] * _amplitude(sounds.echo_db))[:, None]
        track = track.index_add(0, rows, _convolved(own, sounds.echoes, LINES_HZ["speaker"]))
    if len(rows := sounds.others_of):
        level = _amplitude(level_db[rows] - sounds.below_db)
        track = track.index_add(0, rows, sounds.others * level[:, None])
    loudness = _amplitude(torch.minimum(sounds.noise_db, level_db - MIN_SNR_DB))
    around = _noise(sounds, track.shape[1]) * loudness[:, None]
    track += around.masked_fill(_closed(sounds, track.shape[1]), 0.0)
    if len(rows := sounds.lines_of):
        track = track.index_copy(0, rows, _channel(sounds, track[rows]))
    if len(rows := sounds.companded_of):
        track = track.index_copy(0, rows, _companded(track[rows]))
    track *= _amplitude(sounds.quiet_db)[:, None]
    floor = [white(seed, track.shape[1], track.device) for _, seed in sounds.seeds]
    track += torch.stack(floor) * 10 ** (FLOOR_DBFS / 20)
    return track.clamp_(-1.0, 1.0)


def bins(track: Float32[Tensor, "B T"], filters: Int[Tensor, " B"]) -> UInt8[Tensor, "B N 4 S 80"]:
    """`media.dmel` of whole sessions. filters: numbers of `mel_filters`."""
    config = MEL_CONFIG
    window, tables, thresholds = _tables(track.device)
    frames = F.pad(track, (config.tail, 0)).unfold(1, config.window, config.hop)
    spectrum = torch.fft.rfft(frames * window, n=config.n_fft)
    power = spectrum.real.square() + spectrum.imag.square()
    magnitude = power.clamp_(min=float(POWER_FLOOR)).sqrt_()
    mel = torch.bmm(magnitude, tables[filters]).clamp_(min=float(POWER_FLOOR)).log10_()
    found = torch.bucketize(mel, thresholds, out_int32=True, right=True).to(torch.uint8)
    return found.view(len(track), -1, NUM_SLOTS, config.subframes, NUM_MELS)


def white(seed: int, num_samples: int, device: torch.device) -> Float32[Tensor, " T"]:
    """White noise of root mean square 1, the same for a seed on the same kind of device."""
    generator = torch.Generator(device).manual_seed(seed)
    return torch.randn(num_samples, generator=generator, device=device)


@cache
def _tables(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Window, mel filters and thresholds of the bins."""
    found = (hann_window(MEL_CONFIG), mel_filters(), BIN_THRESHOLDS)
    window, filters, thresholds = (torch.from_numpy(each).to(device) for each in found)
    return window, filters, thresholds


def _some(values: Sequence) -> dict:
    """By row what is not None."""
    return {row: value for row, value in enumerate(values) if value is not None}


def _rows(some: dict) -> Int[Tensor, " rows"]:
    return torch.tensor(list(some), dtype=torch.int64)


def _floats(values: Sequence) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def _filled_up(sounds: Sequence[np.ndarray], size: int = 0) -> Float32[Tensor, "rows size"]:
    """As long as the longest, with zeros."""
    out = torch.zeros(len(sounds), max([size, *map(len, sounds)]))
    for row, sound in zip(out, sounds, strict=True):
        row[: len(sound)] = torch.from_numpy(sound)
    return out


def _amplitude(db: Tensor) -> Tensor:
    return 10 ** (db / 20)


def _active_dbfs(track: Tensor) -> Float32[Tensor, " B"]:
    count = (track != 0).sum(1)
    level = 10 * torch.log10(track.square().sum(1) / count.clamp(min=1) + 1e-12)
    return level.masked_fill(count == 0, SILENCE_DBFS)


def _closed(sounds: Sounds, num_samples: int) -> Bool[Tensor, "B T"]:
    at = torch.arange(num_samples, device=sounds.closed.device)
    return (at >= sounds.closed[:, :1]) & (at < sounds.closed[:, 1:])


def _noise(sounds: Sounds, num_samples: int) -> Float32[Tensor, "B T"]:
    """Of root mean square 1, in every session's color."""
    device = sounds.closed.device
    found = torch.stack([white(seed, num_samples, device) for seed, _ in sounds.seeds])
    if len(rows := sounds.slopes_of):
        size = fast_size(num_samples + WRAP)
        response = _freqs_hz(size, device).clamp(min=LOWEST_HZ) ** -sounds.slopes[:, None]
        found[rows] = _normalized(_shaped(found[rows], response, size))
    if len(rows := sounds.hums_of):
        at = torch.arange(num_samples, device=device) % sounds.periods[:, None]
        found[rows] = _normalized(found[rows] + sounds.hums.gather(1, at))
    return found


def _normalized(sound: Tensor) -> Tensor:
    return sound / (sound.square().mean(1, keepdim=True).sqrt() + 1e-9)


def _channel(sounds: Sounds, track: Float32[Tensor, "L T"]) -> Float32[Tensor, "L T"]:
    """Uneven responses and the bands of lines; zero-phase."""
    size = fast_size(track.shape[1] + WRAP)
    hz = _freqs_hz(size, track.device)
    octave = hz.clamp(min=LOWEST_HZ).log2()
    db = sounds.tilt_db[:, None] * (octave - np.log2(1000.0))
    height_db, center, width = sounds.bumps[..., None].unbind(2)  # [L, NUM_BUMPS, 1] each
    for bump in range(NUM_BUMPS):
        apart = (octave - center[:, bump]) / width[:, bump]
        db += height_db[:, bump] * torch.exp(-(apart**2))
    gain = _amplitude(db.clamp_(-RESPONSE_DB, RESPONSE_DB))
    return _shaped(track, gain * _band(hz, sounds.bands[:, :1], sounds.bands[:, 1:]), size)


def _companded(track: Tensor) -> Tensor:
    """There and back through ITU-T G.711's mu-law, 8 bits."""
    most = np.log1p(MU)
    coarse = torch.round(torch.log1p(MU * track.abs().clamp(max=1.0)) / most * 127) / 127
    return torch.expm1(coarse * most) / MU * track.sign()


def _convolved(
    track: Float32[Tensor, "R T"],
    impulses: Float32[Tensor, "R K"],
    band_hz: tuple[float, float] | None = None,
) -> Float32[Tensor, "R T"]:
    """Each row with its impulse, cut to its length, within a band."""
    size = fast_size(track.shape[1] + impulses.shape[1] - 1)
    response = torch.fft.rfft(impulses, size)
    if band_hz:
        response = response * _band(_freqs_hz(size, track.device), *band_hz)
    return _shaped(track, response, size)


def _shaped(track: Tensor, response: Tensor, size: int) -> Tensor:
    """The spectrum times `response`."""
    spectrum = torch.fft.rfft(track, size) * response
    return torch.fft.irfft(spectrum, size)[:, : track.shape[1]]


def _freqs_hz(size: int, device: torch.device) -> Float32[Tensor, " freqs"]:
    return torch.arange(size // 2 + 1, device=device) * (SAMPLE_RATE_HZ / size)


def _band(hz: Tensor, low_hz: Tensor | float, high_hz: Tensor | float) -> Tensor:
    """Band pass: fourth-order slopes below, steeper above."""
    below = 1 / (1 + (low_hz / hz.clamp(min=1.0)) ** 8).sqrt()
    return below / (1 + (hz / high_hz) ** 16).sqrt()
