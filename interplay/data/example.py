"""One training example: the streams of a session and what the losses need beside them.

Knows nothing of tensors, batches or how an example is made.
"""

from dataclasses import dataclass

import numpy as np

from interplay.data.dry import Dry
from interplay.turns.types import Streams

UNKNOWN = -1  # phones of recordings of people, what a camera sees where nobody drew it


@dataclass(kw_only=True)
class Example:
    """N micro-turns to learn from.

    phones_user, phones_own: int8 [N, 4], the phone (data.phones) that ends each 50 ms slot of the
    user's and of the model's own voice; -1 where no phone loss applies.
    heard_known: bool [N], micro-turns whose `heard` is what should be written there; elsewhere it
    is context only (data.timeline). say_known: the same for `say`, where the model began to speak
    by mistake or failed to; None where all is.
    sights: int8 [N, questions], what the camera sees (data.scenes.sights); -1 where it is unknown,
    None where all of it is.
    voice_known: the voice is the one that the model shall have; where it is somebody else's, only
    when it sounds is learnt. muted: what stands on `say` is not spoken; neither gate nor voice are
    learnt.
    known: what goes on here is known to the model that a run begins with, so that it may be held to
    what it was (train.losses.kept_loss).
    scored_from: losses count from this micro-turn on; what lies before is given context.
    dry: the sound of a session that has not been heard yet, whose `hear` is empty.
    """

    streams: Streams
    phones_user: np.ndarray
    phones_own: np.ndarray
    heard_known: np.ndarray
    say_known: np.ndarray | None = None
    sights: np.ndarray | None = None
    voice_known: bool = True
    muted: bool = False
    known: bool = True
    scored_from: int = 0
    dry: Dry | None = None
