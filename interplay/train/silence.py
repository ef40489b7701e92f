"""Does the model fall silent? A watch over the recall of `say`: how many of the words that are due
get any word at all.

A stream that is empty nearly always is cheapest to leave empty: of all that can go wrong in a run
that is what goes wrong first, and its losses hardly show it. Knows nothing of models.
"""

from collections.abc import Mapping

WATCHED_FROM = 0.05  # of the training: before that untrained models write words everywhere
SILENT = 0.5  # of the best recall so far
NUM_LINES = 3  # of the log in a row, before it is said: a single one may be of odd sessions
RECALL, BEST = "say_recall", "say_recall_best"


class SayWatch:
    """best: the highest recall of the run so far."""

    def __init__(self, best: float = 0.0) -> None:
        self.best = best
        self._num_low = 0

    def see(self, line: Mapping[str, float]) -> str | None:
        """One line of the log; a warning where it is the last of NUM_LINES with too few words.
        There is another one only after better lines."""
        if RECALL not in line or line["progress"] < WATCHED_FROM:
            return None
        recall = line[RECALL]
        self.best = max(self.best, recall)
        self._num_low = self._num_low + 1 if recall < SILENT * self.best else 0
        if self._num_low != NUM_LINES:
            return None
        return (
            f"warning: at step {line['step']:.0f} the model falls silent: of the words that it "
            f"should say {recall:.0%} get any word, and {self.best:.0%} did; stop, and go on from "
            "an older snapshot with lower rates or a smaller pad_weight"
        )
