"""How far a run has come: a budget of seconds turned into steps. Knows nothing of models.

Everything that changes while training (learning rate, content of batches) follows progress, a pure
function of the step, so that a resumed run sees what an unbroken one would have seen. Where a time
budget is given the function is made of straight pieces; each begins at a step that no batch has
been asked for yet, with a slope fitted to the speed measured so far. The pieces are saved.
"""

from dataclasses import dataclass, field

CALIBRATION_STEPS = 30
CALIBRATION_SHARE = 0.2  # of the budget, spent at most before the first measurement
WARM_UP_STEPS = 3
FIT_SHARE = 0.05  # of the budget, between two measurements of the speed


@dataclass(kw_only=True)
class Plan:
    """Progress by step.

    pieces: (first step, progress there, progress per step), ascending.
    budget_s: seconds of training that progress 1 shall come after; None where steps were given.
    """

    pieces: list[tuple[int, float, float]] = field(default_factory=list)
    budget_s: float | None = None

    @staticmethod
    def of_steps(num_steps: int) -> "Plan":
        return Plan(pieces=[(0, 0.0, 1.0 / num_steps)])

    @staticmethod
    def of_seconds(budget_s: float) -> "Plan":
        """Progress stays 0 until the speed is known."""
        return Plan(pieces=[(0, 0.0, 0.0)], budget_s=budget_s)

    def progress(self, step: int) -> float:
        """0 at the start; the run ends before the first step where it is 1."""
        first, start, slope = next(p for p in reversed(self.pieces) if p[0] <= step)
        reached = start + slope * (step - first)
        return reached if reached < 1.0 - 1e-9 else 1.0

    def fit(self, next_step: int, step: int, elapsed_s: float, steps_per_s: float) -> None:
        """Begin a new piece at `next_step`, seen from `step` after `elapsed_s` of the budget."""
        assert self.budget_s is not None and next_step > self.pieces[-1][0]
        start = self.progress(next_step)
        seconds_left = self.budget_s - elapsed_s - (next_step - step) / steps_per_s
        steps_left = max(1.0, seconds_left * steps_per_s)
        self.pieces.append((next_step, start, (1.0 - start) / steps_left))

    def num_steps(self) -> int | None:
        """Steps until progress is 1, by the newest piece; None while the speed is unknown."""
        first, start, slope = self.pieces[-1]
        return None if slope == 0 else first + round((1.0 - start) / slope)

    def to_state(self) -> dict:
        return {"pieces": [list(p) for p in self.pieces], "budget_s": self.budget_s}

    @staticmethod
    def from_state(state: dict) -> "Plan":
        pieces = [(int(first), start, slope) for first, start, slope in state["pieces"]]
        return Plan(pieces=pieces, budget_s=state["budget_s"])


@dataclass(kw_only=True)
class Pace:
    """Measures the speed while training and fits the plan's later pieces to it."""

    plan: Plan
    step: int
    elapsed_s: float

    def observe(self, step: int, elapsed_s: float, next_step: int) -> None:
        """After `step` steps in `elapsed_s`; batches before `next_step` have been asked for."""
        plan, since_s = self.plan, elapsed_s - self.elapsed_s
        if plan.budget_s is None or plan.progress(next_step) >= 1.0:
            return
        known = plan.num_steps() is not None
        if step == WARM_UP_STEPS:  # the first ones start threads and the batch worker
            self.step, self.elapsed_s = step, elapsed_s
            return
        if known:
            enough = since_s >= plan.budget_s * FIT_SHARE
        else:
            enough = step >= CALIBRATION_STEPS or elapsed_s > plan.budget_s * CALIBRATION_SHARE
        if enough and next_step > plan.pieces[-1][0]:
            plan.fit(next_step, step, elapsed_s, (step - self.step) / since_s)
            self.step, self.elapsed_s = step, elapsed_s
