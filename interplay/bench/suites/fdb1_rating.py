"""How good the reply to an interruption is: the rating 0 to 5 of Full-Duplex-Bench V1, by a judge.

Only those who took the turn are rated, as published. The wording of the question is ours (the
official one is not copied) and part of the number. Knows nothing of traces or of other rows.
"""

from interplay.bench.scoring.judges import Judge, ask, json_field
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites.base import tabled
from interplay.bench.suites.post import GEMINI

MOST = 5
SYSTEM = (
    "You rate how an assistant reacts when its user interrupts it. You are given what the user "
    "said first, what the user cut in with, and what the assistant said afterwards, as a "
    "transcript of speech without punctuation. 5: it takes up the interruption fully and to the "
    "point. 3: it takes it up in part, or with needless talk about something else. 1: it hardly "
    "has to do with it. 0: it ignores the interruption or makes no sense. Numbers in between may "
    'be given. Answer with one JSON object: {"analysis": why, "rating": a number from 0 to 5}'
)
ROW = Row(
    name="fdb1_interrupt_rating_judged",
    kind="interrupt",
    what="reply to the interruption, 0 to 5 by a judge, mean of turns taken",
    reach=None,
    unit="number",
)
ITS_JUDGE = "ratings by gpt-4-turbo"
README = f"README of DanielLin94144/Full-Duplex-Bench d7336bd; {ITS_JUDGE}"
README_DATE = "2026-04-15"
LATER = f"README of DanielLin94144/Full-Duplex-Bench, later than d7336bd; {ITS_JUDGE}"
RATINGS = {
    **{"PersonaPlex": (4.21,), "dGSLM": (0.201,), "Moshi": (0.765,), "Freeze-Omni": (3.615,)},
    **{"Gemini Live 2.0": (3.376,), "GPT-Realtime": (3.85,)},
}
PUBLISHED = (
    *tabled([ROW.name], RATINGS, README, README_DATE),
    *tabled([ROW.name], {GEMINI: (3.575,)}, LATER, "2026"),
)


def rating(judge: Judge, context: str, interruption: str, reply: str) -> Outcome:
    """One reply rated; without a usable rating it weighs nothing and is noted."""
    user = f"First: {context}\nInterruption: {interruption}\nReply: {reply or '(no words)'}"
    verdict = ask(judge, SYSTEM, user, read_rating)
    of = float(verdict.value is not None)
    return Outcome(value=verdict.value or 0.0, of=of, notes=verdict.notes)


def read_rating(reply: str) -> float | None:
    """A number from 0 to 5, None for anything else."""
    found = json_field(reply, "rating")
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and 0 <= found <= MOST else None
