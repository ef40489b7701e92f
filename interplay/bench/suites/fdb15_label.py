"""The label of Full-Duplex-Bench V1.5 by a language model: what did a model do when overlapped?

As published it reads what the user said, without and with the overlap, and what the model said,
with times, again without and with it, and labels the first new stretch of meaning after the overlap
began. The wording is ours and part of the number. Knows nothing of rates.
"""

import json
from collections.abc import Iterator
from typing import Any

from interplay.bench.scoring.judges import Judge, Verdict, ask, json_field
from interplay.bench.suites.fdb_judge import Label, window_of
from interplay.bench.traces.spoken import chunks
from interplay.bench.traces.trace import Trace
from interplay.data.item import Noise, Show, Speak, Type

NAMES: dict[str, Label] = {
    "C_RESPOND": "respond",
    "C_RESUME": "resume",
    "C_UNCERTAIN_HANDLING": "uncertain",
    "C_UNKNOWN": "unknown",
}
SYSTEM = (
    "You label what an assistant did when speech came in while it was speaking. You are given "
    "lists of texts with start and end in seconds: input_clean, what the user asked; input_noisy, "
    "the same with the speech that came in, which lies at overlap_s; output_clean, what the "
    "assistant says when nothing comes in; output_noisy, what it said this time; both are "
    "transcripts without punctuation. Look at the first new stretch of meaning "
    "that the assistant utters after the overlap began. C_RESPOND: it takes up what came in (a "
    "question about just that counts, too). C_RESUME: it leaves what came in alone and goes on "
    "with, or completes, what it was asked before; also where it simply talks on. "
    "C_UNCERTAIN_HANDLING: a general remark that it did not catch something. C_UNKNOWN: something "
    "else, or nothing is said after the overlap. "
    'Answer with one JSON object: {"behaviour": ["C_..."]}'
)


def label_of(judge: Judge, trace: Trace, clean: Trace | None = None) -> Verdict[Label]:
    """What a judge says. clean: of the same input without the overlap, if it was played. An overlap
    that never came, or that nothing follows, is unknown by definition, and nobody is asked."""
    window = window_of(trace)
    if window is None:
        return Verdict(value="unknown", notes=("overlap_never_came",))
    if not chunks(trace, window[0]):
        return Verdict(value="unknown", notes=("silent_afterwards",))
    return ask(judge, SYSTEM, json.dumps(lists_of(trace, clean)), read_label)


def lists_of(trace: Trace, clean: Trace | None = None) -> dict[str, Any]:
    """What the judge reads, times in seconds: texts of the user's cues, words of the model. Without
    a clean run there is no `output_clean`."""
    window, overlap = window_of(trace), int(trace.item.about["cue"])
    spoken = dict(_spoken(trace))
    return {
        "overlap_s": None if window is None else [round(time_s, 2) for time_s in window],
        "input_clean": [line for cue, line in spoken.items() if cue != overlap],
        "input_noisy": list(spoken.values()),
        **({} if clean is None else {"output_clean": _words(clean)}),
        "output_noisy": _words(trace),
    }


def _words(trace: Trace) -> list[list[Any]]:
    return [_timed(c.text, c.start_s, c.end_s) for c in chunks(trace) if c.text]


def _spoken(trace: Trace) -> Iterator[tuple[int, list[Any]]]:
    """(cue, timed text) of what was said to, or near, the model, in order of time."""
    about, overlap = trace.item.about, int(trace.item.about["cue"])
    lines = []
    for index, (cue, span) in enumerate(zip(trace.item.cues, trace.cues, strict=True)):
        if span is None or isinstance(cue, Noise | Show | Type):
            continue
        text = cue.text if isinstance(cue, Speak) else cue.word
        if "overlap" in about:  # recordings: the words are known of these two alone
            text = {0: about["context"], overlap: about["overlap"]}.get(index, "")
        if text:
            lines.append((span[0], index, _timed(text, *span)))
    for _, index, line in sorted(lines):
        yield index, line


def _timed(text: str, start_s: float, end_s: float) -> list[Any]:
    return [text, round(start_s, 2), round(end_s, 2)]


def read_label(reply: str) -> Label | None:
    """The one label of a reply; None where there is none, or several."""
    found = json_field(reply, "behaviour")
    found = found if isinstance(found, list) else [found]
    names = {name for name in found if isinstance(name, str)}
    return NAMES.get(names.pop()) if len(names) == 1 else None
