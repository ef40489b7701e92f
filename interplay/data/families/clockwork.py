"""What is to be said later: alarms on `act`, and the talk that goes on while they run.

The alarm that is due next is always the newest text on `act`: it is written again when another
one has rung or was taken back. Every second `act` tells how much time is left. Knows nothing of
how people ask for any of this.
"""

from dataclasses import dataclass

from interplay.clock import NUM_SLOTS, SAMPLES_PER_SLOT
from interplay.data.bank import Clip
from interplay.data.families.reading import typed
from interplay.data.talk import NO_MARKS, SECOND, Talk, seconds
from interplay.data.texts.templates import Marks
from interplay.data.timeline import HEARD_DELAY, Running, time_tokens, turn_with
from interplay.turns import tokens

MEANWHILE = {"listen": 0.3, "statement": 0.25, "tell": 0.1, "fact": 0.25, "everyday": 0.1}
BEFORE_S = 0.45  # nobody begins to speak so shortly before an alarm
LEAD_TURNS = 2  # from its decision until an utterance sounds


def put(talk: Talk, clip: Clip, marks: Marks = NO_MARKS, typed_rate: float = 0.1) -> int:
    """The user says the clip, or now and then types its words; returns the sample it ends at."""
    if talk.rng.random() < typed_rate:
        return typed(talk, clip.text)
    return talk.user(clip, marks=marks)[1]


def decided_turn(end: int) -> int:
    """The micro-turn in which the model acts on speech that ended at sample `end`."""
    return turn_with(end + HEARD_DELAY)


def count_left(talk: Talk, due: int, num_seconds: int, until: int | None = None) -> None:
    """On `act`, once in each of the `num_seconds` before micro-turn `due`: how many are left.
    until: the micro-turn from which on nobody counts."""
    for left in range(1, num_seconds):
        turn = due - 5 * left
        if until is None or turn < until:
            talk.timeline.write("act", [tokens.count_token(left)], NUM_SLOTS * turn)


@dataclass
class Alarm:
    """Due in micro-turn `due`, set in `start`."""

    text: str
    start: int
    due: int

    @property
    def sounds(self) -> int:
        """The sample at which its voice begins."""
        return (NUM_SLOTS * (self.due + 1) + 2) * SAMPLES_PER_SLOT


class Alarms:
    """All alarms of an episode; `close` writes what runs between the changes."""

    def __init__(self, talk: Talk) -> None:
        self.waiting: list[Alarm] = []
        self._talk = talk
        self._timeline = talk.timeline
        self._next: list[tuple[int, Alarm | None]] = []

    @property
    def first(self) -> Alarm:
        """The one that is due next."""
        return min(self.waiting, key=lambda alarm: alarm.due)

    def set(self, turn: int, *entries: tuple[str, int]) -> list[Alarm]:
        """(text, seconds from now on) of new ones; now is what was decided in `turn`."""
        new = [Alarm(text, turn, turn + 5 * secs - LEAD_TURNS) for text, secs in entries]
        self.waiting += new
        self._announce(NUM_SLOTS * turn + 1, new)
        return new

    def resume(self, text: str, num_seconds: int) -> None:
        """One that was set before the session began, so many seconds before it is due."""
        alarm = Alarm(text, -1, 5 * num_seconds)
        self.waiting.append(alarm)
        self._next.append((0, alarm))

    def cancel(self, turn: int, *alarms: Alarm, slot: int = 1) -> None:
        """These are taken back (all where none is named); the others are told again."""
        dropped = alarms or tuple(self.waiting)
        self._timeline.write("act", [tokens.CANCEL], NUM_SLOTS * turn + slot)
        for alarm in dropped:
            self._end(alarm, turn)
        self._announce(NUM_SLOTS * turn + slot + 1, self.waiting)

    def ring(self) -> None:
        """The next one is due and is said; past the end of the session nothing is."""
        alarm = self.first
        self._end(alarm, alarm.due)
        if alarm.due < self._timeline.num_turns:
            self._timeline.write("act", [tokens.DUE], NUM_SLOTS * alarm.due)
            self._talk.reply(alarm.text, NUM_SLOTS * alarm.due + 1)
        if self.waiting:
            self._announce(NUM_SLOTS * (alarm.due + 1), [self.first])

    def close(self) -> None:
        """Every second: how much is left until the next one."""
        for (turn, alarm), (until, _) in zip(
            self._next, [*self._next[1:], (self._timeline.num_turns, None)], strict=True
        ):
            for second in range(1, (alarm.due - turn) // 5 + 1 if alarm else 0):
                at = alarm.due - 5 * second if alarm else 0
                if turn < at < until:
                    self._timeline.write("act", time_tokens(second), NUM_SLOTS * at)

    def _announce(self, slot: int, alarms: list[Alarm]) -> None:
        """On `act`, the one that is due next at the end."""
        if not self.waiting:
            self._next.append((slot // NUM_SLOTS, None))
            return
        told = [a for a in alarms if a is not self.first]
        for alarm in [*sorted(told, key=lambda a: -a.due), self.first]:
            left = -(-(alarm.due + LEAD_TURNS - slot // NUM_SLOTS) // 5)
            ids = [tokens.TIMER, *time_tokens(left), *self._ids(alarm), tokens.END]
            slot = self._timeline.write("act", ids, slot)
        self._next.append((slot // NUM_SLOTS, self.first))

    def _end(self, alarm: Alarm, turn: int) -> None:
        self.waiting.remove(alarm)
        running = Running(
            tokens.TIMER, alarm.start, turn, alarm.due - alarm.start, self._ids(alarm)
        )
        self._timeline.running.append(running)

    def _ids(self, alarm: Alarm) -> list[int]:
        return self._timeline.tokenizer.encode(alarm.text)


def meanwhile(talk: Talk, until: int, *, over: bool = True) -> None:
    """The user talks of other things until sample `until`, when the model will begin to speak.

    Questions are asked only where the answer is over by then; other talk may run on.
    """
    while True:
        start = talk.cursor + int(talk.uniform(0.3, 1.2) * SECOND)
        if start > until - BEFORE_S * SECOND:
            return
        tag = str(talk.rng.choice(list(MEANWHILE), p=list(MEANWHILE.values())))
        clip = talk.source.user(tag, talk.rng)
        ends = start + int(seconds(clip) * SECOND)
        if tag == "fact":
            answer = talk.source.question(clip.text).answer
            if ends + (1.0 + seconds(talk.source.own(answer))) * SECOND > until:
                continue
            talk.answer(answer, talk.user(clip, start)[1])
        elif (over or ends < until - BEFORE_S * SECOND) and ends < talk.timeline.num_samples:
            talk.user(clip, start)
        else:
            return
