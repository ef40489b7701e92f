"""Episodes: short stretches of talk with the behaviour wanted, written onto a timeline.

Each function takes a `Talk` and writes one exchange from `talk.cursor` on, or returns False when
what it drew does not fit into what is left. Together they are the curriculum of the small
models. Knows nothing of batches, noise or how clips were made.
"""

from dataclasses import replace

from interplay.clock import NUM_SLOTS, SAMPLES_PER_TURN
from interplay.data import vocabulary as words
from interplay.data.bank import Clip
from interplay.data.overlaps import overlap
from interplay.data.questions import Question
from interplay.data.talk import SECOND, Talk, seconds
from interplay.data.timeline import HEARD_DELAY, Running, Spoken, turn_with
from interplay.turns import tokens


def listen(talk: Talk) -> bool:
    """Speech that asks for nothing: transcribe, stay silent."""
    tag = str(talk.rng.choice(["listen", "statement", "word"], p=[0.62, 0.28, 0.1]))
    clip = talk.source.user(tag, talk.rng)
    if not talk.fits(seconds(clip) + 0.6):
        return False
    talk.user(clip)
    return True


def people(talk: Talk) -> bool:
    """A few single words recorded by people: transcribe, stay silent."""
    heard = False
    for _ in range(int(talk.rng.integers(1, 5))):
        clip = talk.source.user("human", talk.rng)
        if talk.fits(seconds(clip) + 0.6):
            talk.user(clip)
            talk.rest(0.15, 1.0)
            heard = True
    return heard


def question(talk: Talk, *, tags: tuple[str, ...] = ("fact", "fact", "fact", "greeting")) -> bool:
    """A closed question, sometimes with a pause inside, answered aloud."""
    clip = talk.source.user(str(talk.rng.choice(tags)), talk.rng)
    asked = talk.source.question(clip.text)
    if not talk.fits(seconds(clip) + 2.5):
        return False
    end = ask(talk, clip, asked)
    talk.answer(asked.answer, end)
    return True


def ask(talk: Talk, clip: Clip, asked: Question, pause_rate: float = 0.4) -> int:
    """The clip is heard, maybe cut by a pause where the sentence is open; returns its end."""
    if not asked.breaks or talk.rng.random() >= pause_rate:
        return talk.user(clip)[1]
    cut = int(talk.rng.choice(asked.breaks))
    before, after = split_clip(clip, cut)
    talk.user(before)
    talk.cursor += int(talk.uniform(0.3, 1.5) * SECOND)
    return talk.user(after, goes_on=True)[1]


def split_clip(clip: Clip, num_words: int) -> tuple[Clip, Clip]:
    """Two clips: the first `num_words` words and the others."""
    border_s = clip.words[num_words - 1][2]
    border = int(border_s * SECOND)
    parts = []
    for low, high, span in (
        (0.0, border_s, slice(None, num_words)),
        (border_s, 1e9, slice(num_words, None)),
    ):
        shifted = [(w, a - low, b - low) for w, a, b in clip.words[span]]
        phones = [(p, a - low, b - low) for p, a, b in clip.phones if low <= a < high]
        samples = clip.samples[:border] if low == 0.0 else clip.samples[border:]
        text = " ".join(word for word, _, _ in shifted)
        parts.append(replace(clip, samples=samples, words=shifted, phones=phones, text=text))
    return parts[0], parts[1]


def say_after_me(talk: Talk) -> bool:
    """ "say X": X comes back."""
    clip = talk.source.user("say", talk.rng)
    if not talk.fits(seconds(clip) * 1.8 + 0.8):
        return False
    _, end = talk.user(clip)
    talk.answer(clip.text.split("say ", 1)[1], end)
    return True


def repeat(talk: Talk) -> bool:
    """A statement, silence, then "what did I say"."""
    clip = talk.source.user("statement", talk.rng)
    back = talk.source.user("repeat", talk.rng)
    if not talk.fits(2 * seconds(clip) + seconds(back) + 3.0):
        return False
    talk.user(clip)
    talk.rest(0.7, 1.6)
    _, end = talk.user(back)
    talk.answer(clip.text, end)
    return True


def recite(talk: Talk) -> bool:
    """A long answer; a backchannel changes nothing, speech with content stops it."""
    clip = talk.source.user("recital", talk.rng)
    asked = talk.source.question(clip.text)
    own = talk.source.own(asked.answer)
    if not talk.fits(seconds(clip) + seconds(own) + 1.5):
        return False
    end = ask(talk, clip, asked, pause_rate=0.2)
    spoken = talk.timeline.speak(own, talk.timeline.answer_slot(end))
    overlap(talk, spoken, {"alone": 0.05, "nods": 0.3, "interrupt": 0.45, "others": 0.2})
    return True


def read_aloud(talk: Talk) -> bool:
    """Text that arrives on `read` is read aloud; it, too, can be nodded at or interrupted."""
    text = talk.source.phrase(talk.rng, 9)
    own = talk.source.own(text)
    if not talk.fits(seconds(own) + 1.5):
        return False
    spoken = _deliver(talk, tokens.TEXT, text, turn_with(talk.cursor))
    shares = {"alone": 1.0}
    if seconds(own) > 2.2:
        shares = {"alone": 0.3, "nods": 0.25, "interrupt": 0.3, "others": 0.15}
    overlap(talk, spoken, shares)
    return True


def _deliver(talk: Talk, control: int, text: str, turn: int) -> Spoken:
    """Tokens on `read` from micro-turn `turn` on; spoken when the last has come."""
    ids = [control, *talk.timeline.tokenizer.encode(text), tokens.END]
    last = talk.timeline.write("read", ids, NUM_SLOTS * turn) - 1
    return talk.timeline.speak(talk.source.own(text), NUM_SLOTS * (last // NUM_SLOTS) + 1)


def duet(talk: Talk) -> bool:
    """Told to talk through, the model reads texts aloud while the user talks of other things.

    Fills what is left of the session. Nothing else trains ears, copying and voice at once: both
    lanes are busy most of the time.
    """
    turn = turn_with(talk.cursor)
    talk.timeline.write("read", [tokens.THROUGH], NUM_SLOTS * turn)
    _read_on(talk, turn + 1)
    while talk.fits(1.0):
        tag = str(talk.rng.choice(["listen", "statement", "fact", "human"], p=[0.6, 0.2, 0.1, 0.1]))
        clip = talk.source.user(tag, talk.rng)
        if not talk.fits(seconds(clip) + 0.4):
            break
        talk.user(clip)
        talk.rest(0.15, 0.7)
    talk.cursor = talk.timeline.num_samples
    return True


def _read_on(talk: Talk, turn: int) -> None:
    """Text after text on `read`, each spoken when the one before it has been."""
    while turn < talk.timeline.num_turns - 15:
        spoken = _deliver(talk, tokens.TEXT, talk.source.phrase(talk.rng, 9), turn)
        turn = spoken.last // NUM_SLOTS + int(talk.rng.integers(1, 4))


def timer(talk: Talk) -> bool:
    """ "say X in N seconds": acknowledged, counted down on `act`, said when due."""
    clip = talk.source.user("timer", talk.rng)
    text, num_seconds = parse_timer(clip.text)
    if not talk.fits(seconds(clip) + num_seconds + 2.0):
        return False
    _, end = talk.user(clip)
    decided = turn_with(end + HEARD_DELAY)
    due = decided + 5 * num_seconds - 2
    ids = talk.timeline.tokenizer.encode(text)
    start = [tokens.TIMER, tokens.count_token(num_seconds), *ids, tokens.END]
    talk.timeline.write("act", start, NUM_SLOTS * decided + 1)
    talk.answer(words.ACKNOWLEDGE, end)
    count_down(talk, due, num_seconds)
    talk.timeline.write("act", [tokens.DUE], NUM_SLOTS * due)
    talk.timeline.running.append(
        Running(tokens.TIMER, due - 5 * num_seconds, due, 5 * num_seconds, ids)
    )
    _aside(talk, (due - 3) * SAMPLES_PER_TURN)
    talk.reply(text, NUM_SLOTS * due + 1)
    return True


def _aside(talk: Talk, before: int) -> None:
    """Half of the time something is said while a timer runs, if it ends in time."""
    clip = talk.source.user("listen", talk.rng)
    at = talk.cursor + int(talk.uniform(0.3, 1.0) * SECOND)
    if talk.rng.random() < 0.5 and at + len(clip.samples) < before:
        talk.user(clip, at)


def count_down(talk: Talk, due: int, num_seconds: int) -> None:
    """On `act`, once a second: how many seconds are left."""
    for left in range(1, num_seconds):
        slot = NUM_SLOTS * (due - 5 * left)
        talk.timeline.write("act", [tokens.count_token(left)], slot)


def every(talk: Talk) -> bool:
    """ "remind me to X every N seconds", until the user says stop."""
    clip = talk.source.user("every", talk.rng)
    text, period = parse_every(clip.text)
    num_times = int(talk.rng.integers(1, 5))
    while num_times and not talk.fits(seconds(clip) + period * num_times + 4.0):
        num_times -= 1
    if not num_times:
        return False
    _, end = talk.user(clip)
    decided = turn_with(end + HEARD_DELAY)
    ids = talk.timeline.tokenizer.encode(text)
    start = [tokens.EVERY, tokens.count_token(period), *ids, tokens.END]
    talk.timeline.write("act", start, NUM_SLOTS * decided + 1)
    talk.answer(words.ACKNOWLEDGE, end)
    due = decided - 2
    for _ in range(num_times):
        due += 5 * period
        count_down(talk, due, period)
        talk.timeline.write("act", [tokens.DUE], NUM_SLOTS * due)
        talk.reply(text, NUM_SLOTS * due + 1)
    talk.rest(0.2, 0.6)
    _, end = talk.user(talk.source.user("cancel", talk.rng))
    cancelled = turn_with(end + HEARD_DELAY)
    for left in range(1, period):
        if due + 5 * (period - left) < cancelled:
            slot = NUM_SLOTS * (due + 5 * (period - left))
            talk.timeline.write("act", [tokens.count_token(left)], slot)
    talk.timeline.running.append(Running(tokens.EVERY, decided - 2, cancelled, 5 * period, ids))
    talk.timeline.write("act", [tokens.CANCEL], NUM_SLOTS * cancelled + 1)
    talk.answer(words.ACKNOWLEDGE, end)
    return True


def stopwatch(talk: Talk) -> bool:
    """ "start the clock" ... "how long did that take": seconds counted on `act`, then said."""
    clip, back = talk.source.user("clock_start", talk.rng), talk.source.user("clock_ask", talk.rng)
    gap = int(talk.rng.integers(2, 10))
    if not talk.fits(seconds(clip) + gap + seconds(back) + 2.5):
        return False
    _, end = talk.user(clip)
    decided = turn_with(end + HEARD_DELAY)
    talk.timeline.write("act", [tokens.CLOCK], NUM_SLOTS * decided + 1)
    talk.answer(words.ACKNOWLEDGE, end)
    asked_at = end + int((gap + talk.uniform(-0.5, 0.5)) * SECOND) - len(back.samples)
    _aside(talk, asked_at - SECOND // 2)
    talk.cursor = max(talk.cursor + SECOND // 4, asked_at)
    _, end = talk.user(back)
    stopped = turn_with(end + HEARD_DELAY)
    elapsed = (stopped - decided) // 5
    for second in range(1, elapsed + 1):
        slot = NUM_SLOTS * (decided + 5 * second)
        talk.timeline.write("act", [tokens.count_token(second)], slot)
    talk.timeline.running.append(Running(tokens.CLOCK, decided, stopped, 1))
    talk.timeline.write("act", [tokens.CANCEL], NUM_SLOTS * stopped + 1)
    unit = "second" if elapsed == 1 else "seconds"
    talk.answer(f"{words.NUMBERS[elapsed]} {unit}", end)
    return True


def delegate(talk: Talk) -> bool:
    """An open question goes to the background model on `act`; its result is spoken on arrival.

    Now and then a text was read aloud just before: the bridge is not that text.
    """
    if talk.rng.random() < 0.25 and read_aloud(talk):
        talk.rest(0.3, 1.2)
    clip = talk.source.user("delegate", talk.rng)
    text = talk.source.phrase(talk.rng, 4)
    wait_s = talk.uniform(1.2, 4.0)
    if not talk.fits(seconds(clip) + wait_s + seconds(talk.source.own(text)) + 1.5):
        return False
    _, end = talk.user(clip)
    decided = turn_with(end + HEARD_DELAY)
    ids = [tokens.DELEGATE, *talk.timeline.tokenizer.encode(clip.text), tokens.END]
    talk.timeline.write("act", ids, NUM_SLOTS * decided + 1)
    bridge = talk.answer(words.BRIDGE, end)
    arrival = max(decided + int(5 * wait_s), turn_with(bridge.ends))
    spoken = _deliver(talk, tokens.RESULT, text, arrival)
    talk.cursor = max(talk.cursor, spoken.ends)
    return True


def parse_timer(text: str) -> tuple[str, int]:
    """ "say X in N seconds" -> (X, N)."""
    inner = text.split("say ", 1)[1].rsplit(" in ", 1)
    return inner[0], words.NUMBERS.index(inner[1].split()[0])


def parse_every(text: str) -> tuple[str, int]:
    """ "remind me to X every N seconds" -> (X, N)."""
    inner = text.split("remind me to ", 1)[1].rsplit(" every ", 1)
    return inner[0], words.NUMBERS.index(inner[1].split()[0])
