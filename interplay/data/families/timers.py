"""The plain timer, reminder and stopwatch: each by itself, in the wording of the first models.

Knows nothing of batches, noise or how clips were made.
"""

from interplay.clock import NUM_SLOTS, SAMPLES_PER_TURN
from interplay.data.bank import Clip
from interplay.data.families.clockwork import LEAD_TURNS, count_left, decided_turn
from interplay.data.talk import SECOND, Talk, seconds
from interplay.data.texts import vocabulary as words
from interplay.data.texts.templates import Marks
from interplay.data.timeline import Running
from interplay.turns import tokens


def timer(talk: Talk) -> bool:
    """ "say X in N seconds": acknowledged, counted down on `act`, said when due."""
    clip = talk.source.user("timer", talk.rng)
    text, num_seconds = parse_timer(clip.text)
    if not talk.fits(seconds(clip) + num_seconds + 2.0):
        return False
    _, end = talk.user(clip, marks=_before_time(clip))
    decided = decided_turn(end)
    due = decided + 5 * num_seconds - LEAD_TURNS
    ids = talk.timeline.tokenizer.encode(text)
    start = [tokens.TIMER, tokens.count_token(num_seconds), *ids, tokens.END]
    talk.timeline.write("act", start, NUM_SLOTS * decided + 1)
    talk.answer(words.ACKNOWLEDGE, end)
    count_left(talk, due, num_seconds)
    talk.timeline.write("act", [tokens.DUE], NUM_SLOTS * due)
    talk.timeline.running.append(
        Running(tokens.TIMER, due - 5 * num_seconds, due, 5 * num_seconds, ids)
    )
    _aside(talk, (due - 3) * SAMPLES_PER_TURN)
    talk.reply(text, NUM_SLOTS * due + 1)
    return True


def _before_time(clip: Clip) -> Marks:
    """What is to be said ends before "in N seconds" or "every N seconds"."""
    return Marks(ends=(len(clip.words) - 3,))


def _aside(talk: Talk, before: int) -> None:
    """Half of the time something is said while a timer runs, if it ends in time."""
    clip = talk.source.user("listen", talk.rng)
    at = talk.cursor + int(talk.uniform(0.3, 1.0) * SECOND)
    if talk.rng.random() < 0.5 and at + len(clip.samples) < before:
        talk.user(clip, at)


def every(talk: Talk) -> bool:
    """ "remind me to X every N seconds", until the user says stop."""
    clip = talk.source.user("every", talk.rng)
    text, period = parse_every(clip.text)
    num_times = int(talk.rng.integers(1, 5))
    while num_times and not talk.fits(seconds(clip) + period * num_times + 4.0):
        num_times -= 1
    if not num_times:
        return False
    _, end = talk.user(clip, marks=_before_time(clip))
    decided = decided_turn(end)
    ids = talk.timeline.tokenizer.encode(text)
    start = [tokens.EVERY, tokens.count_token(period), *ids, tokens.END]
    talk.timeline.write("act", start, NUM_SLOTS * decided + 1)
    talk.answer(words.ACKNOWLEDGE, end)
    due = decided - LEAD_TURNS
    for _ in range(num_times):
        due += 5 * period
        count_left(talk, due, period)
        talk.timeline.write("act", [tokens.DUE], NUM_SLOTS * due)
        talk.reply(text, NUM_SLOTS * due + 1)
    talk.rest(0.2, 0.6)
    _, end = talk.user(talk.source.user("cancel", talk.rng))
    cancelled = decided_turn(end)
    count_left(talk, due + 5 * period, period, cancelled)
    talk.timeline.running.append(
        Running(tokens.EVERY, decided - LEAD_TURNS, cancelled, 5 * period, ids)
    )
    talk.timeline.write("act", [tokens.CANCEL], NUM_SLOTS * cancelled + 1)
    talk.answer(words.ACKNOWLEDGE, end)
    return True


def stopwatch(talk: Talk) -> bool:
    """ "start the clock" ... "how long did that take": seconds counted on `act`, then said."""
    return measure(talk) is not None


def measure(talk: Talk, high: int = 10) -> int | None:
    """A stopwatch for less than `high` seconds; what it told, None where it did not fit."""
    clip, back = talk.source.user("clock_start", talk.rng), talk.source.user("clock_ask", talk.rng)
    gap = int(talk.rng.integers(2, high))
    if not talk.fits(seconds(clip) + gap + seconds(back) + 2.5):
        return None
    _, end = talk.user(clip)
    decided = decided_turn(end)
    talk.timeline.write("act", [tokens.CLOCK], NUM_SLOTS * decided + 1)
    talk.answer(words.ACKNOWLEDGE, end)
    asked_at = end + int((gap + talk.uniform(-0.5, 0.5)) * SECOND) - len(back.samples)
    _aside(talk, asked_at - SECOND // 2)
    talk.cursor = max(talk.cursor + SECOND // 4, asked_at)
    _, end = talk.user(back)
    stopped = decided_turn(end)
    elapsed = (stopped - decided) // 5
    for second in range(1, elapsed + 1):
        slot = NUM_SLOTS * (decided + 5 * second)
        talk.timeline.write("act", [tokens.count_token(second)], slot)
    talk.timeline.running.append(Running(tokens.CLOCK, decided, stopped, 1))
    talk.timeline.write("act", [tokens.CANCEL], NUM_SLOTS * stopped + 1)
    unit = "second" if elapsed == 1 else "seconds"
    talk.answer(f"{words.NUMBERS[elapsed]} {unit}", end)
    return elapsed


def parse_timer(text: str) -> tuple[str, int]:
    """ "say X in N seconds" -> (X, N)."""
    inner = text.split("say ", 1)[1].rsplit(" in ", 1)
    return inner[0], words.NUMBERS.index(inner[1].split()[0])


def parse_every(text: str) -> tuple[str, int]:
    """ "remind me to X every N seconds" -> (X, N)."""
    inner = text.split("remind me to ", 1)[1].rsplit(" every ", 1)
    return inner[0], words.NUMBERS.index(inner[1].split()[0])
