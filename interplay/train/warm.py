"""Training around weights that know something already: new parts first, old ones later and slower.

Knows nothing of files, losses or of where old weights come from.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, nn

from interplay.turns.follow import FIRST_WORD

BODY = "backbone."
TABLES = ("embed.tokens", "words")


@dataclass(frozen=True, kw_only=True)
class WarmConfig:
    """new_until: share of the training in which only new parts learn: all that is neither
    backbone nor word. rate: of the old weights after that, against 1 for new ones."""

    new_until: float = 0.15
    rate: float = 0.05


def is_old(name: str) -> bool:
    """Whether the weight called `name` came with the language model."""
    return name.startswith(BODY) or name in TABLES


def rest_body(named: Iterable[tuple[str, nn.Parameter]], resting: bool) -> None:
    """While it rests, the backbone gets no gradients, which saves a third of the computing."""
    for name, weight in named:
        if name.startswith(BODY):
            weight.requires_grad_(not resting)


def rest_words(gradients: Iterable[tuple[str, Tensor | None]], first_row: int = 0) -> None:
    """Of the tables only the rows of control tokens learn: others get gradients of zero, by which
    AdamW without decay never moves. first_row: of the table, the first that `gradients` hold."""
    for name, gradient in gradients:
        if name in TABLES and gradient is not None:
            gradient[max(0, FIRST_WORD - first_row) :].zero_()
