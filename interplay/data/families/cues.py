"""Speaking on a cue, over a user who goes on talking; and staying quiet where there is none.

A cue is named on `act` before it is answered, `<due> cue <text> answer <end>`: the answer is then
the newest text there, whatever else was agreed. Knows nothing of what the rules wait for.
"""

from collections.abc import Sequence

from interplay.clock import NUM_SLOTS
from interplay.data.bank import Clip
from interplay.data.families.clockwork import decided_turn, put
from interplay.data.families.rules import Count, Reply, Rule, agreement
from interplay.data.talk import SECOND, Talk, seconds
from interplay.data.texts import vocabulary as words
from interplay.data.timeline import Spoken, Standing
from interplay.turns import tokens

SHARES = {  # of the kinds of requests
    **{"cue": 0.34, "correct": 0.17, "count_word": 0.07, "count_kind": 0.04, "named": 0.08},
    **{"count_quietly": 0.04, "category": 0.08, "filler": 0.06, "foreign_rule": 0.08},
    **{"last_word": 0.04},
}
CUE_RATE, NEAR_RATE = 0.5, 0.15  # of the pieces of a turn
TOGETHER = ("cue", "category", "filler")  # rules that may be agreed beside another one
SECOND_RATE = 0.2
FILLERS = {"tell": 0.25, "everyday": 0.3, "mention": 0.2, "listen": 0.1, "statement": 0.15}
REPLY_S = 1.9  # from the end of a cue to the end of its reply, about
TURN_S = (4.0, 16.0)  # how long the user talks on who then takes it back


def cue(talk: Talk) -> bool:
    """A rule or two are agreed; the user talks on, with cues and without, until it is taken back
    or the session ends."""
    tags = [str(talk.rng.choice(list(SHARES), p=list(SHARES.values())))]
    if tags[0] == "cue" and talk.rng.random() < SECOND_RATE:
        tags.append(str(talk.rng.choice(TOGETHER)))
    asked = [talk.source.user(tag, talk.rng) for tag in tags]
    if not talk.fits(sum(seconds(clip) + 1.2 for clip in asked) + 6.0):
        return False
    agreed = [agreement(tag, clip.text) for tag, clip in zip(tags, asked, strict=True)]
    rules = [each.make(talk.timeline.tokenizer.encode) for each in agreed]
    begun = 0
    for clip, each, rule in zip(asked, agreed, rules, strict=True):
        end = put(talk, clip, each.marks)
        begun = decided_turn(end)
        talk.timeline.write("act", rule.ids, NUM_SLOTS * begun + 1)
        talk.answer(words.ACKNOWLEDGE, end)
        talk.rest(0.4, 1.0)
    talk.rest(0.0, 1.2)
    turn = Turn(talk, rules, begun)
    is_asked = agreed[0].ask_at_end
    room_s = 5.0 if is_asked or talk.rng.random() < 0.6 else 0.0
    turn.go_on(room_s, talk.uniform(*TURN_S) if room_s else talk.timeline.num_samples / SECOND)
    stopped = _close(talk, rules, is_asked) if room_s else talk.timeline.num_turns
    turn.close(stopped)
    if not room_s:
        talk.cursor = talk.timeline.num_samples
    return True


def _close(talk: Talk, rules: Sequence[Rule], is_asked: bool) -> int:
    """The user asks for the number, or wants no more; then cues mean nothing. Returns when."""
    talk.rest(0.4, 0.9)
    clip = talk.source.user("how_many" if is_asked else "cues_off", talk.rng)
    end = talk.user(clip)[1]
    decided = decided_turn(end)
    talk.timeline.write("act", [tokens.CANCEL], NUM_SLOTS * decided + 1)
    count = rules[0]
    if is_asked and isinstance(count, Count):
        talk.answer(words.NUMBERS[count.number], end)
    else:
        talk.answer(words.ACKNOWLEDGE, end)
    if not is_asked and talk.rng.random() < 0.5:
        talk.rest(0.4, 1.0)
        clip = rules[0].draw(talk.source, talk.rng)
        if clip and talk.fits(seconds(clip) + 0.6):
            talk.user(clip)
    return decided


class Turn:
    """One long turn of the user in pieces without a pause, and what the model says into it."""

    def __init__(self, talk: Talk, rules: Sequence[Rule], begun: int) -> None:
        self.talk, self.rules = talk, rules
        self.spoken: Spoken | None = None
        self.standing = {id(rule): Standing(begun, begun, rule.ids[:-1]) for rule in rules}

    def go_on(self, room_s: float, length_s: float) -> None:
        """Pieces for so long, or until only `room_s` seconds are left; the last has no cue."""
        talk = self.talk
        until = talk.cursor + length_s * SECOND
        while talk.cursor < until:
            clip = self._piece()
            if not talk.fits(seconds(clip) + room_s + REPLY_S):
                break
            start = talk.cursor
            talk.user(clip)
            for place, rule in self._found(clip.text):
                self._reply(rule, clip, place, start)
            talk.rest(0.02, 0.1 if talk.rng.random() < 0.8 else 0.28)
        last = self._filler()
        if talk.fits(seconds(last) + room_s):
            talk.user(last)
        if self.spoken:
            talk.cursor = max(talk.cursor, self.spoken.ends)

    def _piece(self) -> Clip:
        rng, source = self.talk.rng, self.talk.source
        rule, kind = self.rules[int(rng.integers(len(self.rules)))], rng.random()
        clip = None
        if kind < CUE_RATE:
            clip = rule.draw(source, rng)
        elif kind < CUE_RATE + NEAR_RATE:
            clip = rule.near(source, rng)
        return clip or self._filler()

    def _filler(self) -> Clip:
        """Talk without a cue."""
        talk = self.talk
        while True:
            tag = str(talk.rng.choice(list(FILLERS), p=list(FILLERS.values())))
            clip = talk.source.user_where(tag, talk.rng, lambda text: not self._found(text))
            if clip:
                return clip

    def _found(self, text: str) -> list[tuple[int, Rule]]:
        return sorted(
            ((place, rule) for rule in self.rules for place in rule.found(text)),
            key=lambda pair: pair[0],
        )

    def _reply(self, rule: Rule, clip: Clip, place: int, start: int) -> None:
        """`<due>`, which cue, what is said; it is said when the first of it stands on `act`."""
        timeline = self.talk.timeline
        _, _, end_s = clip.words[place]
        decided = decided_turn(start + int(end_s * SECOND))
        slot = timeline.heard_by[place]  # not before: what is not written yet cannot be compared
        reply = rule.reply(clip.text, place)
        if reply.text and self.spoken:
            slot = max(slot, self.spoken.last - len(reply.before))
        self._write(reply, slot)
        if rule.ids[:-1] != self.standing[id(rule)].ids:
            self._tell(rule, decided)

    def _write(self, reply: Reply, slot: int) -> None:
        talk, timeline = self.talk, self.talk.timeline
        if not reply.text:
            timeline.write("act", reply.before, slot)
            return
        said = [] if reply.is_number else timeline.tokenizer.encode(reply.text)
        timeline.write("act", [tokens.DUE, *reply.before, *said, tokens.END], slot)
        ready = slot + 1 + len(reply.before) + (not reply.is_number)
        self.spoken = timeline.speak(talk.source.own(reply.text), ready)

    def _tell(self, rule: Rule, turn: int) -> None:
        """From micro-turn `turn` on the notes tell the rule as it is now."""
        old = self.standing[id(rule)]
        old.stop = turn
        self.talk.timeline.running.append(old)
        self.standing[id(rule)] = Standing(turn, turn, rule.ids[:-1])

    def close(self, turn: int) -> None:
        """In micro-turn `turn` all rules end."""
        for rule in self.rules:
            self._tell(rule, turn)
