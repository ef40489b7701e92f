"""What may happen while the model talks: nods, an interruption, speech for others, noise.

Knows nothing of what the model was saying, or why.
"""

import numpy as np
from jaxtyping import Float32

from interplay.clock import NUM_SLOTS, SAMPLES_PER_SLOT
from interplay.data import overheard
from interplay.data.bank import Clip
from interplay.data.families.noises import noise
from interplay.data.talk import SECOND, Talk, seconds
from interplay.data.timeline import Spoken

INTERRUPTIONS = {"fact": 0.4, "say": 0.2, "cancel": 0.2, "recital": 0.1, "listen": 0.1}


def overlap(talk: Talk, spoken: Spoken, shares: dict[str, float]) -> None:
    """`alone`, `nods`, `interrupt`, `others`, `asides` or `noise`; the cursor moves behind it."""
    kind = str(talk.rng.choice(list(shares), p=list(shares.values())))
    if kind == "interrupt":
        _interrupt(talk, spoken)
        return
    if kind in _BESIDE:
        _BESIDE[kind](talk, spoken)
    talk.cursor = max(talk.cursor, spoken.ends)


def _nods(talk: Talk, spoken: Spoken) -> None:
    """Backchannels and hesitation: they are written down and change nothing."""
    at = spoken.starts + int(talk.uniform(0.3, 1.2) * SECOND)
    while at + 0.7 * SECOND < spoken.ends:
        tag = "backchannel" if talk.rng.random() < 0.75 else "hesitation"
        clip = talk.source.user(tag, talk.rng)
        talk.user(clip, at)
        at += int((seconds(clip) + talk.uniform(0.8, 2.5)) * SECOND)


def _others(talk: Talk, spoken: Spoken) -> None:
    """Speech for somebody else, or from behind: it is not written down and changes nothing."""
    clip = talk.source.user(str(talk.rng.choice(["listen", "statement"])), talk.rng)
    sound = from_away(talk, clip)
    start = spoken.starts + int(talk.uniform(0.3, 2.0) * SECOND)
    talk.timeline.overhear(sound, start)
    talk.cursor = max(talk.cursor, start + len(sound))


def from_away(talk: Talk, clip: Clip) -> Float32[np.ndarray, " T"]:
    """The clip as it arrives from further away or from behind, a little louder or quieter."""
    away = overheard.aside if talk.rng.random() < 0.5 else overheard.behind
    return away(talk.arrive(clip)) * np.float32(10 ** (talk.uniform(-4, 2) / 20))


def _asides(talk: Talk, spoken: Spoken) -> None:
    """Words for somebody else, as loud as any: they are written down and change nothing."""
    clip = talk.source.user("aside", talk.rng)
    talk.user(clip, spoken.starts + int(talk.uniform(0.3, 1.2) * SECOND))


def _noise(talk: Talk, spoken: Spoken) -> None:
    """Something falls, a motor runs."""
    talk.timeline.overhear(noise(talk.rng), spoken.starts + int(talk.uniform(0.1, 1.0) * SECOND))


_BESIDE = {"nods": _nods, "others": _others, "asides": _asides, "noise": _noise}


def _interrupt(talk: Talk, spoken: Spoken) -> None:
    """Content-bearing speech while the model talks: it yields, then answers that."""
    low, high = spoken.starts + int(0.5 * SECOND), spoken.ends - int(0.7 * SECOND)
    kind = str(talk.rng.choice(list(INTERRUPTIONS), p=list(INTERRUPTIONS.values())))
    clip = talk.source.user(kind, talk.rng)
    at = int(talk.uniform(low, max(low + 1, high)))
    first, end = talk.user(clip, at)
    turn = talk.timeline.yield_turn(first)
    talk.timeline.stop(spoken, turn)
    talk.cursor = max(end, NUM_SLOTS * (turn + 1) * SAMPLES_PER_SLOT)
    if end > talk.timeline.num_samples:
        return
    if kind in ("fact", "recital"):
        talk.answer(talk.source.question(clip.text).answer, end)
    elif kind == "say":
        talk.answer(clip.text.split("say ", 1)[1], end)
