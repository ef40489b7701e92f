"""One session from what was given: sound, transcript, film -> a recording, or what is wrong.

Everything is looked at before anything is written. Knows nothing of folders or progress.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float32

from interplay.clock import SAMPLE_RATE_HZ, TURN_S
from interplay.data.own.store import Recording
from interplay.data.own.timing import Timing, say_texts
from interplay.data.own.transcripts import LEFT, RIGHT
from interplay.data.own.words import (
    CHANNELS,
    MODEL,
    USER,
    Piece,
    Problem,
    Word,
    spell,
    spelling_problems,
    text_problems,
    time_problems,
)
from interplay.data.speech import LEVEL_DBFS
from interplay.errors import InterplayError, VideoError
from interplay.media.audio import Channels
from interplay.media.video_file import VideoFile
from interplay.turns.tokens import Tokenizer

MAX_FILM_S = 1200.0  # its pictures are in memory while it is imported
FEWEST_HZ = 5.0
SIDES = (RIGHT, LEFT)


@dataclass(frozen=True, kw_only=True)
class Options:
    """model_side: the channel of two that the model speaks on, `left` or `right`. captions: who
    says the captions of a film. voice_known: the model's channel is the voice it shall have."""

    model_side: str = RIGHT
    captions: str = MODEL
    voice_known: bool = False


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a session comes from. file: its name in problems. stamp: changes with its files.

    read_sound and read_pieces raise InterplayError; film: None for sound alone.
    """

    name: str
    file: str
    stamp: str
    read_pieces: Callable[[], Sequence[Piece]]
    read_sound: Callable[[], Channels] | None = None
    film: VideoFile | None = None


@dataclass(kw_only=True)
class Prepared:
    """recording: None where there are problems. notes: what may surprise, one line each."""

    recording: Recording | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def prepare(
    source: Source, options: Options, timing: Timing, tokenizer: Tokenizer | None = None
) -> Prepared:
    """Read and check one source. What a user can cure comes back as problems.

    tokenizer: has to spell every word.
    """
    out = Prepared()
    try:
        pieces = list(source.read_pieces())
        marks = [mark for piece in pieces for mark in spell(piece.text).marks]
        if marks:
            out.notes.append(f"{source.file}: left out {len(marks)} marks such as {marks[0]}")
        if source.film is not None:
            _film(source, source.film, pieces, options, timing, out)
        else:
            assert source.read_sound is not None
            sound = source.read_sound().samples
            _conversation(source.file, sound, pieces, options, timing, out)
    except InterplayError as error:
        out.problems.append(str(error))
    if out.recording is not None and tokenizer is not None:
        out.problems += map(str, spelling_problems(out.recording.words, source.file, tokenizer))
    if out.problems:
        out.recording = None
    return out


def _conversation(
    file: str,
    sound: Float32[np.ndarray, "T C"],
    pieces: list[Piece],
    options: Options,
    timing: Timing,
    out: Prepared,
) -> None:
    if sound.shape[1] == 2 and options.model_side == LEFT:
        sound = sound[:, ::-1]
    named = [_owner(piece, sound.shape[1], options) for piece in pieces]
    wrong = _channel_problems(file, named, sound.shape[1])
    wrong = wrong or text_problems(named, file)
    wrong = wrong or time_problems(named, file, len(sound) / SAMPLE_RATE_HZ)
    words: list[Word] = []
    for number, channel in enumerate(CHANNELS[: sound.shape[1]] if not wrong else ()):
        spoken = [piece for piece in named if piece.channel == channel]
        found, more = timing.words(spoken, sound[:, number], file)
        words += found
        wrong = wrong + more
    out.problems += map(str, wrong)
    if not wrong:
        if sound.shape[1] == 2:
            sound = np.stack([sound[:, 0], _levelled(sound[:, 1], words)], axis=1)
        out.recording = Recording(
            sound=sound, words=words, frames=None, voice_known=options.voice_known
        )


def _owner(piece: Piece, num_channels: int, options: Options) -> Piece:
    """The piece with `user` or `model` as its channel, or None where nobody says."""
    channel = piece.channel
    if channel in SIDES:
        is_model = channel == options.model_side and num_channels > 1
        channel = MODEL if is_model else USER
    if channel is None and num_channels == 1:
        channel = USER
    return replace(piece, channel=channel)


def _channel_problems(file: str, pieces: list[Piece], num_channels: int) -> list[Problem]:
    if num_channels > 2:
        return [
            Problem(
                file=file,
                what=f"the sound has {num_channels} channels",
                cure="give one (a user), or two (the user left, the model right)",
            )
        ]
    for piece in pieces:
        if piece.channel is None:
            what = f"two channels, and nobody says who of them says {piece.text[:40]!r}"
            cure = "name the channels in the transcript, user and model"
        elif piece.channel == MODEL and num_channels == 1:
            what = f"the model says {piece.text[:40]!r}, but the sound has one channel"
            cure = "give two channels: the user left, the model right"
        else:
            continue
        return [Problem(file=file, at_s=piece.start_s, what=what, cure=cure)]
    return []


def _levelled(track: Float32[np.ndarray, " T"], words: list[Word]) -> Float32[np.ndarray, " T"]:
    """The model's channel as loud as the own voice of made-up sessions, where it speaks."""
    spans = [
        slice(int(w.start_s * SAMPLE_RATE_HZ), int(w.end_s * SAMPLE_RATE_HZ))
        for w in words
        if w.channel == MODEL
    ]
    loud = np.concatenate([track[span] for span in spans]) if spans else track
    level = np.sqrt(np.mean(loud**2)) if len(loud) else 0.0
    peak = np.abs(track).max(initial=0.0)
    if level == 0.0:
        return track
    return track * np.float32(min(10 ** (LEVEL_DBFS / 20) / level, 0.95 / peak))


def _film(
    source: Source,
    film: VideoFile,
    pieces: list[Piece],
    options: Options,
    timing: Timing,
    out: Prepared,
) -> None:
    facts = film.facts()
    if facts.length_s > MAX_FILM_S:
        too_long = Problem(
            file=str(film.path),
            what=f"the film lasts {facts.length_s:.0f} s, more than {MAX_FILM_S:.0f} s",
            cure="cut it into parts",
        )
        out.problems.append(str(too_long))
        return
    if facts.rate_hz < FEWEST_HZ:
        out.notes.append(
            f"{film.path}: {facts.rate_hz:.2g} pictures a second where the model sees 5; each is "
            "seen several times, and what is faster is not seen"
        )
    pictures = film.whole()
    if not pictures:
        raise VideoError(f"{film.path} has no picture that can be decoded; convert it again")
    missing = round(facts.length_s / TURN_S) - len(pictures)  # the last one stays until the end
    frames = np.stack(pictures + [pictures[-1]] * max(0, missing))
    num_samples = round(len(frames) * TURN_S * SAMPLE_RATE_HZ)
    heard = film.sound()
    track = np.zeros(num_samples, np.float32)
    if heard is not None:
        size = min(len(heard), num_samples)
        track[:size] = heard[:size]
    named = [
        replace(piece, channel=piece.channel if piece.channel in CHANNELS else options.captions)
        for piece in pieces
    ]
    wrong = text_problems(named, source.file)
    wrong = wrong or time_problems(named, source.file, len(frames) * TURN_S)
    if not wrong:
        by_user = [piece for piece in named if piece.channel == USER]
        words, wrong = timing.words(by_user, track, source.file)
        by_model = [piece for piece in named if piece.channel == MODEL]
        own, said, more = say_texts(by_model, num_samples, source.file)
        wrong = wrong + more
        sound = np.stack([track, own], axis=1)
        out.recording = Recording(sound=sound, words=words + said, frames=frames, voice_known=True)
    out.problems += map(str, wrong)
