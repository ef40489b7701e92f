"""gallery: fourteen small scenes, each one thing that a turn-based system cannot do.

`interplay demo NAME` plays one of them live, `interplay bench gallery` plays many of each and
counts. What is expected of the model hangs on the item alone (`Item.expect`), so every scene is
scored alike. Knows nothing of systems, clocks or files.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from interplay.bench.scoring.answering import check_delegate, check_say
from interplay.bench.scoring.overlap import check_stop
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.scoring.timing import timer_hit
from interplay.bench.scoring.watching import watch
from interplay.bench.suites import translate as translate_suite
from interplay.bench.suites import translate_twin
from interplay.bench.suites.base import Suite
from interplay.bench.traces.trace import Trace, anchor_s
from interplay.data import cuespeak, heldout
from interplay.data.heldout import duration_s
from interplay.data.item import (
    At,
    Cue,
    Delegate,
    Expect,
    Item,
    Noise,
    Say,
    Show,
    Speak,
    StopBy,
    When,
)
from interplay.data.scenes.conduct import draw_conduct
from interplay.data.scenes.objects import draw_objects
from interplay.data.scenes.reps import draw_reps
from interplay.data.scenes.visit import draw_visit
from interplay.data.texts import questions, vocabulary
from interplay.data.texts.languages.lexicon import LANGUAGES
from interplay.data.texts.watchwords import WARNINGS
from interplay.data.voices import random_voice

SEED_BASE = 7_700_000  # no training seed is near
BREATH_S, NUM_BREATHS = 4, 4
TIMER_S = 10
COUNTED = {  # questions that are held out
    "box": "how many boxes can you see",
    "bottle": "how many bottles can you see",
    "book": "how many books are there",
    "ball": "how many balls are on the table",
    "cup": "how many cups are on the table",
}
AFTER_S = 3.0  # at the end of an item, for the last answer


@dataclass(frozen=True, kw_only=True)
class Scene:
    """what: to be seen or heard in it. draw: an item of a die and a number. timed: outcomes of what
    has its time, in the order of the item, and behind them what was said at another time."""

    what: str
    draw: Callable[[np.random.Generator, int], Item]
    timed: Callable[[Trace], Sequence[Outcome]] = timer_hit


def friend(rng: np.random.Generator, number: int) -> Item:
    """Two people and a cat come in while the user talks of something else."""
    film = draw_visit(rng, number, kinds=("person", "cat", "person"))
    due = [("friend", time_s) for time_s in film.entries()]
    item = watch(
        "gallery",
        number,
        "say friend when someone comes in",
        film,
        film.length_s,
        due=due,
        about={},
    )
    story = Speak(
        text=questions.statement(rng),
        voice=_voice(item),
        at=When(seconds=2.0, after="cue_start", cue=1),
    )
    return replace(item, cues=(*item.cues, story))


def push_ups(rng: np.random.Generator, number: int) -> Item:
    """Push-ups are counted aloud as they are done."""
    film = draw_reps(rng, number, kind="push_up", most=8)
    due = [(vocabulary.NUMBERS[k], end_s) for k, (_, end_s) in enumerate(film.cycles, 1)]
    asked = "please count the push ups"
    return watch("gallery", number, asked, film, film.length_s, due=due, about={})


def safety(rng: np.random.Generator, number: int) -> Item:
    """A hand comes near a saw blade, twice; a warning each time."""
    return _warned(rng, number, "blade", "tell me when a hand gets near the blade")


def posture(rng: np.random.Generator, number: int) -> Item:
    """Somebody at a desk slouches, twice; a warning each time."""
    return _warned(rng, number, "slump", "please watch my posture")


def helmet(rng: np.random.Generator, number: int) -> Item:
    """Somebody takes off the helmet, twice; a warning each time."""
    return _warned(rng, number, "helmet", "tell them when a helmet is taken off")


def _warned(rng: np.random.Generator, number: int, kind: str, asked: str) -> Item:
    film = draw_conduct(rng, number, kind, 2)
    due = [(WARNINGS[kind], start_s) for start_s, _ in film.breaks]
    return watch("gallery", number, asked, film, film.length_s, due=due, about={})


def leaving(rng: np.random.Generator, number: int) -> Item:
    """People and a cat come in, and some people leave again."""
    while not (film := draw_visit(rng, number, kinds=("person", "cat", "person"))).exits():
        pass
    due = [("bye", time_s) for time_s in film.exits()]
    asked = "say bye when somebody goes away"
    return watch("gallery", number, asked, film, film.length_s, due=due, about={})


def how_many(rng: np.random.Generator, number: int) -> Item:
    """Things on a table are before the camera, and some of them are asked for."""
    kind = str(rng.choice(list(COUNTED)))
    asked_s = duration_s(COUNTED[kind])
    film = draw_objects(rng, number, kind, 1.0 + asked_s + AFTER_S)
    show = Show(frames=film, length_s=film.length_s, at=When(seconds=0.6))
    ask = _speak(rng, COUNTED[kind], When(seconds=1.0, after="cue_start", cue=0))
    expect = [Say(text=(vocabulary.NUMBERS[film.count(kind)],), after=1)]
    return _item(rng, number, [show, ask], expect, 0.6 + film.length_s)


def breathe(rng: np.random.Generator, number: int) -> Item:
    """ "in" and "out" in turn, on a beat, until told to stop."""
    spoken = f"every {vocabulary.NUMBERS[BREATH_S]} seconds say in and then out in turn"
    cues = [_speak(rng, spoken, When(seconds=0.8))]
    stop_s = BREATH_S * NUM_BREATHS + 1.5
    cues.append(replace(cues[0], text="stop", at=When(seconds=stop_s, after="cue_end", cue=0)))
    words = [("in", "out")[k % 2] for k in range(NUM_BREATHS)]
    expect = [At(text=(word,), after=0, due_s=BREATH_S * k) for k, word in enumerate(words, 1)]
    return _item(rng, number, cues, expect, 0.8 + duration_s(spoken) + stop_s + AFTER_S)


def trivia_timer(rng: np.random.Generator, number: int) -> Item:
    """A timer runs through a question, which is answered meanwhile."""
    spoken = f"say {vocabulary.REMINDERS[0]} in {vocabulary.NUMBERS[TIMER_S]} seconds"
    asked = [q for q in questions.facts("test") if q.kind != "spelling"]
    trivia = asked[int(rng.integers(len(asked)))]
    cues = [_speak(rng, spoken, When(seconds=0.8))]
    at = When(seconds=2.0, after="cue_end", cue=0)
    cues.append(replace(cues[0], text=trivia.text, at=at))
    expect = [
        Say(text=(trivia.answer,), after=1),
        At(text=(vocabulary.REMINDERS[0],), after=0, due_s=TIMER_S),
    ]
    return _item(rng, number, cues, expect, 0.8 + duration_s(spoken) + TIMER_S + AFTER_S)


def translate(rng: np.random.Generator, number: int) -> Item:
    """Three sentences of one language, said in English meanwhile."""
    language = LANGUAGES[int(rng.integers(len(LANGUAGES)))]
    return translate_twin.make(rng, number, language, 3)


def chart(rng: np.random.Generator, number: int) -> Item:
    """A chart is asked for: the numbers go to the background model, the talk goes on."""
    numbers = [vocabulary.NUMBERS[int(k)] for k in rng.choice(np.arange(2, 10), 3, replace=False)]
    spoken = f"draw a chart of {numbers[0]} {numbers[1]} and {numbers[2]}"
    cues = [_speak(rng, spoken, When(seconds=0.8))]
    expect = [
        Delegate(words=" ".join(["chart", *numbers]), after=0),
        Say(text=(vocabulary.BRIDGE,), after=0),
    ]
    return _item(rng, number, cues, expect, 0.8 + duration_s(spoken) + 2 * AFTER_S)


SCENES: Mapping[str, Scene] = {
    "friend": Scene(what='says "friend" when somebody comes in, not for the cat', draw=friend),
    "translate": Scene(
        what="gives Spanish or German sentences in English, phrase by phrase, over the user",
        draw=translate,
        timed=translate_suite.rights,
    ),
    "animals": Scene(what="counts aloud the animals that a story names", draw=cuespeak.animals),
    "correct-me": Scene(
        what="corrects what is wrong in the middle of a speech", draw=cuespeak.wrong_fact
    ),
    "push-ups": Scene(what="counts push-ups as they are done", draw=push_ups),
    "trivia-timer": Scene(
        what="answers a question while a timer runs, then keeps the time", draw=trivia_timer
    ),
    "breathe": Scene(what='says "in" and "out" in turn, every four seconds', draw=breathe),
    "chart": Scene(what="hands numbers over for a chart and says so at once", draw=chart),
    "barge-in": Scene(
        what="stops reciting when it is interrupted, and answers that", draw=heldout.interrupt
    ),
    "safety": Scene(what="warns when a hand comes near the blade", draw=safety),
    "posture": Scene(what="warns when somebody slouches", draw=posture),
    "helmet": Scene(what="warns when the helmet comes off", draw=helmet),
    "leaving": Scene(what='says "bye" when somebody leaves, not for the cat', draw=leaving),
    "how-many": Scene(what="counts the things on a table that are asked for", draw=how_many),
}


def draw(name: str, index: int, seed: int = 0) -> Item:
    """Item `index` of a scene; the same for ever for the same seed."""
    number = SEED_BASE + 100_000 * seed + 1000 * list(SCENES).index(name) + index
    item = SCENES[name].draw(np.random.default_rng(number), number)
    return replace(item, kind="gallery", seed=number, subset=name)


def twin(num_items: int, seed: int) -> list[Item]:
    """`num_items` of every scene."""
    return [draw(name, index, seed) for name in SCENES for index in range(num_items)]


def row_name(scene: str) -> str:
    return f"gallery_{scene.replace('-', '_')}"


def checks(trace: Trace) -> Iterator[tuple[Expect | None, Outcome]]:
    """What was expected, in the order of the item, and what came of it; behind that, without an
    expectation, what was said at another time than its own."""
    dues = iter(SCENES[trace.item.subset].timed(trace))
    for expect in trace.item.expect:
        match expect:
            case At():
                yield expect, next(dues)
            case Say():
                yield expect, check_say(trace, expect)
            case StopBy():
                yield expect, check_stop(trace, expect)
            case Delegate():
                yield expect, check_delegate(trace, expect)
    yield from ((None, outcome) for outcome in dues)


def verdict(trace: Trace) -> Iterator[str]:
    """What was expected, line by line, and what came of it."""
    for expect, outcome in checks(trace):
        what = describe(expect, trace) if expect else "said at a time that is not its own"
        mark, why = ("yes", "") if outcome.value else ("no", f" ({', '.join(outcome.notes)})")
        yield f"{mark:<10} {what}{why.replace('_', ' ')}"


def describe(expect: Expect, trace: Trace) -> str:
    """One expectation in words, with the second at which it is due."""
    match expect:
        case At():
            anchor = anchor_s(expect, trace.cues, trace.user_words)
            came = anchor is not None
            when = f"at {anchor + expect.due_s:.1f} s" if came else "after what never came"
            return f'says "{expect.text[0]}" {when}'
        case Say():
            cue = trace.item.cues[expect.after]
            asked = cue.text if isinstance(cue, Speak) else "what was asked"
            return f'says "{expect.text[0]}" to "{asked}"'
        case StopBy():
            return f"stops within {expect.within_s:g} s when interrupted"
        case Delegate():
            return f'hands over "{expect.words}"'
    return type(expect).__name__


def score(traces: Sequence[Trace]) -> Mapping[str, Sequence[Outcome]]:
    """Row name -> one outcome per expectation, and per utterance at a wrong time."""
    rows: dict[str, list[Outcome]] = {row.name: [] for row in ROWS}
    for trace in traces:
        rows[row_name(trace.item.subset)] += [outcome for _, outcome in checks(trace)]
    return rows


def _voice(item: Item) -> str:
    """The voice that the user of an item speaks with."""
    return next(cue.voice for cue in item.cues if isinstance(cue, Speak))


def _speak(rng: np.random.Generator, text: str, at: When) -> Speak:
    return Speak(text=text, voice=random_voice(rng, "test"), at=at)


def _item(
    rng: np.random.Generator,
    number: int,
    cues: Sequence[Cue],
    expect: Sequence[Expect],
    length_s: float,
) -> Item:
    return Item(
        kind="gallery",
        seed=number,
        length_s=float(np.ceil(5 * length_s) / 5),
        cues=(*cues, Noise(level_db=-60.0)),
        expect=tuple(expect),
        first_turn=int(rng.integers(300)),
    )


ROWS = tuple(
    Row(
        name=row_name(name),
        kind="gallery",
        what=f"{scene.what}: of what is expected, and what is said at a wrong time, the share that "
        "is right",
        reach=None,
    )
    for name, scene in SCENES.items()
)
SUITE = Suite(
    name="gallery",
    what="fourteen scenes, each one thing that a turn-based system cannot do",
    rows=ROWS,
    twin=twin,
    score=score,
)
