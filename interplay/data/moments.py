"""Moments at which something has to be said, and drafts of items that are made of them.

A moment hangs on the end of a cue, so it is exact whenever the user's words were synthesised. The
same list drives the oracles (`Item.expect`) and the scorers (`Item.about`). Knows nothing of
benchmark families or of how a moment is scored.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from interplay.data.heldout import duration_s
from interplay.data.item import At, Cue, Expect, Item, Noise, Say, Speak, When

LO_S, HI_S, HI_SHARE = -0.5, 1.5, 0.15
ACK_S = 2.5  # after a request the system may say that it has understood
SPEECH_S = 3.0  # kept free at the end of an item, for the last utterance


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One utterance that is due.

    after, due_s: due so many seconds after the end of this cue. lo_s, hi_s: the window of its
    onset around that time. any: alternatives, each a list of words that must all be said.
    meaning: the same in a sentence, for a judge. fuzzy: an alternative of one word may be a letter
    off. beat: its number in a series of equal beats, from 1 on. again: its cue comes while the
    system should be speaking because of the moment before.
    """

    after: int
    due_s: float
    lo_s: float
    hi_s: float
    any: tuple[tuple[str, ...], ...]
    meaning: str
    fuzzy: bool = False
    beat: int | None = None
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """From so long after the end of a cue until so long after the end of cue `until` (None: until
    the item ends)."""

    after: int
    from_s: float = 0.0
    until: int | None = None
    to_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `Item.about` holds for the scorers of moments.

    probe: index of the moment that decides the one-answer score; None in items that want silence.
    acks: stretches in which an acknowledgement is nobody's business. quiet: stretches in which
    nothing may begin or go on. taken_back: moments that the user has cancelled. gap_s: silence
    that parts two utterances. monologue: the stretch in which the user talks and talks.
    """

    family: str
    moments: tuple[Moment, ...]
    probe: int | None
    acks: tuple[Stretch, ...] = ()
    quiet: tuple[Stretch, ...] = ()
    taken_back: tuple[Moment, ...] = ()
    gap_s: float = 0.5
    monologue: Stretch | None = None

    def about(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)


def plan_of(item: Item) -> Plan:
    """The plan of an item, from its `about`, which may have been through JSON."""
    known = dict(item.about)
    monologue = known.get("monologue")
    return Plan(
        **known
        | {
            "moments": tuple(_moment(value) for value in known["moments"]),
            "taken_back": tuple(_moment(value) for value in known["taken_back"]),
            "acks": tuple(Stretch(**value) for value in known["acks"]),
            "quiet": tuple(Stretch(**value) for value in known["quiet"]),
            "monologue": monologue and Stretch(**monologue),
        }
    )


def _moment(value: Mapping[str, Any]) -> Moment:
    alternatives = tuple(tuple(words) for words in value["any"])
    fields: dict[str, Any] = {**value, "any": alternatives}
    return Moment(**fields)


def window_hi_s(delay_s: float) -> float:
    """How late an onset may be: 1.5 s, or 15 % of a longer wait."""
    return max(HI_S, HI_SHARE * delay_s)


@dataclass(kw_only=True)
class Draft:
    """An item in the making.

    voice: of the user. pace: the time it takes at the most, as a share of what the slowest voice
    takes. ends_s: when the item is over at the latest.
    """

    family: str
    rng: np.random.Generator
    voice: str
    gain_db: float = 0.0
    gap_s: float = 0.5
    pace: float = 1.0
    cues: list[Cue] = field(default_factory=list)
    expect: list[Expect] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    acks: list[Stretch] = field(default_factory=list)
    quiet: list[Stretch] = field(default_factory=list)
    taken_back: list[Moment] = field(default_factory=list)
    monologue: Stretch | None = None
    ends_s: float = 0.0
    _latest_s: list[float] = field(default_factory=list)  # when a cue is over at the latest

    def speak(
        self,
        text: str,
        wait_s: float | None = None,
        *,
        after: int | None = None,
        voice: str = "",
        ack_s: float | None = ACK_S,
    ) -> int:
        """The user says a text `wait_s` after the end of a cue (the last one; the item's start for
        the first), and may be acknowledged for `ack_s`. Returns the index of the cue."""
        cue = len(self.cues) - 1 if after is None else after
        if wait_s is None:
            wait_s = float(self.rng.uniform(0.4, 1.0))
        at = When(seconds=wait_s)
        begins_s = wait_s
        if cue >= 0:
            at = When(seconds=wait_s, after="cue_end", cue=cue)
            begins_s += self._latest_s[cue]
        self.cues.append(Speak(text=text, voice=voice or self.voice, at=at, gain_db=self.gain_db))
        self._latest_s.append(begins_s + self.pace * duration_s(text))
        self.ends_s = max(self.ends_s, self._latest_s[-1])
        index = len(self.cues) - 1
        if ack_s is not None:
            self.acks.append(Stretch(after=index, until=index, to_s=ack_s))
        return index

    def due(
        self,
        text: str,
        after: int,
        due_s: float,
        *,
        delay_s: float | None = None,
        alternatives: tuple[tuple[str, ...], ...] = (),
        fuzzy: bool = False,
        beat: int | None = None,
        window_s: tuple[float, float] | None = None,
        reply: bool = False,
        again: bool = False,
        onset_s: float | None = None,
    ) -> int:
        """Something is due; returns the index of the moment.

        delay_s: what the window grows with, if not `due_s`. window_s: the window, if another.
        reply: it answers a cue, so that turn-takers say it too. onset_s: when the perfect oracle
        begins after the cue, if not when due.
        """
        lo_s, hi_s = window_s or (LO_S, window_hi_s(due_s if delay_s is None else delay_s))
        moment = Moment(
            after=after,
            due_s=due_s,
            lo_s=lo_s,
            hi_s=hi_s,
            any=alternatives or (tuple(text.split()),),
            meaning=text,
            fuzzy=fuzzy,
            beat=beat,
            again=again,
        )
        self.moments.append(moment)
        if reply:
            self.expect.append(Say(text=(text,), after=after, within_s=hi_s))
        else:
            at_s = due_s if onset_s is None else onset_s
            self.expect.append(At(text=(text,), after=after, due_s=at_s))
        self.ends_s = max(self.ends_s, self._latest_s[after] + due_s + hi_s + SPEECH_S)
        return len(self.moments) - 1

    def latest_s(self, cue: int) -> float:
        """When a cue is over at the latest."""
        return self._latest_s[cue]

    def take_back(
        self, text: str, after: int, due_s: float, *, delay_s: float | None = None
    ) -> None:
        """Something that was due is not any more."""
        moment = Moment(
            after=after,
            due_s=due_s,
            lo_s=LO_S,
            hi_s=window_hi_s(due_s if delay_s is None else delay_s),
            any=(tuple(text.split()),),
            meaning=text,
        )
        self.taken_back.append(moment)
        self.ends_s = max(self.ends_s, self._latest_s[after] + due_s + moment.hi_s)

    def item(self, kind: str, seed: int, probe: int | None, tail_s: float = 0.0) -> Item:
        """The finished item; `tail_s` more at its end."""
        plan = Plan(
            family=self.family,
            moments=tuple(self.moments),
            probe=probe,
            acks=tuple(self.acks),
            quiet=tuple(self.quiet),
            taken_back=tuple(self.taken_back),
            gap_s=self.gap_s,
            monologue=self.monologue,
        )
        noise = Noise(level_db=float(self.rng.uniform(-65, -50)))
        return Item(
            kind=kind,
            seed=seed,
            length_s=math.ceil((self.ends_s + tail_s) * 5) / 5,
            cues=(*self.cues, noise),
            expect=tuple(self.expect),
            first_turn=int(self.rng.integers(300)),
            subset=self.family,
            about=plan.about(),
        )
