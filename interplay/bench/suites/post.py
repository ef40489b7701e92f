"""What Thinking Machines Lab's post on interaction models reports: of which systems, and when.

Every suite whose row is in the post's table gives its numbers in the order of `SYSTEMS`. Knows
nothing of rows.
"""

from interplay.bench.suites.base import Published

SYSTEMS = (
    "TML-Interaction-Small",
    "GPT-Realtime-2.0 minimal",
    "GPT-Realtime-1.5",
    "Gemini 3.1 Flash Live minimal",
    "Qwen3.5-Omni-plus Realtime",
    "GPT-Realtime-2.0 xhigh",
    "Gemini 3.1 Flash Live high",
)
GEMINI = SYSTEMS[3]  # others have measured it, too
SOURCE = "Thinking Machines Lab, doi 10.64434/tml.20260511"
DATE = "2026-05"


def reported(row: str, *values: float | None, note: str = "") -> tuple[Published, ...]:
    """The post's numbers of a row, of as many of `SYSTEMS` as there are; None for one that it has
    not. note: what to know about them, goes into the source."""
    source = f"{SOURCE}; {note}" if note else SOURCE
    return tuple(
        Published(row=row, system=system, value=value, source=source, date=DATE)
        for system, value in zip(SYSTEMS, values, strict=False)
        if value is not None
    )
