"""What losses say of a batch."""

import pytest
import torch

from interplay.train.losses import Losses


def test_shares_count_by_their_sessions():
    def share(total: float, **parts: float) -> Losses:
        return Losses(
            total=torch.tensor(total), parts={k: torch.tensor(v) for k, v in parts.items()}
        )

    joined = Losses.joined([share(1.0, l1=4.0), share(4.0)], [2, 1])
    assert float(joined.total) == pytest.approx(2.0)
    assert float(joined.parts["l1"]) == 4.0, "of the shares that have it"
