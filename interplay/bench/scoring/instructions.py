"""Whether replies follow verifiable instructions: strict and loose, by prompt and by instruction.

A reply is strict as it stands; loose if any of eight trimmed versions follows (with or without
the first line, the last line, and every star: Zhou et al. 2023, section 2.2). An empty reply
follows nothing. Knows nothing of traces, prompts' texts or systems.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interplay.bench.scoring.instruction_checks import CHECKS, can_detect
from interplay.bench.scoring.score import Outcome
from interplay.errors import RecordError

LANGUAGE = "language:response_language"
FLAGS = {  # what is checked in another way than the published program does, or not at all
    "length_constraints:number_sentences": "sentences_by_regex",
    "change_case:capital_word_frequency": "words_by_regex",
}
NEED_LANGUAGE = ("change_case:english_capital", "change_case:english_lowercase")
PARTS = ("prompt_strict", "instruction_strict", "prompt_loose", "instruction_loose")


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """id: of IFEval, such as `punctuation:no_comma`. kwargs: of its check."""

    id: str
    kwargs: Mapping[str, Any]

    @property
    def can_check(self) -> bool:
        return self.id != LANGUAGE or can_detect()

    @property
    def flags(self) -> tuple[str, ...]:
        """Notes about how it is checked here."""
        if self.id == LANGUAGE and not can_detect():
            return ("language_skipped",)
        if self.id in NEED_LANGUAGE and not can_detect():
            return ("language_unchecked",)
        return (FLAGS[self.id],) if self.id in FLAGS else ()

    def follows(self, reply: str) -> bool:
        return bool(reply.strip()) and CHECKS[self.id](reply, **self.kwargs)

    def follows_loosely(self, reply: str) -> bool:
        return any(self.follows(version) for version in trimmed(reply))


def trimmed(reply: str) -> list[str]:
    """The eight versions of a reply that the loose criterion tries."""
    lines = reply.split("\n")
    cuts = [reply, *("\n".join(cut).strip() for cut in (lines[1:], lines[:-1], lines[1:-1]))]
    return [*cuts, *(cut.replace("*", "") for cut in cuts)]


def instructions_of(row: Mapping[str, Any], where: str) -> list[Instruction]:
    """The instructions of one row of `input_data.jsonl` or of VoiceBench.

    Arguments that are null are those of other instructions. Raises RecordError where a key is
    missing, an instruction is unknown or lacks an argument.
    """
    ids, kwargs = row.get("instruction_id_list"), row.get("kwargs")
    if not isinstance(ids, list) or not isinstance(kwargs, list) or len(ids) != len(kwargs):
        raise RecordError(
            f"{where}: instruction_id_list and kwargs must be lists of one length; use the rows as "
            "they are published"
        )
    found = []
    for name, given in zip(ids, kwargs, strict=True):
        if name not in CHECKS:
            raise RecordError(f"{where}: unknown instruction {name!r}; known: {', '.join(CHECKS)}")
        wanted = list(inspect.signature(CHECKS[name]).parameters)[1:]
        kept = {key: (given or {}).get(key) for key in wanted}
        missing = [key for key, value in kept.items() if value is None]
        if missing:
            raise RecordError(f"{where}: {name} lacks {', '.join(missing)}")
        found.append(Instruction(id=name, kwargs={k: _whole(v) for k, v in kept.items()}))
    return found


def _whole(value: Any) -> Any:
    """Tables keep whole numbers as 3.0 when other rows have none."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def outcomes_of(reply: str, instructions: Sequence[Instruction]) -> dict[str, Outcome]:
    """One outcome for each of PARTS, in points (100 = all), one reply's share in the pool.

    An instruction that cannot be checked here has no share, nor has its prompt, which may or may
    not be followed; a note says so.
    """
    checked = [instruction for instruction in instructions if instruction.can_check]
    is_whole = len(checked) == len(instructions) > 0
    strict = [instruction.follows(reply) for instruction in checked]
    loose = [instruction.follows_loosely(reply) for instruction in checked]
    notes = dict.fromkeys(flag for instruction in instructions for flag in instruction.flags)
    notes |= {} if reply.strip() else {"empty": None}
    shares = [
        share
        for follows in (strict, loose)
        for share in ((is_whole and all(follows), is_whole), (sum(follows), len(follows)))
    ]
    return {
        part: Outcome(value=100.0 * value, of=float(of), notes=tuple(notes), group=part)
        for part, (value, of) in zip(PARTS, shares, strict=True)
    }
