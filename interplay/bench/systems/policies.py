"""The trivial systems that stand beside every number, as what each one does and does not do.

silent         never emits anything
always         talks without end, about nothing; hears nothing
deaf           answers the first request completely, and reacts to nothing afterwards
echo           gives the user's own words and sound back, 0.6 s later; mute between them
metronome      counts aloud, one number every 2 s from 2 s on, whatever happens
immediate      says all that is asked for as soon as it is asked, whenever it was to be said
half_duplex    a flawless turn-taker: knows every word and answer, waits for 0.7 s of silence, then
               needs 0.2 s; never yields, never speaks unasked. What was wanted while it spoke, or
               while the user still spoke, comes when the turn is over
always_yields  the same with barge-in, as turn-taking products have it: any sound of the user stops
               it for good, and any sound that does not stop it is taken for a turn, answered with
               "yes" if nothing is wanted
perfect        knows every word and answer and does all that the item expects, in time
jitter         the same, but what is due at a time comes with a normal error of 0.3 s

Knows nothing of how a policy is carried out (bench.systems.oracle).
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How a trivial system behaves.

    knows: the script of the item, up to the present. babbles: talks all the time. counts: says a
    number every 2 s. echoes: gives the user's sound back. endpoint_s: silence after which it
    believes a turn has ended. reaction_s: from there to its first sound. yields: never, where
    the item expects it, or to any sound. keeps_time: speaks at due times, without being asked
    again, with a normal error of jitter_s (standard deviation). early: what is due later comes at
    once. once: does one duty, the first, and no other. takes_all: answers sounds that want no
    answer.
    """

    knows: bool = True
    babbles: bool = False
    counts: bool = False
    echoes: bool = False
    endpoint_s: float = 0.0
    reaction_s: float = 0.4
    yields: Literal["never", "expected", "always"] = "expected"
    keeps_time: bool = True
    jitter_s: float = 0.0
    early: bool = False
    once: bool = False
    takes_all: bool = False


_TURN_TAKER = {"endpoint_s": 0.7, "reaction_s": 0.2, "keeps_time": False}

POLICIES = {
    "silent": Policy(knows=False),
    "always": Policy(knows=False, babbles=True),
    "deaf": Policy(once=True, yields="never", keeps_time=False),
    "echo": Policy(knows=False, echoes=True),
    "metronome": Policy(knows=False, counts=True),
    "immediate": Policy(early=True),
    "half_duplex": Policy(**_TURN_TAKER, yields="never"),
    "always_yields": Policy(**_TURN_TAKER, yields="always", takes_all=True),
    "perfect": Policy(),
    "jitter": Policy(jitter_s=0.3),
}
