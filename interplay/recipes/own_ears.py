"""A model's own voice as a user's, so that its ears know it: from its echo, from others like it.

The model reads texts aloud, as it does in a session, and what is heard of it is kept in an
utterance bank. Knows nothing of how sessions are composed of such a bank.
"""

from pathlib import Path

from rich.progress import Progress

from interplay.bench.listening.recognisers import utterance_sounds
from interplay.bench.playing.logical_clock import play
from interplay.bench.systems.local import LocalSystem
from interplay.bench.traces.trace import Trace
from interplay.data import heldout
from interplay.data.bank import SHARD_SIZE, Bank, Request, add_shard
from interplay.data.item import Item, Type
from interplay.data.speech import Utterance, aligned, synthesize
from interplay.data.voices import MODEL_VOICE, OWN_VOICE
from interplay.errors import SynthError
from interplay.model.checkpoint import Loaded

TAG = "listen"  # random words, to which nobody has to say anything


def add_own_voice(path: Path, loaded: Loaded, num_wanted: int, *, seed: int = 0) -> None:
    """Into the bank at `path`: `num_wanted` texts of the training split as `loaded` reads them
    aloud, for users to say; shard by shard, and what is there already is kept. What it says
    otherwise than it should, or too unclearly to be aligned, is left out.

    Raises SynthError where what aligns is not installed.
    """
    voice = f"{MODEL_VOICE}{loaded.facts.get('name', 'model')}"
    aligned(synthesize("hello", OWN_VOICE).samples, "hello", voice, "own")  # is all installed?
    bank = Bank.open(path)
    there = {bank.text(index) for index in bank.find(voice=voice)}
    items = [
        item
        for item in heldout.items("read_aloud", num_wanted, seed, split="train")
        if _text(item) not in there
    ]
    system = LocalSystem(loaded, name="its own voice", seed=seed)
    with Progress() as progress:
        bar = progress.add_task("own voice as a user's", total=len(items))
        for first in range(0, len(items), SHARD_SIZE):
            said: list[Utterance] = []
            for trace in play(items[first : first + SHARD_SIZE], system, synthesize):
                said += _utterances(trace, voice)
                progress.advance(bar)
            if said:
                requests = [Request(text=u.text, voice=voice, tag=TAG) for u in said]
                add_shard(path, requests, said)


def _text(item: Item) -> str:
    """What is to be read."""
    return " ".join(cue.text for cue in item.cues if isinstance(cue, Type))


def _utterances(trace: Trace, voice: str) -> list[Utterance]:
    """What was said, if it is one utterance of the words wanted."""
    text, sounds = _text(trace.item), utterance_sounds(trace)
    if len(sounds) != 1 or [word.text for word in trace.spoken()] != text.split():
        return []
    try:
        return [aligned(sounds[0][1], text, voice, "own")]
    except SynthError:  # not clear enough: nobody would have to understand it
        return []
