"""A suite's items as files that anybody can use without this package: one WAV and one JSON each.

The JSON gives every time in seconds of its WAV, so that any system can be run on the sound and
any program can score it; suites.moments_folder reads them back. Also the seeds of hidden test sets.
Knows nothing of families or scores.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import soundfile

from interplay.bench.playing.stage import Emission, Stage, Synthesizer
from interplay.bench.scoring.moments import read, spans_of
from interplay.bench.traces.item_json import file_stem
from interplay.bench.traces.trace import Trace
from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.item import At, Expect, Item, Say, Speak
from interplay.data.moments import Moment
from interplay.errors import ConfigError, DeviceError

SEED_BITS = 31


def seed_of(secret: str) -> int:
    """The seed of a hidden test set: 31 bits of SHA-256("seed:" + secret)."""
    return int.from_bytes(_digest(f"seed:{secret}")[:4], "big") >> (32 - SEED_BITS)


def commitment_of(secret: str) -> str:
    """What is published before the secret is: SHA-256("commitment:" + secret) in hex. It says
    nothing about the seed, and the secret cannot be changed afterwards."""
    return _digest(f"commitment:{secret}").hex()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def rendered(item: Item, synthesize: Synthesizer) -> Trace:
    """An item played to nobody: the user's sound, words and cue times.

    Raises ConfigError where a cue waits for what the system does: such an item is no recording.
    """
    stage = Stage(item, synthesize)
    while not stage.done:
        stage.begin_turn(lambda control, text: [control, *text.split(), "<end>"])
        stage.end_turn(Emission())
    trace = stage.trace()
    for index, cue in enumerate(item.cues):
        if isinstance(cue, Speak) and trace.cues[index] is None:
            raise ConfigError(
                f"cue {index} of item {item.seed} waits for the system; only items whose user "
                "side is fixed can be exported"
            )
    return trace


def to_json(trace: Trace, audio: str) -> dict[str, Any]:
    """One item whose user side has been rendered; `audio` names its WAV.

    script: what the user says, with word times. anchor: end of what the probe hangs on. expect:
    what is due, when, within which window, and how it is recognised. acks, quiet, ack_until as in
    docs/timespeak.md. All times in seconds of the WAV.
    """
    item, reading = trace.item, read(trace)
    plan = reading.plan
    first = plan.moments[plan.probe].after if plan.probe is not None else 0
    acks = spans_of(reading, plan.acks)
    script = [_said(trace, index) for index, cue in enumerate(item.cues) if isinstance(cue, Speak)]
    return {
        "id": f"{item.kind}-{plan.family}-{item.seed}",
        "suite": item.kind,
        "family": plan.family,
        "seed": item.seed,
        "audio": audio,
        "sr": SAMPLE_RATE_HZ,
        "tail_s": _round(trace.length_s - max(line["end"] for line in script)),
        "script": script,
        "anchor": _round(_end_of(trace, first)),
        "expect": [
            _expect(trace, moment) | _hint(trace, moment, wanted)
            for moment, wanted in zip(plan.moments, item.expect, strict=True)
        ],
        "probe": plan.probe,
        "quiet": _spans(spans_of(reading, plan.quiet)),
        "ack_until": _round(acks[0][1]) if acks else None,
        "acks": _spans(acks),
        "taken_back": [_expect(trace, moment) for moment in plan.taken_back],
        "monologue": next(
            iter(_spans(spans_of(reading, [plan.monologue] if plan.monologue else []))), None
        ),
        "gap_s": plan.gap_s,
    }


def export(
    items: Sequence[Item],
    folder: Path,
    synthesize: Synthesizer,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Write FOLDER/FAMILY/ID.wav (16 kHz mono, 16 bit: the user's channel) and ID.json per item.

    Files that are there already are kept, so an interrupted export goes on where it stopped.
    Returns the JSON files. Raises DeviceError where nothing can be written.
    """
    written = []
    for number, item in enumerate(items, 1):
        stem = folder / item.subset / file_stem(item)
        target = stem.with_suffix(".json")
        if not target.exists():
            trace = rendered(item, synthesize)
            text = json.dumps(to_json(trace, f"{stem.name}.wav"), indent=1) + "\n"
            try:
                stem.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(stem.with_suffix(".wav"), trace.user, SAMPLE_RATE_HZ)
                partial = stem.with_suffix(".partial")
                partial.write_text(text, encoding="utf-8")
                partial.replace(target)
            except (OSError, soundfile.SoundFileError) as error:
                raise DeviceError(
                    f"cannot write {stem.parent}: {error}; name another folder"
                ) from error
        written.append(target)
        advance(number, len(items))
    return written


def _said(trace: Trace, index: int) -> dict[str, Any]:
    cue, span = trace.item.cues[index], trace.cues[index]
    assert isinstance(cue, Speak) and span is not None
    words = [
        [word, _round(start_s), _round(end_s)]
        for word, start_s, end_s in trace.user_words
        if span[0] - 1e-6 <= start_s and end_s <= span[1] + 1e-6
    ]
    return {
        "t": _round(span[0]),
        "end": _round(span[1]),
        "text": cue.text,
        "voice": cue.voice,
        "words": words,
    }


def _expect(trace: Trace, moment: Moment) -> dict[str, Any]:
    at_s = _end_of(trace, moment.after) + moment.due_s
    kept = {key: asdict(moment)[key] for key in ("meaning", "fuzzy", "beat", "again")}
    return {
        "t": _round(at_s),
        "lo": moment.lo_s,
        "hi": moment.hi_s,
        "any": [list(words) for words in moment.any],
        **kept,
    }


def _hint(trace: Trace, moment: Moment, wanted: Expect) -> dict[str, Any]:
    """What trivial systems go by, scores do not: the line of the script that it hangs on, whether
    it answers that line, and when a perfect system begins."""
    begins_s = wanted.due_s if isinstance(wanted, At) else moment.due_s
    return {
        "after": moment.after,
        "answers": isinstance(wanted, Say),
        "onset": _round(_end_of(trace, moment.after) + begins_s),
    }


def _end_of(trace: Trace, cue: int) -> float:
    span = trace.cues[cue]
    assert span is not None
    return span[1]


def _spans(spans: Sequence[tuple[float, float]]) -> list[list[float]]:
    return [[_round(start_s), _round(end_s)] for start_s, end_s in spans]


def _round(seconds: float) -> float:
    return round(seconds, 4)
