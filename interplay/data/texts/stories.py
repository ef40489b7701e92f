"""Long sentences that ask for nothing: what people tell while they go on and on.

A small grammar; no sentence is one of CueSpeak-open's. Words whose count or mention may be a cue
(animals, colours, numbers, days, cities) are left out, so that a listener who waits for one hears
them only where they were put. Knows nothing of sound or of cues.
"""

import numpy as np


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


SLOTS = {
    "when": _list(
        "this morning|last week|in the evening|after lunch|at noon|before breakfast|last night|"
        "later that day|all afternoon|during the winter|every summer|some years ago"
    ),
    "who": _list(
        "my uncle|our neighbour|the old man|her cousin|the children|my grandmother|a tall stranger|"
        "the shopkeeper|a young woman|his partner|the whole class|my aunt|everybody|nobody|"
        "the people next door|our guide"
    ),
    "did": _list(
        "walked along|waited beside|talked about|looked at|came across|pointed at|ran towards|"
        "laughed about|thought of|sat down near|cleaned|painted|repaired|found|lost|noticed|"
        "carried home|wrote about|dreamed of|asked for"
    ),
    "thing": _list(
        "a kettle|the stairs|the fence|an old bench|a pot of tea|the narrow path|the hills|"
        "a basket full of eggs|the lake|a wooden box|some flowers|the shop|a blanket|the roof|"
        "a bowl of soup|the cellar|a heavy suitcase|the newspaper|a broken lamp|the playground|"
        "a cake|the fountain|a map of the town|the church|the post office"
    ),
    "how": _list(
        "very slowly|without a word|for quite some time|as usual|in a hurry|with great care|"
        "again and again|for half an hour|together|almost by accident|for no reason"
    ),
    "why": _list(
        "because the weather was turning bad|because the shop was closed|since it was getting late|"
        "although nobody had told us|because it had been raining|while the sun went down|"
        "until the lights went out|since everyone was talking at once|"
        "although the road was rather steep|because we had plenty of time|"
        "before the others arrived|while the soup was still boiling|as if it were a game"
    ),
    "link": _list(
        "and then|so|after that|and so|but|in the end|meanwhile|honestly|of course|well|"
        "as i said|and besides"
    ),
    "end": _list(
        "and that was the end of it|which made us all laugh|and i would do it again|"
        "and so we stayed a little longer|but that is another matter|so we took the early ferry|"
        "and it was worth it|and we never heard of it again|which surprised me a lot|"
        "and then we packed our things|so i put on my coat and left|and the street was full again"
    ),
}
TEMPLATES = (
    "{link} {who} {did} {thing} {end}",
    "{link} {who} {did} {thing} {why}",
    "{when} {who} {did} {thing} {how} {why}",
    "{who} {did} {thing} {how} {end}",
    "{when} we {did} {thing} and {who} {did} {thing}",
    "{link} i {did} {thing} {how} {why}",
    "{why} {who} {did} {thing} {how}",
)
_LINKED = ("{link} {who} {did} a", "{when} i {did} the", "{link} we {did} a", "{who} {did} the")


def tell(rng: np.random.Generator) -> str:
    """A sentence of eight to twenty words."""
    return _fill(rng, TEMPLATES)


def lead(rng: np.random.Generator) -> str:
    """The beginning of a sentence that a noun ends."""
    return _fill(rng, _LINKED)


def _fill(rng: np.random.Generator, templates: tuple[str, ...]) -> str:
    words = []
    for word in templates[int(rng.integers(len(templates)))].split():
        pool = SLOTS.get(word.strip("{}"), (word,)) if word[0] == "{" else (word,)
        words.append(pool[int(rng.integers(len(pool)))])
    return " ".join(words)
