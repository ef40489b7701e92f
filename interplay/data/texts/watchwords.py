"""What users ask of the camera and what is said to them, as text. Knows nothing of pictures.

Official instructions of benchmarks are not among the texts: their words occur, in other sentences.
"""

from dataclasses import dataclass

from interplay.data.scenes import action, events, objects, reps
from interplay.data.texts.questions import split_of
from interplay.data.texts.vocabulary import NUMBERS

EYES_TAGS = ("reps", "enter", "leave", "warn", "change", "action", "objects")


@dataclass(frozen=True, kw_only=True)
class Ask:
    """tag: one of EYES_TAGS. about: what to look for, a kind of its scene; "" for any. word: what
    to say, where the user chooses it; of shapes the colour that is asked for."""

    text: str
    tag: str
    about: str = ""
    word: str = ""


_REPS = (
    "count my {}",
    "count the {}",
    "count out the {}",
    "count my {} aloud",
    "please count the {}",
    "please count my {} out loud",
    "count the reps for my {}",
    "keep count of my {}",
    "tell me how many {} i do",
    "say a number for each of my {}",
)
_ANY_REPS = ("please count the reps", "count my reps", "count every rep aloud")
_WORDS = ("friend", "hello", "welcome", "visitor", "someone", "bye")
_ENTER = (
    "say {} when someone comes in",
    "say {} when somebody enters",
    "when a person comes in say {}",
    "say {} when you see someone come in",
    "watch the room and say {} when someone enters",
    "if anybody comes in say {}",
    "say {} each time a person comes in",
)
_LEAVE = (
    "say {} when someone leaves",
    "say {} when somebody goes away",
    "when a person leaves say {}",
    "if a person walks out say {}",
    "when someone goes out say {}",
)
_WARN = {
    "slump": (
        "tell me when i slouch",
        "warn me when i slouch",
        "watch my posture",
        "please watch my posture",
        "tell me to sit up when i slouch",
        "help me to sit up straight",
        "tell me if i start to slouch",
    ),
    "helmet": (
        "warn me when the helmet comes off",
        "watch the helmet",
        "tell me when someone takes off the helmet",
        "warn them when they take off the helmet",
        "tell them if a helmet comes off",
        "say something when there is no helmet",
    ),
    "blade": (
        "warn me when my hand is near the blade",
        "watch my hand at the saw",
        "tell me when a hand gets near the blade",
        "please watch my hands",
        "tell me if my hand gets too near the saw",
        "shout if a hand comes near the blade",
    ),
}
WARNINGS = {"slump": "sit up straight", "helmet": "put your helmet on", "blade": "watch your hand"}
_CHANGE = {
    "counter": (
        "read the counter when it changes",
        "tell me what the counter changes to",
        "say the number on the counter when it changes",
        "watch the counter and tell me the number",
    ),
    "door": (
        "tell me when the door opens or closes",
        "watch the door and say what it does",
        "say if the door opens or closes",
        "let me know what the door does",
    ),
    "lamp": (
        "tell me which lamp goes on",
        "say the colour of the lamp that goes on",
        "watch the video and say which light goes on",
        "let me know which lamp is on",
    ),
    "gauge": (
        "tell me which colour the gauge moves to",
        "watch the gauge and tell me the colour",
        "say the colour when the gauge moves",
        "let me know which colour the gauge shows",
    ),
    "light": (
        "tell me when the light goes on or off",
        "say if the light goes on or off",
        "watch the light and say on or off",
        "let me know when the light changes",
    ),
}
_SHAPE = (
    "tell me which {} shape appears",
    "say which {} shape you see when one appears",
    "stay quiet until a {} shape appears and say which",
)
CHANGES = {
    "door": {"open": "the door opens", "closed": "the door closes"},
    "light": {"on": "the light goes on", "off": "the light goes off"},
}  # other kinds are told by what they change to
START, STOP = "start", "stop"
_ACTION = (
    "say start when i start the {} and stop when i stop",
    "say start when they begin {} and say stop when they stop",
    "tell me when the {} start and stop",
    "say start and stop for the {}",
    "tell me when {} begin and when they end",
    "say start as soon as i do {} and stop at the end",
)
_OBJECTS = (
    "how many {} do you see",
    "how many {} can you see",
    "how many {} are there",
    "tell me how many {} there are",
    "how many {} are on the table",
    "count the {} on the table",
    "so how many {} do i have here",
)


def _asks() -> list[Ask]:
    found = [Ask(text=text, tag="reps") for text in _ANY_REPS]
    found += [
        Ask(text=text.format(name), tag="reps", about=kind)
        for text in _REPS
        for kind, name in reps.KINDS.items()
    ]
    for tag, texts in (("enter", _ENTER), ("leave", _LEAVE)):
        found += [Ask(text=t.format(w), tag=tag, word=w) for t in texts for w in _WORDS]
    found += [Ask(text=t, tag="warn", about=k) for k, texts in _WARN.items() for t in texts]
    found += [Ask(text=t, tag="change", about=k) for k, texts in _CHANGE.items() for t in texts]
    found += [
        Ask(text=text.format(colour), tag="change", about="shape", word=colour)
        for text in _SHAPE
        for colour in events.SHADES
    ]
    for tag, texts, kinds in (
        ("action", _ACTION, action.KINDS),
        ("objects", _OBJECTS, objects.KINDS),
    ):
        found += [
            Ask(text=text.format(name), tag=tag, about=kind)
            for text in texts
            for kind, name in kinds.items()
        ]
    return found


ASKS: dict[str, Ask] = {ask.text: ask for ask in _asks()}


def training_asks(tag: str) -> list[str]:
    """Texts of a kind that may be trained on."""
    return [ask.text for ask in ASKS.values() if ask.tag == tag and split_of(ask.text) == "train"]


def tell(kind: str, what: str) -> str:
    """What is said when something of a kind (scenes.events) changes to `what`."""
    if kind == "counter":
        return NUMBERS[int(what)]
    return CHANGES.get(kind, {}).get(what, what)


def replies() -> list[str]:
    """Everything that is said about what is seen."""
    told = [tell(kind, what) for kind in events.KINDS for what in events.choices(kind)]
    return [*NUMBERS[: reps.COUNTS[1] + 1], *_WORDS, *WARNINGS.values(), *told, START, STOP]
