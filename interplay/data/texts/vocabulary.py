"""The words of the small models' world, by kind. Knows nothing of sentences or sound.

Homophones of a listed word are left out, so that a transcript has one right spelling.
"""


def _list(text: str, separator: str = " ") -> list[str]:
    return text.split(separator)


NUMBERS = _list(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
DIGITS = NUMBERS[:10]
DAYS = _list("monday tuesday wednesday thursday friday saturday sunday")
COLOURS = _list("red orange yellow green blue purple pink brown black white grey gold silver")

OPPOSITES = (
    "hot cold|big small|up down|left right|yes no|on off|open closed|wet dry|fast slow|"
    "happy sad|young old|light dark|hard soft|loud quiet|full empty|high low|long short|"
    "early late|thick thin|near far|inside outside|push pull|"
    "first last|good bad|clean dirty|sweet sour|smooth rough|win lose|"
    "forward backward|winter summer|north south|always never"
)
OPPOSITE = {}
for _pair in OPPOSITES.split("|"):
    _a, _b = _pair.split()
    OPPOSITE |= {_a: _b, _b: _a}

COLOUR_OF = {
    "grass": "green",
    "sky": "blue",
    "snow": "white",
    "coal": "black",
    "blood": "red",
    "banana": "yellow",
    "lemon": "yellow",
    "carrot": "orange",
    "tomato": "red",
    "chocolate": "brown",
    "elephant": "grey",
    "frog": "green",
    "milk": "white",
    "ocean": "blue",
    "pumpkin": "orange",
    "cherry": "red",
    "cloud": "white",
    "crow": "black",
}

NOUNS = _list(
    "house bird cat dog tree bed apple bottle table chair window door garden river mountain "
    "forest castle bridge market kitchen village island desert station airport hospital library "
    "school theatre museum office factory tower car bus train bicycle boat plane rocket truck "
    "horse rabbit tiger lion monkey eagle spider butterfly mouse chicken sheep fox snake bread "
    "butter cheese sugar pepper honey coffee water juice potato onion sandwich breakfast dinner "
    "doctor teacher farmer writer driver king queen brother sister mother father friend baby "
    "music picture letter number paper pencil camera computer telephone television radio hammer "
    "ladder carpet mirror candle clock watch key button jacket shirt hat umbrella ring finger "
    "summer morning evening night minute hour week month year birthday holiday story question "
    "answer problem dream idea planet moon star thunder rainbow wind fire guitar piano football "
    "marvin sheila visual wow"
)
ADJECTIVES = _list(
    "happy angry tired hungry thirsty busy clever funny brave gentle beautiful wonderful terrible "
    "strange simple heavy golden broken hidden empty perfect dangerous important different "
    "expensive cheap"
)
VERBS = _list(
    "follow learn go stop walk run jump swim dance sing listen remember forget travel carry build "
    "clean buy visit wash open close help watch draw"
)
CITIES = _list(
    "london paris berlin madrid vienna tokyo sydney boston chicago dublin moscow toronto"
)

REMINDERS = _list(
    "breathe|stretch|blink|relax|stand up|sit up|look up|drink water|drink coffee|smile|"
    "breathe out|wash up|turn left|turn right|check the table|watch the clock|"
    "call your mother|open the window|close the door|feed the cat|walk the dog|"
    "clean the kitchen",
    "|",
)
BACKCHANNELS = ("mm hmm", "uh huh", "yeah", "okay", "mm")
CANCELS = ("stop", "stop it", "that is enough", "please stop", "be quiet")
BRIDGE = "let me check"
ACKNOWLEDGE = "okay"
CLOCK_START = ("start the clock", "start counting", "start the timer now")
CLOCK_ASK = ("how long did that take", "how long was that", "how many seconds was that")
REPEAT_ASK = ("what did i say", "what did i just say", "repeat what i said")

CONTENT = tuple(
    dict.fromkeys(
        [*NUMBERS, *DAYS, *COLOURS, *OPPOSITE, *COLOUR_OF, *NOUNS, *ADJECTIVES, *VERBS, *CITIES]
    )
)  # what random strings are drawn from

UNSEEN = _list(
    "pocket helmet bucket ticket magnet cactus walnut pigeon dragon wizard statue "
    "velvet copper marble candy puppet balcony dentist sailor plumber lobster parrot penguin "
    "zebra kangaroo spinach lettuce cabbage parsley vanilla cinnamon compass anchor lantern "
    "saddle feather pebble meadow orchard canyon glacier volcano comet galaxy fabric ribbon "
    "needle thimble hamster ferret badger otter beaver"
)  # never in any training text: for reading words aloud that were never heard
