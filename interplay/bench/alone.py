"""Sessions of the training, played live: does a model do by itself what it was taught?

While it is trained a model has its right past behind it (train.checks); here it has its own. The
sessions are of one family each and were never trained on, but their texts, wordings and voices are
those of the training: what is read off their faults may be trained on, where the items of a bench
must not be looked at. Knows nothing of suites.
"""

import argparse
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from interplay.bench.scoring.hearing import word_errors
from interplay.clock import NUM_SLOTS, SAMPLES_PER_TURN, TURN_S
from interplay.data.compose import ComposeConfig, Composer
from interplay.data.corpus import Corpus
from interplay.data.families import EYES, FAMILIES
from interplay.data.timeline import Timeline
from interplay.engine.engine import Engine
from interplay.errors import ConfigError
from interplay.model.checkpoint import Loaded, load_checkpoint
from interplay.turns import tokens
from interplay.turns.follow import FIRST_WORD
from interplay.turns.tokens import Tokenizer
from interplay.turns.types import PAD, InputHalf, Streams

WITHIN_S = 0.6  # of its time, and what is said or decided is right
NUM_TURNS = 128
SEED_BASE = 0xA10E  # no training seed is near
OPENERS = frozenset(
    (tokens.DELEGATE, tokens.TIMER, tokens.EVERY, tokens.CLOCK, tokens.DUE, tokens.CANCEL)
)
ALONE = frozenset((tokens.CLOCK, tokens.CANCEL))  # decisions that are one token
STARTED = ("running",)  # families that begin in the middle of something, which live talk cannot


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What is written from one moment on. is_known: to be expected; else it may come or not."""

    time_s: float
    text: str
    is_known: bool = True


@dataclass(frozen=True, kw_only=True)
class Played:
    """One session: what should be written, and what was. due: of the streams of `timeline`."""

    due: Streams
    say_known: np.ndarray
    written: Mapping[str, np.ndarray]


@dataclass(kw_only=True)
class Count:
    """right: of `wanted` pieces; undue: pieces that nothing asked for."""

    right: int = 0
    wanted: int = 0
    undue: int = 0

    def add(self, wanted: Sequence[Piece], found: Sequence[Piece]) -> None:
        """Every piece that was found counts for one that was wanted, of the same text and nearest
        in time."""
        left = list(found)
        for piece in wanted:
            same = [each for each in left if each.text == piece.text]
            best = min(same, key=lambda each: abs(each.time_s - piece.time_s), default=None)
            self.wanted += piece.is_known
            if best is not None and abs(best.time_s - piece.time_s) <= WITHIN_S:
                left.remove(best)
                self.right += piece.is_known
        self.undue += len(left)


def play(
    loaded: Loaded, composer: Composer, family: str, num_sessions: int, *, seed: int = 0
) -> list[Played]:
    """Sessions that hold one family alone. Raises ConfigError for one that cannot be played."""
    if family not in FAMILIES or family in STARTED:
        known = ", ".join(name for name in FAMILIES if name not in STARTED)
        raise ConfigError(f"no family {family!r} can be played; those that can are {known}")
    if family in EYES and loaded.config.see is None:
        raise ConfigError(f"the family {family!r} needs eyes, and this model has none")
    engine = Engine(loaded, num_slots=num_sessions)
    timelines, sounds, sessions = [], [], []
    for index in range(num_sessions):
        rng = np.random.default_rng([SEED_BASE, seed, zlib.crc32(family.encode()), index])
        timelines.append(composer.timeline(rng, NUM_TURNS, {family: 1.0}))
        sounds.append(composer.microphone(timelines[-1], rng))
        first = timelines[-1].streams.first_turn
        sessions.append(engine.open(seed=seed + index, first_turn=first))
    written = [
        {name: np.zeros((NUM_TURNS, NUM_SLOTS), np.int32) for name in ("heard", "say", "act")}
        for _ in sessions
    ]
    for turn in track(range(NUM_TURNS), family, transient=True):
        halves = {
            session: _half(timeline, sound, turn)
            for session, timeline, sound in zip(sessions, timelines, sounds, strict=True)
        }
        said = engine.tick(halves)
        for session, rows in zip(sessions, written, strict=True):
            for name, row in rows.items():
                row[turn] = getattr(said[session], name)
    return [
        Played(due=timeline.streams, say_known=timeline.say_known, written=rows)
        for timeline, rows in zip(timelines, written, strict=True)
    ]


def _half(timeline: Timeline, sound: np.ndarray, turn: int) -> InputHalf:
    streams = timeline.streams
    hear = np.zeros(SAMPLES_PER_TURN, np.float32)
    part = sound[turn * SAMPLES_PER_TURN :][:SAMPLES_PER_TURN]
    hear[: len(part)] = part
    see = streams.see[turn] if streams.see is not None and streams.camera[turn] else None
    read = tuple(int(token) for token in streams.read[turn] if token != PAD)
    return InputHalf(hear=hear, read=read, see=see)


def utterances(
    say: np.ndarray, tokenizer: Tokenizer, known: np.ndarray | None = None
) -> list[Piece]:
    """Texts of a `say` stream [N, 4], each up to its end. known: bool [N]."""
    return list(_pieces(say, tokenizer, known, opens=lambda token: token >= FIRST_WORD))


def decisions(act: np.ndarray, tokenizer: Tokenizer) -> list[Piece]:
    """What is decided on an `act` stream, with what belongs to it, without notes."""
    return list(_pieces(act, tokenizer, None, opens=OPENERS.__contains__))


def _pieces(row, tokenizer, known, opens) -> Iterator[Piece]:
    ids: list[int] = []
    start, is_note = 0, False

    def piece() -> Piece:
        text = " ".join("".join(map(tokenizer.name, ids)).split())
        sure = known is None or bool(known[start // NUM_SLOTS])
        return Piece(time_s=start / NUM_SLOTS * TURN_S, text=text, is_known=sure)

    for slot, token in enumerate(row.reshape(-1).tolist()):
        if token == PAD:
            continue
        if token == tokens.NOTE:
            is_note = True
        elif is_note:
            is_note = token != tokens.END
        elif ids and token in (tokens.END, tokens.STOP):
            yield piece()
            ids = []
        elif ids and token not in OPENERS:
            ids.append(token)
        elif opens(token):
            if ids:
                yield piece()
            ids, start = [token], slot
            if token in ALONE:
                yield piece()
                ids = []
    if ids:
        yield piece()


def compare(played: Sequence[Played], tokenizer: Tokenizer) -> dict[str, float | None]:
    """heard_errors: word errors of the words that were heard; None where there are none. Of what
    is said and decided at its time (WITHIN_S) the share that is right, and how many others came for
    each that was wanted."""
    errors, num_words, said, decided = 0, 0, Count(), Count()
    for each in played:
        wanted = tokenizer.decode(each.due.heard.ravel().tolist()).split()
        errors += word_errors(
            wanted, tokenizer.decode(each.written["heard"].ravel().tolist()).split()
        )
        num_words += len(wanted)
        said.add(
            utterances(each.due.say, tokenizer, each.say_known),
            utterances(each.written["say"], tokenizer),
        )
        decided.add(decisions(each.due.act, tokenizer), decisions(each.written["act"], tokenizer))
    return {
        "heard_errors": errors / num_words if num_words else None,
        "said": said.right / said.wanted if said.wanted else None,
        "said_undue": said.undue / said.wanted if said.wanted else None,
        "decided": decided.right / decided.wanted if decided.wanted else None,
        "decided_undue": decided.undue / decided.wanted if decided.wanted else None,
    }


def show(played: Played, tokenizer: Tokenizer) -> Iterator[str]:
    """Lines to read: each stream as it should be and as it was, with times after silence."""
    for name, row in played.written.items():
        for what, ids in (("due", getattr(played.due, name)), ("was", row)):
            yield f"  {name:5} {what}  {_line(ids, tokenizer)}"


def _line(row: np.ndarray, tokenizer: Tokenizer) -> str:
    text, last = "", -100
    for slot, token in enumerate(row.reshape(-1).tolist()):
        if token != PAD:
            if slot - last > 4 * NUM_SLOTS:
                text += f"  [{slot / NUM_SLOTS * TURN_S:.1f}]"
            text, last = text + tokenizer.name(token), slot
    return text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="name or file of the model")
    parser.add_argument(
        "--corpus", type=Path, required=True, help="folder of the training's corpus"
    )
    parser.add_argument("--families", default="", help="with commas (default: all it can play)")
    parser.add_argument("--n", type=int, default=6, help="sessions of each (default: 6)")
    parser.add_argument("--seed", type=int, default=0, help="of the sessions")
    parser.add_argument("--show", action="store_true", help="write down what was due and what was")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")


def run(args: argparse.Namespace) -> int:
    """`interplay alone`."""
    if args.n < 1:
        raise ConfigError(f"--n is {args.n}; at least 1 session is needed")
    loaded = load_checkpoint(args.model)
    config = ComposeConfig()
    composer = Composer(Corpus(args.corpus, without_voices=config.without_voices), config)
    names = [name.strip() for name in args.families.split(",") if name.strip()] or [
        name
        for name in FAMILIES
        if name not in STARTED and (name not in EYES or loaded.config.see is not None)
    ]
    found = {}
    print(f"{'family':15} {'heard wrong':>12} {'said':>7} {'undue':>7} {'decided':>8} {'undue':>7}")
    for name in names:
        played = play(loaded, composer, name, args.n, seed=args.seed)
        found[name] = compare(played, loaded.tokenizer)
        heard, said, said_undue, decided, undue = map(_percent, found[name].values())
        print(
            f"{name:15} {heard:>12} {said:>7} {said_undue:>7} {decided:>8} {undue:>7}", flush=True
        )
        for index, each in enumerate(played if args.show else ()):
            print(f"{name} {index}", *show(each, loaded.tokenizer), sep="\n")
    if args.json:
        args.json.write_text(json.dumps({"model": args.model, "n": args.n, "families": found}))
    return 0


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
