"""What people want to be told later: that the soup is ready, that it is their turn, that the bus
leaves.

A small grammar of everyday things, most of them in no other text of the training: who asks for a
reminder uses the words of a kitchen, a street or a day off, and they must be heard and spoken. The
sentences of TimeSpeak-open are left out. Knows nothing of sound or of how it is asked for.
"""

import numpy as np

HELD_OUT = frozenset(
    (
        *("the kettle is ready", "dinner is on the table", "the train is leaving"),
        *("it is your turn", "the egg is done", "the break is over"),
    )
)


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


CLAUSES: tuple[tuple[str, dict[str, tuple[str, ...]]], ...] = (
    (
        "the {a} {b}",
        {
            "a": _list("kettle|egg|soup|cake|pizza|rice|tea|pasta|bread|chicken|fish|oven|coffee"),
            "b": _list("is ready|is done|is too hot|is getting cold|is boiling|is burning"),
        },
    ),
    (
        "the {a} {b}",
        {
            "a": _list("train|bus|taxi|plane|boat|ferry|car|tram"),
            "b": _list("is leaving|is waiting|is late|is here|has left|leaves soon"),
        },
    ),
    (
        "the {a} {b}",
        {
            "a": _list("break|game|film|lesson|meeting|school|match|show|party|test|music|holiday"),
            "b": _list("is over|begins now|is starting|ends soon|has begun"),
        },
    ),
    (
        "{a} {b}",
        {
            "a": _list("dinner|lunch|breakfast|supper|the tea|the cake|the mail|your plate"),
            "b": _list("is on the table|is waiting|is served|is for you"),
        },
    ),
    (
        "it is {a} {b}",
        {
            "a": _list("your|my|her|his|our|their"),
            "b": _list("turn|move|birthday|call|shift|day off|song"),
        },
    ),
    (
        "it is time {a} {b}",
        {
            "a": _list("to|for us to|for me to"),
            "b": _list("go|eat|leave|sleep|get up|call home|take a break|start cooking"),
        },
    ),
    (
        "{a} {b}",
        {
            "a": _list("we have to|you should|i have to|you must"),
            "b": _list(
                "leave|call home|take a pill|turn off the oven|get the mail|feed the dog|"
                "take the cake out|lock the door|buy some eggs|charge the phone"
            ),
        },
    ),
)


def draw(rng: np.random.Generator) -> str:
    """One that no bench asks for."""
    while (text := _any(rng)) in HELD_OUT:
        pass
    return text


def _any(rng: np.random.Generator) -> str:
    form, slots = CLAUSES[int(rng.integers(len(CLAUSES)))]
    return form.format(**{k: pool[int(rng.integers(len(pool)))] for k, pool in slots.items()})
