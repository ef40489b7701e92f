"""All that a live session remembers, as a value. Knows nothing of models or of how time passes.

`Past` is replaced as a whole when a micro-turn is committed, so an aborted one leaves no trace.
`SessionState` adds the session's share of the key-value cache and can be kept in a file.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from interplay.clock import NUM_SLOTS, SAMPLES_PER_SLOT
from interplay.engine.speech import Speaking
from interplay.errors import RecordError
from interplay.model.cache import SlotValue
from interplay.turns.follow import PAIRS, follow, newest, remember
from interplay.turns.types import NUM_MELS, PAD

FORMAT = "interplay session 3"
COUNTERS = ("seed", "turn", "num_turns")


@dataclass(frozen=True, kw_only=True)
class Said:
    """What R output slots emitted: tokens int32 [R, 3] (heard, say, act), latest int32 [R, 3]
    the newest word of each stream before, follow int32 [R, 6] what came next the last time
    (turns.follow), voice float32 [R, S, 80] log10 mel (0 where off), voice_on bool [R]."""

    tokens: Tensor
    latest: Tensor
    follow: Tensor
    voice: Tensor
    voice_on: Tensor

    @staticmethod
    def nothing(num_slots: int, subframes: int) -> "Said":
        return Said(
            tokens=torch.full((num_slots, 3), PAD, dtype=torch.int32),
            latest=torch.full((num_slots, 3), PAD, dtype=torch.int32),
            follow=torch.full((num_slots, len(PAIRS)), PAD, dtype=torch.int32),
            voice=torch.zeros(num_slots, subframes, NUM_MELS),
            voice_on=torch.zeros(num_slots, dtype=torch.bool),
        )

    def in_context(self, memory: np.ndarray) -> tuple["Said", np.ndarray]:
        """For one slot of R sessions: `latest` and `follow` filled in, and their memories
        [R, 4, M] with these tokens."""
        tokens = np.concatenate(
            [self.tokens.numpy(), np.full((len(memory), 1), PAD, np.int32)], axis=-1
        )
        latest = newest(memory)[:, :-1].copy()
        memory = remember(memory, tokens)
        said = replace(
            self, latest=torch.from_numpy(latest), follow=torch.from_numpy(follow(memory))
        )
        return said, memory

    def read_after(self, before: "Said") -> "Said":
        """What these slots read: `before` (one slot), then themselves but for the last."""
        return Said(
            **{k: torch.cat([vars(before)[k], value[:-1]]) for k, value in vars(self).items()}
        )

    def last(self) -> "Said":
        return Said(**{key: value[-1:] for key, value in vars(self).items()})

    def as_read(self) -> Tensor:
        """int32 [R, 13]: tokens, latest and follow side by side, as the model reads them."""
        return torch.cat([self.tokens, self.latest, self.follow], dim=-1)

    def played(self, num_samples: int) -> "Said":
        """The same with the voice off in every slot that was not played to its end."""
        ends = torch.arange(1, NUM_SLOTS + 1) * SAMPLES_PER_SLOT
        voice_on = self.voice_on & (ends <= num_samples)
        return replace(self, voice=self.voice * voice_on[:, None, None], voice_on=voice_on)


@dataclass(frozen=True, kw_only=True)
class Past:
    """Everything but the cache, after a number of whole micro-turns.

    turn: index of the next micro-turn on the phase clock. num_turns: how many there were.
    memory: int32 [1, 4, M], the newest words of every stream (turns.follow).
    waiting: `read` tokens not read yet. hear_tail: newest samples of the user's audio.
    before, said: the slot before the newest output half, and that half.
    speaking: the vocoder's memory while the voice is on.
    """

    seed: int
    turn: int
    num_turns: int
    memory: np.ndarray
    waiting: tuple[int, ...]
    hear_tail: np.ndarray
    before: Said
    said: Said
    speaking: Speaking | None = None


@dataclass(frozen=True, kw_only=True)
class SessionState:
    """A session that can be copied, kept and taken up again."""

    past: Past
    cache: SlotValue

    def save(self, path: str | Path) -> None:
        """Write a safetensors file."""
        past = self.past
        tensors = {
            "waiting": torch.tensor(past.waiting, dtype=torch.int64),
            "hear_tail": torch.from_numpy(past.hear_tail),
            "memory": torch.from_numpy(past.memory),
        }
        for name in ("before", "said"):
            said = getattr(past, name)
            tensors |= {f"{name}.{key}": value for key, value in vars(said).items()}
        if past.speaking:
            tensors["frame"] = past.speaking.frame
            tensors |= {f"vocoder.{key}": value for key, value in past.speaking.state.items()}
        numbers = {name: getattr(past, name) for name in COUNTERS}
        for key, value in self.cache.items():
            if isinstance(value, Tensor):
                tensors[f"cache.{key}"] = value
            else:
                numbers[f"cache.{key}"] = value
        tensors = {key: value.contiguous() for key, value in tensors.items()}
        save_file(tensors, path, {"format": FORMAT, "numbers": json.dumps(numbers)})

    @staticmethod
    def load(path: str | Path) -> "SessionState":
        """Inverse of `save`. Raises RecordError when the file is missing, foreign or damaged."""
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != FORMAT:
                    raise RecordError(f"{path} is not a saved session of this interplay version")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except FileNotFoundError:
            raise RecordError(f"{path} does not exist; save a session first") from None
        except (SafetensorError, OSError) as error:
            raise RecordError(f"{path} is damaged ({error}); save the session again") from None
        return _state(tensors, json.loads(metadata["numbers"]))


def _part(values: dict, prefix: str) -> dict:
    return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}


def _state(tensors: dict[str, Tensor], numbers: dict[str, int]) -> SessionState:
    speaking = None
    if "frame" in tensors:
        speaking = Speaking(state=_part(tensors, "vocoder."), frame=tensors["frame"])
    past = Past(
        **{name: numbers[name] for name in COUNTERS},
        waiting=tuple(tensors["waiting"].tolist()),
        hear_tail=tensors["hear_tail"].numpy(),
        memory=tensors["memory"].numpy(),
        before=Said(**_part(tensors, "before.")),
        said=Said(**_part(tensors, "said.")),
        speaking=speaking,
    )
    cache = SlotValue(
        k=tensors["cache.k"],
        v=tensors["cache.v"],
        length=numbers["cache.length"],
        base=numbers["cache.base"],
    )
    return SessionState(past=past, cache=cache)
