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
    "would you count my {}",
    "can you count the {} for me",
    "i will do some {} so count them",
    "here come my {} so please count",
    "count along with my {}",
    "count aloud while i do {}",
    "count each of the {}",
    "watch me and count my {}",
    "watch the {} and count them aloud",
    "help me to count my {}",
    "count for me while i do my {}",
    "call out a number for each of the {}",
    "number my {} out loud",
    "count the {} that you see",
    "look at the {} and count them",
    "start counting my {}",
    "i am going to do {} and you count them",
    "keep counting the {} until i am done",
    "say how many {} that makes each time",
    "every time i do one of the {} say the number",
    "now i do {} and you count",
    "let me hear the count of my {}",
)
_ANY_REPS = (
    "please count the reps",
    "count my reps",
    "count every rep aloud",
    "count how often i do this",
    "count out loud how many times i do it",
    "watch me and count the reps",
    "say a number for every repetition",
    "count my repetitions for me",
    "i train now so count my reps",
)
_WORDS = (
    *("friend", "hello", "welcome", "visitor", "someone", "bye"),
    *("doctor", "teacher", "sister", "brother", "king", "coffee", "music", "alarm", "tiger"),
    *("perfect", "door", "people", "company", "attention", "guest"),
)
_ENTER = (
    "say {} when someone comes in",
    "say {} when somebody enters",
    "when a person comes in say {}",
    "say {} when you see someone come in",
    "watch the room and say {} when someone enters",
    "if anybody comes in say {}",
    "say {} each time a person comes in",
    "as soon as someone comes in say {}",
    "tell me {} when somebody walks in",
    "whenever you see a person enter say {}",
    "look out for people and say {} when one comes in",
    "the moment someone walks in say {}",
    "say {} once there is somebody in the room",
    "each time somebody appears say {}",
    "greet everyone who comes in with {}",
    "i want you to say {} when a person enters",
    "please say {} if someone comes through the door",
    "keep an eye on the room and say {} when somebody comes",
    "say the word {} when a person walks in",
)
_LEAVE = (
    "say {} when someone leaves",
    "say {} when somebody goes away",
    "when a person leaves say {}",
    "if a person walks out say {}",
    "when someone goes out say {}",
    "say {} each time a person leaves",
    "as soon as somebody leaves say {}",
    "whenever someone goes away say {}",
    "watch the room and say {} when a person goes out",
    "i want you to say {} when somebody leaves the room",
    "the moment a person walks out say {}",
    "please say {} if somebody goes",
    "say {} once the person is gone",
    "tell them {} when they leave",
    "keep an eye on the room and say {} when someone goes",
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
        "look at my back and tell me to sit up",
        "do not let me slouch",
        "keep an eye on my posture",
        "say something when i do not sit straight",
        "remind me to sit up whenever i slouch",
        "i want to sit straight so warn me",
    ),
    "helmet": (
        "warn me when the helmet comes off",
        "watch the helmet",
        "tell me when someone takes off the helmet",
        "warn them when they take off the helmet",
        "tell them if a helmet comes off",
        "say something when there is no helmet",
        "keep an eye on the helmet",
        "everybody needs a helmet so warn us",
        "remind them when a helmet is missing",
        "make sure that the helmet stays on",
        "speak up when someone has no helmet on",
    ),
    "blade": (
        "warn me when my hand is near the blade",
        "watch my hand at the saw",
        "tell me when a hand gets near the blade",
        "please watch my hands",
        "tell me if my hand gets too near the saw",
        "shout if a hand comes near the blade",
        "keep an eye on my hand",
        "look at the saw and warn me when my hand is close",
        "remind me to keep my hand away from the blade",
        "i work at the saw so watch my hand",
        "speak up when my hand gets close to the saw",
    ),
}
WARNINGS = {"slump": "sit up straight", "helmet": "put your helmet on", "blade": "watch your hand"}
_CHANGE = {
    "counter": (
        "read the counter when it changes",
        "tell me what the counter changes to",
        "say the number on the counter when it changes",
        "watch the counter and tell me the number",
        "read out the new number on the counter",
        "look at the counter and read it out",
        "each time the counter changes say the number",
    ),
    "door": (
        "tell me when the door opens or closes",
        "watch the door and say what it does",
        "say if the door opens or closes",
        "let me know what the door does",
        "look at the door and tell me when it moves",
        "is the door open or closed tell me when it changes",
        "keep an eye on the door and say what happens",
    ),
    "lamp": (
        "tell me which lamp goes on",
        "say the colour of the lamp that goes on",
        "watch the video and say which light goes on",
        "let me know which lamp is on",
        "each time a lamp goes on say its colour",
        "look at the lamps and tell me the colour",
        "name the colour when a lamp lights up",
    ),
    "gauge": (
        "tell me which colour the gauge moves to",
        "watch the gauge and tell me the colour",
        "say the colour when the gauge moves",
        "let me know which colour the gauge shows",
        "keep an eye on the gauge and say its colour",
        "each time the gauge moves name the colour",
        "look at the gauge and tell me where it goes",
    ),
    "light": (
        "tell me when the light goes on or off",
        "say if the light goes on or off",
        "watch the light and say on or off",
        "let me know when the light changes",
        "keep an eye on the light and say what it does",
        "each time the light changes tell me",
        "look at the light and say if it is on or off",
    ),
}
_SHAPE = (
    "tell me which {} shape appears",
    "say which {} shape you see when one appears",
    "stay quiet until a {} shape appears and say which",
    "name the {} shape when you see one",
    "look out for a {} shape and tell me which it is",
    "each time there is a {} shape say its name",
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
    "watch for the {} and say start and stop",
    "when the {} begin say start and when they are over say stop",
    "say start at the first of the {} and stop after the last",
    "tell me start and stop when you see {}",
    "look out for {} and say start and then stop",
)
_OBJECTS = (
    "how many {} do you see",
    "how many {} can you see",
    "how many {} are there",
    "tell me how many {} there are",
    "how many {} are on the table",
    "count the {} on the table",
    "so how many {} do i have here",
    "please count the {} for me",
    "what is the number of {} here",
    "look at the table and tell me how many {} you see",
    "how many {} have i put here",
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
