"""The families of behaviour that sessions are composed of, and how often each is drawn.

A family is a function that takes a `Talk` and writes one exchange from `talk.cursor` on, with
exactly what the model should do, or returns False when what it drew does not fit into what is
left. All draw their texts from the training split. Knows nothing of batches.
"""

from collections.abc import Callable

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
_GROUPS = {  # shares of the exchanges; a cue or an alarm takes four times as long as a question
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
BEHAVIOURS = {name: share for group in _GROUPS.values() for name, share in group.items()}
_TALK = ("listening", "reading", "conversation")
# what the suite `core` asks for, and three times as many strings of any words: with fewer, ears
# come to expect requests (docs/log.md)
CORE = {
    **{name: share for group in _TALK for name, share in _GROUPS[group].items()},
    **{"listen": 21, "duet": 15, "story": 0},
    **{"timer": 8, "every": 6, "stopwatch": 4, "delegate": 7},
}
EYES = {
    **{"count_reps": 0.3, "entering": 0.12, "leaving": 0.05, "warn": 0.12, "changes": 0.16},
    **{"start_stop": 0.1, "count_objects": 0.07, "looking_on": 0.08},
}
