"""What came next the last time: for the words just written, the word that followed them elsewhere.

A pure function of the tokens so far, part of the layout: every output slot reads it. Copying a
text word by word (from `read` to `say`, from `heard` to `act`) then takes no search: attention
only finds the first word and chooses whose words to follow. And a word that the user says and that
is waited for, as `act` has it, is known by what stands behind it there. Small models trained for an
hour do not grow that search by themselves (docs/log.md). Knows nothing of models or of sound.
"""

import numpy as np
from jaxtyping import Int

from interplay.turns.types import PAD

STREAMS = ("heard", "say", "act", "read")
PAIRS = (  # (written, followed); models made earlier read the first five or six
    ("say", "read"),
    ("say", "heard"),
    ("say", "act"),
    ("act", "heard"),
    ("act", "act"),
    ("heard", "act"),
    ("act", "heard"),
)
CONTEXT = 3  # words of the written stream that are compared
MEMORY = 128  # newest words of a stream that are remembered
FIRST_WORD = 74  # ids below are control tokens (turns.tokens); as neighbours all count as one
BORDER = 1  # that one: `<end>`
# On `heard` a text begins behind `<text>` alone, and these are no border to what follows it:
# behind `<every>` stands a word to wait for, behind `<end>` the rest of the sentence.
NO_BORDER = {"heard": (1, 8)}  # `<end>`, `<every>` (turns.tokens, which knows this file)
INSIDE = FIRST_WORD - 1  # what such a one is compared as: agrees with nothing
# Where control tokens that follow are told apart: a word that is waited for stands before `<text>`,
# the last of what is said then before `<end>`.
TOLD_APART = np.array([written == "heard" for written, _ in PAIRS])
# The last pair agrees on control tokens, too: behind `<every>` on `act` comes what is behind
# `<every>` on `heard`, a word to wait for, and behind `<text>` what is to be said then.
EXACT = np.arange(len(PAIRS)) == len(PAIRS) - 1
_WRITTEN = [STREAMS.index(written) for written, _ in PAIRS]
_FOLLOWED = [STREAMS.index(followed) for _, followed in PAIRS]


def no_memory(num_sessions: int) -> Int[np.ndarray, "b 4 M"]:
    """Nothing remembered of any of STREAMS."""
    return np.full((num_sessions, len(STREAMS), MEMORY), PAD, np.int32)


def remember(
    memory: Int[np.ndarray, "b 4 M"], tokens: Int[np.ndarray, "b 4"]
) -> Int[np.ndarray, "b 4 M"]:
    """The memory with one more token of each of STREAMS, newest last; empty ones are not kept."""
    longer = np.concatenate([memory[..., 1:], tokens[..., None]], axis=-1)
    return np.where((tokens != PAD)[..., None], longer, memory).astype(np.int32)


def newest(memory: Int[np.ndarray, "b 4 M"]) -> Int[np.ndarray, "b 4"]:
    """The newest word of each of STREAMS, PAD where there was none."""
    return memory[..., -1]


def follow(memory: Int[np.ndarray, "b 4 M"]) -> Int[np.ndarray, "b 7"]:
    """For each of PAIRS the word that came next in the followed stream, where that stream read
    like the end of the written one: longest agreement (up to CONTEXT words) first, then newest.

    PAD where nothing agrees, `<end>` where the followed text ended (of a pair in TOLD_APART the
    control token that stands there). What comes after a border is the first word of a text, never
    another control token.
    """
    words = np.where((memory < FIRST_WORD) & (memory != PAD), BORDER, memory)
    exact = EXACT[:, None]
    context = np.where(exact, memory[:, _WRITTEN, -CONTEXT:], words[:, _WRITTEN, -CONTEXT:])
    inside = words.copy()
    for stream, ids in NO_BORDER.items():
        row = STREAMS.index(stream)
        inside[:, row][np.isin(memory[:, row], ids)] = INSIDE
    source = np.where(exact, memory[:, _FOLLOWED], inside[:, _FOLLOWED])
    context[..., -1][context[..., -1] == PAD] = BORDER  # before the first word is a border, too
    after = words[:, _FOLLOWED, CONTEXT:]
    agreed = np.zeros(after.shape, np.int32)
    so_far = np.ones(after.shape, bool)
    for back in range(1, CONTEXT + 1):
        before = source[..., CONTEXT - back : -back]
        so_far = so_far & (before == context[..., -back, None]) & (before != PAD)
        agreed += so_far
    agreed[(after == BORDER) & (context[..., -1:] == BORDER)] = 0
    last = after.shape[-1] - 1 - agreed[..., ::-1].argmax(-1)[..., None]
    found = np.take_along_axis(agreed, last, -1) > 0
    after = np.where(TOLD_APART[:, None], memory[:, _FOLLOWED, CONTEXT:], after)
    return np.where(found, np.take_along_axis(after, last, -1), PAD)[..., 0].astype(np.int32)
