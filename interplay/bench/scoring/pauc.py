"""PAUC: how good, and how soon, the answers are that come unasked while a film runs.

ProactiveVideoQA (arXiv 2507.09313). Each gold answer has a stretch of time in which replies to it
count. Replies there are graded 0, 1 or 2, each together with those before it; the area under the
steps of these grades over the stretch, as a share of the most there could be, is its PAUC. The
steps begin at 0.5: silence gets 0.25, and a wrong answer less.
Knows nothing of films, traces or of who grades.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from interplay.bench.scoring.judges import Judge, Verdict, ask
from interplay.bench.traces.trace import Span
from interplay.bench.wording.spelling import canonical

START, MOST = 0.5, 2.0
OMEGAS = (0.0, 0.5, 1.0)  # weight taken from time: 0 all of it counts, 1 none
Point = tuple[float, float]  # seconds, grade
INSTRUCTION = (
    "You grade answers to a question about a film. Compare the answer that was given with the "
    "reference answer. Grade 3: it says all that matters in the reference, in whatever words. "
    "Grade 2: it says a part of it, or all of it beside a serious mistake. Grade 1: it is wrong, "
    "beside the point or says nearly nothing of it. Reply with the number of the grade alone."
)  # ours: the official wording is not copied; it is part of a judged number
_GRADE = re.compile(r"(?<![\d.])[123](?!\.?\d)")
_FILLERS = frozenset(
    canonical(
        "a an the is are was were be been it its he she his her they their this that there to of "
        "in on at and or with for from by as into has have had"
    )
)


@dataclass(frozen=True, kw_only=True)
class Gold:
    """One answer that is wanted. Times are of the film.

    related_s: in which it is to be seen. reply_s: in which replies count. keys: sets of words any
    of which, whole, makes the answer right; of the content if there are none.
    """

    content: str
    related_s: Span
    reply_s: Span
    keys: tuple[tuple[str, ...], ...] = ()

    @staticmethod
    def of(about: Mapping[str, Any]) -> "Gold":
        """From what an item can hold."""
        related, reply = about["related_s"], about["reply_s"]
        keys = tuple(tuple(key) for key in about.get("keys", ()))
        return Gold(
            content=about["content"],
            related_s=(related[0], related[1]),
            reply_s=(reply[0], reply[1]),
            keys=keys,
        )


Grade = Callable[[str, Gold, str], Verdict[int]]  # question, gold, all that was said -> 0, 1, 2


def area_ratio(points: Sequence[Point], length_s: float, omega: float) -> float:
    """PAUC of one gold answer, 0 to 1.

    points: (seconds after the stretch began, grade). Time before a grade counts by 1 - omega: its
    point moves to the left by that factor, the end of the stretch stays.
    """
    if not points:
        return START / MOST
    if length_s <= 0:
        return 0.0
    moved = [((1 - omega) * time_s, grade) for time_s, grade in sorted(points, key=lambda p: p[0])]
    edges = [(0.0, START), *moved, (length_s, moved[-1][1])]
    area = sum((after - before) * grade for (before, grade), (after, _) in pairwise(edges))
    return area / (length_s * MOST)


@dataclass(frozen=True, kw_only=True)
class Graded:
    """points: seconds after the stretch began, grade. num_replies: in the stretch, different ones.
    num_ungraded: for which the judge gave no grade; they are left out. notes: of the judge."""

    points: tuple[Point, ...]
    num_replies: int
    num_ungraded: int
    notes: tuple[str, ...] = ()


def is_reply(gold: Gold, onset_s: float) -> bool:
    """Whether what begins at a moment counts as a reply to a gold answer."""
    return gold.reply_s[0] <= onset_s <= gold.reply_s[1]


def grade_turn(
    question: str, gold: Gold, said: Sequence[tuple[float, str]], grade: Grade
) -> Graded:
    """Grades of the replies (onset, text) to one gold answer.

    A reply with the very words of an earlier one in the stretch is not graded again. After the
    related time, grades below the last one inside it are dropped: a later remark about something
    else does not undo a right answer.
    """
    replies: dict[str, float] = {}
    for onset_s, text in sorted(said):
        if is_reply(gold, onset_s):
            replies.setdefault(text, onset_s)
    texts, points, num_ungraded, inside = [], [], 0, 0
    notes: dict[str, None] = {}
    for text, onset_s in replies.items():
        texts.append(text)
        verdict = grade(question, gold, " ".join(texts))
        notes |= dict.fromkeys(verdict.notes)
        value = verdict.value
        if value is None:
            num_ungraded += 1
        elif onset_s <= gold.related_s[1]:
            inside = value
            points.append((onset_s - gold.reply_s[0], float(value)))
        elif value >= inside:
            points.append((onset_s - gold.reply_s[0], float(value)))
    return Graded(
        points=tuple(points),
        num_replies=len(replies),
        num_ungraded=num_ungraded,
        notes=tuple(notes),
    )


def by_rule(question: str, gold: Gold, said: str) -> int:
    """2 if all words of one key were said, 1 if any word of any key, else 0."""
    content = [word for word in canonical(gold.content) if word not in _FILLERS]
    keys = gold.keys or (tuple(content),)
    words = set(canonical(said))
    wanted = [set(canonical(" ".join(key))) for key in keys]
    if any(key and key <= words for key in wanted):
        return 2
    return int(any(key & words for key in wanted))


def by_judge(judge: Judge, instruction: str = INSTRUCTION) -> Grade:
    """Grades of a language model. One whose reply holds no grade is asked again, twice at most;
    without a value where none of its replies does, or where it cannot be reached."""

    def grade(question: str, gold: Gold, said: str) -> Verdict[int]:
        user = f"Question: {question}\nReference answer: {gold.content}\nAnswer given: {said}"
        return ask(judge, instruction, user, read_grade)

    return grade


def read_grade(reply: str) -> int | None:
    """The last 1, 2 or 3 that stands alone, less one; None without any."""
    found = _GRADE.findall(reply)
    return int(found[-1]) - 1 if found else None
