"""The local engine as a system to be measured. Knows nothing of items beyond sound, tokens and
pictures."""

from collections.abc import Sequence

import torch

from interplay.bench.playing.stage import Emission, Stage
from interplay.engine.engine import Engine
from interplay.engine.session import Session
from interplay.model.checkpoint import Loaded
from interplay.turns.tokens import END, SPECIALS, Tokenizer
from interplay.turns.types import PAD, InputHalf, OutputHalf

DEFAULT_SEATS = 32


class LocalSystem:
    """One engine; a stage is one of its sessions. `seed` varies the sampling of all of them.

    Pictures go only to a model that has eyes; another one gets the sound and the text alone.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        name: str,
        seed: int = 0,
        num_seats: int = DEFAULT_SEATS,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.name = name
        self.num_seats = num_seats
        self.engine = Engine(loaded, num_slots=num_seats, dtype=dtype)
        self._tokenizer = loaded.tokenizer
        self._has_eyes = self.engine.config.see is not None
        self._seed = seed
        self._sessions: dict[Stage, Session] = {}

    def open(self, stage: Stage) -> None:
        """A session seeded by the item, so an item plays alike in every batch."""
        seed = (stage.item.seed * 1_000_003 + self._seed) % 2**31
        self._sessions[stage] = self.engine.open(seed=seed, first_turn=stage.item.first_turn)

    def close(self, stage: Stage) -> None:
        self._sessions.pop(stage).close()

    def encode(self, control: str, text: str) -> list[int]:
        opener = [SPECIALS.index(control)] if control else []
        return [*opener, *self._tokenizer.encode(text), END]

    def step(self, stages: Sequence[Stage]) -> list[Emission]:
        sessions = [self._sessions[stage] for stage in stages]
        halves = {
            session: InputHalf(
                hear=stage.hear, read=stage.read, see=stage.see if self._has_eyes else None
            )
            for session, stage in zip(sessions, stages, strict=True)
        }
        said = self.engine.tick(halves)
        return [emission(said[session], self._tokenizer) for session in sessions]


def emission(half: OutputHalf, tokenizer: Tokenizer) -> Emission:
    """Token ids of an output half as text pieces."""

    def pieces(tokens: tuple[int, ...]) -> tuple[str, ...]:
        return tuple("" if token == PAD else tokenizer.name(token) for token in tokens)

    return Emission(
        heard=pieces(half.heard),
        say=pieces(half.say),
        act=pieces(half.act),
        voice=half.voice,
    )
