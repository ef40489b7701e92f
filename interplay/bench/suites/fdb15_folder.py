"""Items from the published folders of Full-Duplex-Bench V1.5, played open loop as recorded.

`input.wav` is played, then `clean_input.wav`, the same without the overlap. What would address
the overlap (`keys`) are the words of its text that the context lacks: a rougher rule than that of
our own items, whose answers are known. Knows nothing of scores.
"""

from pathlib import Path

from interplay.bench.suites import fdb_folder as published
from interplay.bench.suites.fdb1_folder import overlapped
from interplay.bench.suites.fdb15_clean import CLEAN
from interplay.bench.traces.trace import normal
from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.item import Expect, Item, KeepTalking, Say

HOW_TO_GET = (
    "the folder v1_5 of Full-Duplex-Bench (links in the README of "
    "https://github.com/DanielLin94144/Full-Duplex-Bench); CC BY-NC 4.0"
)
KEYS = ("context_text", "current_turn_text", "timestamps")
PARTS = ("user_interruption", "user_backchannel", "talking_to_other", "background_speech")
CLEAN_INPUT = "clean_input.wav"
FILES = {part: ("input.wav", CLEAN_INPUT, "metadata.json") for part in PARTS}
MIN_LETTERS = 4
COMMON = """
about actually again also been before both came come could does doing done down each else even
ever every from good have having hear here into just know like look made make many maybe mean
more most much must need okay only other over please really right said same should some sorry
still such sure tell than thank thanks that their them then there these they thing think this
those very wait want well were what when where which while will with would yeah your
"""  # words that every second sentence has


def load(folder: Path, num_items: int | None = None) -> list[Item]:
    """The first `num_items` of every part in the folder, or all.

    Raises RecordError or AudioError, one line, where the layout, an annotation or a sound is not
    as published.
    """
    return [
        item
        for part, path in published.item_folders(folder, FILES, num_items)
        for item in (_item(part, path), _clean(part, path))
    ]


def _clean(part: str, path: Path) -> Item:
    """The second run: what was asked, and nothing else."""
    track = published.sound(path, CLEAN_INPUT)
    end_s = published.speech_end(track, len(track) / SAMPLE_RATE_HZ)
    return Item(
        kind=f"fdb15_{part}",
        seed=published.seed_of(part, path),
        length_s=len(track) / SAMPLE_RATE_HZ,
        cues=tuple(published.clips(track, [end_s])),
        expect=(Say(text=(published.recital(0),), after=0),),
        subset=part,
        about={"part": part, CLEAN: True, "id": path.name},
    )


def _item(part: str, path: Path) -> Item:
    track, file = published.sound(path), path / "metadata.json"
    found = published.annotation(file, KEYS)
    cues, expect = overlapped(file, found["timestamps"], track)
    keys = keys_of(part, str(found["context_text"]), str(found["current_turn_text"]))
    return Item(
        kind=f"fdb15_{part}",
        seed=published.seed_of(part, path),
        length_s=len(track) / SAMPLE_RATE_HZ,
        cues=tuple(cues),
        expect=tuple(_expected(part, expect, keys)),
        subset=part,
        about={
            "part": part,
            "cue": 1,
            "keys": keys,
            "task": "",
            "context": str(found["context_text"]),
            "overlap": str(found["current_turn_text"]),
            "id": path.name,
        },
    )


def _expected(part: str, yields: list[Expect], keys: list[str]) -> list[Expect]:
    """The oracles answer an interruption with its own words, and talk through everything else."""
    if part == "user_interruption":
        return [*yields[:2], Say(text=(" ".join(keys) or published.recital(0),), after=1)]
    answer = yields[0]
    assert isinstance(answer, Say)
    text = f"{answer.text[0]} {published.recital(0)}"
    return [Say(text=(text,), after=0), KeepTalking(through=1, text=(text,))]


def keys_of(part: str, context: str, overlap: str) -> list[str]:
    """Words of the overlap that carry its content and are not the context's; a nod has none."""
    if part == "user_backchannel":
        return []
    known = {*normal(context), *normal(COMMON)}
    words = [word for word in normal(overlap) if len(word) >= MIN_LETTERS and word not in known]
    return list(dict.fromkeys(words))
