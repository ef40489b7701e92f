"""What the monologues of CueSpeak-open are made of: tables of words, facts and small talk.

Knows nothing of items or time. All texts can be spoken by `data.speech`.
"""

KEYWORDS = (
    ("banana", "yellow"),
    ("window", "open"),
    ("coffee", "sugar"),
    ("doctor", "apple"),
    ("rabbit", "carrot"),
    ("river", "water"),
    ("candle", "fire"),
    ("umbrella", "rain"),
    ("guitar", "music"),
    ("castle", "king"),
)
NEAR_MISS = {
    "banana": ("bandana", "cabana", "havana"),
    "window": ("widow", "winter", "winner"),
    "coffee": ("coffin", "copy", "toffee"),
    "doctor": ("docket", "factor", "tractor"),
    "rabbit": ("rapid", "robin", "habit"),
    "river": ("liver", "rivet", "shiver"),
    "candle": ("handle", "camel", "sandal"),
    "umbrella": ("ambulance", "cinderella", "gorilla"),
    "guitar": ("cigar", "catarrh", "glitter"),
    "castle": ("cattle", "parcel", "casting"),
}  # close in sound, never the word itself

FOREIGN = {
    "de": (
        *(("brot", "bread"), ("hund", "dog"), ("katze", "cat"), ("wasser", "water")),
        *(("baum", "tree"), ("apfel", "apple"), ("vogel", "bird"), ("milch", "milk")),
        *(("schwester", "sister"), ("fenster", "window"), ("buch", "book"), ("sonne", "sun")),
    ),
    "es": (
        *(("perro", "dog"), ("gato", "cat"), ("mesa", "table"), ("leche", "milk")),
        *(("manzana", "apple"), ("escuela", "school"), ("ventana", "window"), ("puerta", "door")),
        *(("hermano", "brother"), ("luna", "moon"), ("ciudad", "city"), ("mano", "hand")),
    ),
    "it": (
        *(("gatto", "cat"), ("acqua", "water"), ("tavolo", "table"), ("latte", "milk")),
        *(("scuola", "school"), ("finestra", "window"), ("porta", "door"), ("luna", "moon")),
        *(("fratello", "brother"), ("cavallo", "horse"), ("fuoco", "fire"), ("mela", "apple")),
    ),
}
LANGUAGE = {"de": "german", "es": "spanish", "it": "italian"}
PHRASES = {
    "de": (
        ("der hund ist rot", "the dog is red", ("dog", "red")),
        ("das haus ist alt", "the house is old", ("house", "old")),
        ("die katze trinkt milch", "the cat drinks milk", ("cat", "milk")),
        ("ich habe hunger", "i am hungry", ("hungry",)),
        ("das wasser ist kalt", "the water is cold", ("water", "cold")),
        ("mein bruder ist krank", "my brother is ill", ("brother",)),
    ),
    "es": (
        ("mi perro es malo", "my dog is bad", ("dog", "bad")),
        ("la casa es roja", "the house is red", ("house", "red")),
        ("mi mesa es alta", "my table is high", ("table", "high")),
        ("la puerta es roja", "the door is red", ("door", "red")),
        ("mi hermano canta", "my brother sings", ("brother",)),
        ("la luna es roja", "the moon is red", ("moon", "red")),
    ),
}  # said in the foreign voice; what it means; words that have to come

FACTS = (
    ("the capital of france is", "paris", ("lyon", "london", "madrid")),
    ("the capital of germany is", "berlin", ("munich", "vienna", "hamburg")),
    ("the capital of spain is", "madrid", ("barcelona", "london", "paris")),
    ("the capital of austria is", "vienna", ("berlin", "salzburg")),
    ("the capital of japan is", "tokyo", ("kyoto", "sydney")),
    ("the capital of russia is", "moscow", ("london", "vienna")),
    ("the capital of ireland is", "dublin", ("london", "boston")),
    ("the colour of grass is", "green", ("purple", "orange", "pink")),
    ("the colour of snow is", "white", ("black", "brown", "purple")),
    ("the colour of a lemon is", "yellow", ("blue", "grey", "purple")),
    ("the opposite of hot is", "cold", ("wet", "loud", "small")),
    ("the opposite of big is", "small", ("red", "fast", "empty")),
    ("the day after monday is", "tuesday", ("friday", "sunday")),
    ("the day after friday is", "saturday", ("monday", "thursday")),
)
NAMES = (
    *("martin", "helen", "robert", "laura", "thomas", "emma", "oliver", "sarah", "victor", "nina"),
)
KIN = ("sister", "brother", "teacher", "neighbour", "doctor", "dentist")
EVENT_WORDS = ("banana", "window", "elephant", "holiday", "umbrella", "piano")  # TimeSpeak-open
COUNTED = ("cat", "horse", "bridge", "garden", "kitchen", "letter", "picture", "market")

STORIES = (
    "i have a story with {s} in it so say their number so far each time one comes",
    "keep a running count of the {s} and say it while i go on",
)
QUIETLY = (
    "keep the number of {s} in mind and say nothing until i want to know it",
    "note silently each of the {s} that i talk about because i will want their number",
)
ASKED = ("what is the number of {s}", "now give me the number of {s}")
CATEGORIES = (
    "whenever {c} comes up in my talk say {a}",
    "listen for {c} and each time reply {a}",
)

# Openings that a cue word closes, and talk without any cue that goes on after it.
OPENINGS = (
    "in the afternoon we came across a",
    "then my friend began to talk about the",
    "after that somebody pointed at the",
    "on the way home i thought of the",
    "nobody in the room had ever seen a",
    "all that i can remember now is the",
    "at the end of the road there was a",
    "my mother always wanted to have a",
)
FILLERS = (
    "which made everybody laugh for quite some time because it had been so quiet before",
    "and we kept walking along the narrow path until the sun went down behind the hills",
    "so i sat down on the old wooden bench and waited there for nearly half an hour",
    "while the children were running up and down the stairs and shouting at each other",
    "but the weather was turning bad again and most people had already gone back to town",
    "because nobody had told us that the shop would be closed for the rest of the week",
    "and that is the reason why we took the early bus and arrived long before the others",
    "although it was late we stayed a little longer and talked about our plans for summer",
    "then we packed our things and carried all of them to the small house near the lake",
    "and honestly i would do the same thing again if somebody asked me to come along",
    "since it was getting cold we put on our coats and made a pot of tea for everybody",
    "and by the time we reached the village the whole street was full of people singing",
)  # 15 to 16 words: three seconds and more, even in a fast voice
