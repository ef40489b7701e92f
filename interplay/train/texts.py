"""Plain text, replayed so that a language model keeps its words, and what it has forgotten of it.

Reads .txt files into rows of tokens; every HELD_OUT-th row is never trained on and measured before
and after. Knows nothing of streams.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from interplay.errors import ConfigError
from interplay.model.interaction import InteractionModel
from interplay.train.losses import word_loss
from interplay.turns.tokens import Tokenizer

HELD_OUT = 20
MOST_MEASURED = 64  # held-out rows
SUFFIX = ".txt"


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """num_rows of num_tokens each are replayed per share of a batch; weight of their loss."""

    num_rows: int = 2
    num_tokens: int = 512
    weight: float = 1.0


class Texts:
    """Rows of `num_tokens` and one more: what is read, and what comes next."""

    def __init__(self, path: Path, tokenizer: Tokenizer, config: TextConfig) -> None:
        """path: a .txt file or a folder with some, in UTF-8. Raises ConfigError for others, and
        where there is less than HELD_OUT rows of text."""
        self.config = config
        ids = np.concatenate([_ids(file, tokenizer) for file in _files(path)])
        width = config.num_tokens + 1
        rows = ids[: len(ids) // width * width].reshape(-1, width)
        if len(rows) < HELD_OUT:
            raise ConfigError(
                f"{path} holds {len(ids)} tokens; at least {HELD_OUT * width} are needed; add text"
            )
        held_out = np.arange(len(rows)) % HELD_OUT == 0
        self.kept, self.measured = rows[~held_out], rows[held_out][:MOST_MEASURED]

    def draw(self, seed: tuple[int, ...]) -> Int[Tensor, "rows L"]:
        """The rows that `seed` stands for."""
        rng = np.random.default_rng([*seed, 0x7E])
        return torch.from_numpy(self.kept[rng.integers(len(self.kept), size=self.config.num_rows)])

    @torch.no_grad()
    def perplexity(self, model: InteractionModel, dtype: torch.dtype) -> float:
        """exp of the mean cross entropy of the held-out text."""
        losses = [
            float(text_loss(model, torch.from_numpy(row[None]), dtype)) for row in self.measured
        ]
        return float(np.exp(np.mean(losses)))


def text_loss(model: InteractionModel, rows: Int[Tensor, "rows L"], dtype: torch.dtype) -> Tensor:
    """Mean cross entropy of the next token, nats."""
    rows = rows.to(model.words.device).long()
    hidden = model.read_text(rows[:, :-1], dtype).flatten(0, 1)
    targets = rows[:, 1:].flatten()
    weights = torch.full(targets.shape, 1 / len(targets), device=targets.device)
    return word_loss(hidden, model.words, targets, weights)[0]


def _files(path: Path) -> list[Path]:
    if path.is_file() and path.suffix == SUFFIX:
        return [path]
    files = sorted(file for file in path.rglob(f"*{SUFFIX}") if file.is_file())
    if not files:
        seen = "has no" if path.is_dir() else "is no folder with"
        raise ConfigError(f"{path} {seen} {SUFFIX} files; give one, or a folder with some")
    return files


def _ids(file: Path, tokenizer: Tokenizer) -> np.ndarray:
    try:
        return np.array(tokenizer.encode_text(file.read_text(encoding="utf-8")), np.int32)
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{file} cannot be read as UTF-8 text ({error}); convert it") from None
