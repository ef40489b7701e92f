"""Simultaneous translation: English for German and Spanish while they are spoken. Rows and scores.

A phrase of English can be said once the source phrase that completes it has ended; it counts when
its words come within four seconds from there. Words are compared one by one, in one spelling
(bench.wording.spelling), each that was said counts once. Knows nothing of how items are made.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from interplay.bench.scoring.answering import LEAD_S, sound_of
from interplay.bench.scoring.moments import common_s, user_speech
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites import translate_twin
from interplay.bench.suites.base import Outcomes, Suite
from interplay.bench.suites.translate_twin import Phrase, phrases_of
from interplay.bench.traces.trace import Trace, Word, anchor_s
from interplay.bench.wording.spelling import canonical
from interplay.data.item import AtWord

WINDOW_S = 4.0
OVERLAP_S = 0.2
GOES_ON_S = 2.0  # of the user's speech after a phrase, or nobody could translate it meanwhile
KIND = "translate"


def _row(name: str, what: str, reach: float | None = None, **kwargs) -> Row:
    return Row(name=f"translate_{name}", kind=KIND, what=what, reach=reach, **kwargs)


ROWS = (
    _row(
        "acc",
        "content words of the English that are said within 4 s after the source phrase that "
        "completes them; those that sound the same in both languages are not counted",
        reach=0.8,
    ),
    _row("german", "the same, German"),
    _row("spanish", "the same, Spanish"),
    _row("new_pairs", "the same, phrases with an adjective and a noun that are apart in training"),
    _row(
        "order",
        "phrases all of whose content words are said, two or more: those in the order of English",
    ),
    _row(
        "lag_s",
        "end of the source phrase to the onset of its English, of phrases with a right word",
        reach=2.0,
        lower_is_better=True,
        unit="s",
        statistic="median",
    ),
    _row("lag_p95_s", "the same, 95th percentile", lower_is_better=True, unit="s", statistic="p95"),
    _row(
        "overlap",
        "phrases with a right word, late ones too, after which the user speaks on for 2 s: those "
        "that sound over the user's speech for 0.2 s",
    ),
    _row(
        "extra",
        "words said during the translation that stand in no phrase that is due",
        lower_is_better=True,
    ),
    _row("no_response", "items without a right word", lower_is_better=True),
)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One phrase in a trace. end_s: of its source phrase; None where its cue never came. hits:
    places of its counted words in the phrase, and which of the said words they are."""

    phrase: Phrase
    end_s: float | None
    hits: tuple[tuple[int, int], ...]

    @property
    def share(self) -> float:
        return len(self.hits) / len(self.phrase.counted)

    def is_due(self, time_s: float, window_s: float = WINDOW_S) -> bool:
        return self.end_s is not None and -LEAD_S <= time_s - self.end_s <= window_s


def read(trace: Trace, window_s: float = WINDOW_S) -> tuple[list[Reading], list[Word]]:
    """All phrases of a trace, and the words that were said, in one spelling; of what is said later
    than `window_s` after its source phrase nothing counts."""
    said = [
        Word(text=text, start_s=word.start_s, end_s=word.end_s)
        for word in trace.spoken()
        for text in canonical(word.text)
    ]
    duties = [expect for expect in trace.item.expect if isinstance(expect, AtWord)]
    used: set[int] = set()
    readings = []
    for phrase, duty in zip(phrases_of(trace.item), duties, strict=True):
        end_s = anchor_s(duty, trace.cues, trace.user_words)
        reading = Reading(phrase=phrase, end_s=end_s, hits=())
        due = [k for k, spoken in enumerate(said) if reading.is_due(spoken.start_s, window_s)]
        hits: list[tuple[int, int]] = []
        for place in _counted_places(phrase):
            word = _spelled(phrase)[place]
            index = next((k for k in due if said[k].text == word and k not in used), None)
            if index is not None:
                used.add(index)
                hits.append((place, index))
        readings.append(replace(reading, hits=tuple(hits)))
    return readings, said


def _spelled(phrase: Phrase) -> list[str]:
    return [canonical(word)[0] for word in phrase.text.split()]


def _counted_places(phrase: Phrase) -> list[int]:
    return [place for place, word in enumerate(phrase.text.split()) if word in phrase.counted]


def onset_s(trace: Trace, reading: Reading, said: Sequence[Word]) -> float | None:
    """When a phrase that has a hit begins to sound: its first word, counted or not. In the middle
    of a stretch of voice that is when the word comes out, up to 0.3 s earlier."""
    place, index = min(reading.hits, key=lambda hit: hit[1])
    words = _spelled(reading.phrase)
    while place and index and said[index - 1].text == words[place - 1]:
        place, index = place - 1, index - 1
    return sound_of(trace, said[index])


def rights(trace: Trace) -> list[Outcome]:
    """For every phrase whether half of its counted words or more are said in time."""
    return [
        Outcome(value=1.0) if reading.share >= 0.5 else Outcome(value=0.0, notes=("missed",))
        for reading in read(trace)[0]
    ]


def score(traces: Sequence[Trace]) -> Outcomes:
    """Outcomes of all rows."""
    found: dict[str, list[Outcome]] = {row.name: [] for row in ROWS}
    for trace in traces:
        readings, said = read(trace)
        outcomes = [pair for each in readings for pair in _phrase_rows(trace, each, said)]
        is_mute = not any(reading.hits for reading in readings)
        outcomes += [("no_response", Outcome(value=float(is_mute))), _extra(trace, readings, said)]
        outcomes += [("overlap", outcome) for outcome in _overlaps(trace)]
        for name, outcome in outcomes:
            found[f"translate_{name}"].append(outcome)
    return found


def _phrase_rows(trace: Trace, reading: Reading, said: Sequence[Word]) -> list[tuple[str, Outcome]]:
    phrase, hits = reading.phrase, reading.hits
    notes = () if reading.share == 1 else ("words_missing",) if hits else ("missed",)
    words = Outcome(value=float(len(hits)), of=len(phrase.counted), notes=notes)
    rows = [("acc", words), (trace.item.subset, words)]
    if phrase.is_new:
        rows.append(("new_pairs", words))
    if reading.share == 1 and len(hits) > 1:
        order = [index for _, index in hits]
        rows.append(("order", Outcome(value=float(order == sorted(order)))))
    start_s = onset_s(trace, reading, said) if hits else None
    if start_s is None or reading.end_s is None:
        return rows
    lag = Outcome(value=start_s - reading.end_s)
    return [*rows, ("lag_s", lag), ("lag_p95_s", lag)]


def _overlaps(trace: Trace) -> Iterator[Outcome]:
    readings, said = read(trace, math.inf)
    speech = user_speech(trace)
    for reading in readings:
        start_s = onset_s(trace, reading, said) if reading.hits else None
        if start_s is None or reading.end_s is None:
            continue
        if reading.end_s + GOES_ON_S <= speech[-1][1]:
            last_s = max(said[index].end_s for _, index in reading.hits)
            over_s = common_s((start_s, max(start_s + OVERLAP_S, last_s)), speech)
            yield Outcome(value=float(over_s >= OVERLAP_S - 1e-6))


def _extra(trace: Trace, readings: Sequence[Reading], said: Sequence[Word]) -> tuple[str, Outcome]:
    first = trace.cues[1]
    begins_s = trace.length_s if first is None else first[0]
    words = [word for word in said if word.start_s >= begins_s]
    extra = [word for word in words if not any(_fits(reading, word) for reading in readings)]
    return "extra", Outcome(value=float(len(extra)), of=len(words))


def _fits(reading: Reading, word: Word) -> bool:
    return reading.is_due(word.start_s) and word.text in _spelled(reading.phrase)


SUITE = Suite(
    name="translate",
    what="simultaneous translation from German and Spanish into English, over the speaker",
    rows=ROWS,
    twin=translate_twin.twin,
    score=score,
    how_to_get="These items are made here (docs/bench.md).",
    baselines=("silent", "always", "echo", "half_duplex", "perfect"),
)
