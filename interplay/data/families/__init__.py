"""The families of behaviour that sessions are composed of, and how often each is drawn.

A family is a function that takes a `Talk` and writes one exchange from `talk.cursor` on, with
exactly what the model should do, or returns False when what it drew does not fit into what is
left; `fill` does so until a session is full. All draw their texts from the training split. Knows
nothing of batches.
"""

from collections.abc import Callable, Mapping

import numpy as np

from interplay.data.families import (
    alarms,
    beats,
    clocks,
    conversation,
    cues,
    delegation,
    eyes,
    interpreting,
    listening,
    nodding,
    reading,
    refusal,
    timers,
)
from interplay.data.talk import Talk

Family = Callable[[Talk], bool]
MAX_MISSES = 6  # families in a row that do not fit into what is left of a session

FAMILIES: dict[str, Family] = {
    family.__name__: family
    for family in (
        *(listening.listen, listening.people, listening.question),
        *(listening.say_after_me, listening.repeat),
        *(reading.read_aloud, reading.duet, reading.typed_question),
        *(conversation.recite, conversation.false_start, conversation.hesitation),
        *(conversation.aside, conversation.others, conversation.noise_only, nodding.story),
        *(timers.timer, timers.every, timers.stopwatch, alarms.once, alarms.running, alarms.two),
        *(alarms.changed, alarms.event, alarms.after_talk, beats.beat, beats.times, beats.in_turn),
        *(beats.count_down, clocks.talked, clocks.longer, cues.cue, delegation.delegate),
        interpreting.translate,
        *(delegation.called, delegation.late, delegation.in_pieces, delegation.dropped),
        *(delegation.failed, refusal.deed, refusal.secret),
        *(eyes.count_reps, eyes.entering, eyes.leaving, eyes.warn, eyes.changes),
        *(eyes.start_stop, eyes.count_objects, eyes.looking_on),
    )
}

LISTENING = {"duet": 0.58, "listen": 0.08, "people": 0.14, "question": 0.12, "say_after_me": 0.08}
GROUPS = {  # shares of the exchanges; a cue or an alarm takes four times as long as a question
    "listening": {
        **{"listen": 7, "people": 10, "question": 13, "say_after_me": 3, "repeat": 3},
    },
    "reading": {"read_aloud": 4, "typed_question": 2, "duet": 5},
    "conversation": {
        **{"recite": 9, "false_start": 3, "hesitation": 1.5, "aside": 2.5, "others": 4},
        **{"noise_only": 1.5, "story": 3},
    },
    "time": {
        **{"timer": 3, "every": 2, "stopwatch": 3, "once": 7, "running": 2, "two": 3},
        **{"changed": 3, "event": 2, "after_talk": 1, "beat": 4, "times": 1, "in_turn": 2},
        **{"count_down": 2, "talked": 1.5, "longer": 1},
    },
    "cues": {"cue": 17},
    "translation": {"translate": 6},
    "delegation": {
        **{"delegate": 3, "called": 3.5, "late": 2, "in_pieces": 1.5, "dropped": 1},
        **{"failed": 1},
    },
    "refusal": {"deed": 1.5, "secret": 1.5},
}
BEHAVIOURS = {name: share for group in GROUPS.values() for name, share in group.items()}
_TALK = ("listening", "reading", "conversation")
# what the suite `core` asks for, and three times as many strings of any words: with fewer, ears
# come to expect requests; and recordings of people, each a word, three times as often, for what was
# seen of them was not even known afterwards (docs/log.md)
CORE = {
    **{name: share for group in _TALK for name, share in GROUPS[group].items()},
    **{"listen": 21, "duet": 15, "people": 30, "story": 0},
    **{"timer": 8, "every": 6, "stopwatch": 4, "delegate": 7},
}
# what it does not ask for, and a little of what it does; what takes long fits into few sessions and
# is drawn the more often
NEWER = {
    **{name: 0.2 * share for name, share in CORE.items()},
    **{"once": 6, "running": 2, "two": 3, "changed": 4, "event": 4, "after_talk": 1, "beat": 2.5},
    **{"times": 1, "in_turn": 2.5, "count_down": 1.5, "talked": 1, "longer": 1, "cue": 13},
    **{"called": 4, "late": 2, "in_pieces": 1.2, "dropped": 1.2, "failed": 1.2, "deed": 4},
    **{"secret": 4, "story": 2, "duet": 0.5, "translate": 6},
}
# The same with more of the families in which people talk most of the time, from which ears learn
# twice as much in a session, and of those that the model is interrupted in.
DENSE = {
    **NEWER,
    **{"translate": 16, "story": 7, "duet": 4, "recite": 5, "false_start": 1.5, "listen": 6},
}
# The same with more of what is asked for in many ways and takes its time: alarms, beats, cues.
ASKED = {
    **DENSE,
    **{"once": 9, "two": 4, "event": 5, "after_talk": 1.5, "beat": 4, "times": 1.5, "cue": 18},
    **{"question": 4, "translate": 18},
}
EYES = {
    **{"count_reps": 0.3, "entering": 0.12, "leaving": 0.05, "warn": 0.12, "changes": 0.16},
    **{"start_stop": 0.1, "count_objects": 0.07, "looking_on": 0.08},
}
# The same with fewer films in which nothing is asked for or only once.
SEEN = {**EYES, "count_reps": 0.33, "leaving": 0.11, "count_objects": 0.06, "looking_on": 0.06}
# Without a sound (data.rehearsal): what hangs on sound alone is not among them. Cues, calls,
# refusals and what foreign words mean gain most by it; alarms take their time all the same.
REHEARSED = {
    **{"cue": 13, "once": 4, "two": 2.5, "changed": 4, "event": 1.5, "after_talk": 0.6},
    **{"beat": 0.8, "times": 0.6, "in_turn": 1, "count_down": 1.2, "longer": 0.3, "called": 6},
    **{"late": 1.2, "in_pieces": 1, "dropped": 1, "failed": 0.8, "deed": 6, "secret": 5},
    "translate": 16,
}


def fill(talk: Talk, mix: Mapping[str, float]) -> None:
    """Exchanges of the families in `mix`, drawn by share, until no more fit."""
    names, shares = list(mix), np.array(list(mix.values()))
    misses = 0
    while misses < MAX_MISSES and talk.fits(1.0):
        name = str(talk.rng.choice(names, p=shares / shares.sum()))
        misses = 0 if FAMILIES[name](talk) else misses + 1
        if talk.rng.random() < 0.8:
            talk.rest(0.3, 0.8)
        else:
            talk.rest(0.8, 2.5)
