"""Finds what can be imported in files and folders: sounds and films with their transcripts.

A transcript lies beside its sound and has the same name: `talk.wav` and `talk.TextGrid`. Two files
of one conversation are called `talk.user.wav` and `talk.model.wav`. Knows nothing of what is in
them.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from functools import partial
from pathlib import Path

import numpy as np

from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.own.prepare import Options, Source
from interplay.data.own.store import FORMAT, is_session
from interplay.data.own.transcripts import LEFT, READERS, read_transcript
from interplay.data.own.words import MODEL, USER, Piece
from interplay.errors import AudioError, RecordError
from interplay.media.audio import Channels, read_channels
from interplay.media.video_file import VideoFile

SOUNDS = (".wav", ".flac", ".ogg", ".mp3")
FILMS = (".mp4", ".mkv", ".webm", ".mov", ".avi")
APART_S = 0.1  # by so much two files of one conversation may differ in length


def find_sources(places: Sequence[Path], options: Options) -> list[Source]:
    """A source for every sound and film in the files and folders given, in order of their names.

    Raises RecordError where there is none.
    """
    found = dict.fromkeys(file for place in places for file in _media(place))
    if not found:
        raise RecordError(
            f"no sound or film in {', '.join(map(str, places))}; the forms are "
            f"{', '.join([*SOUNDS, *FILMS])}, each with a transcript of the same name"
        )
    sources: dict[str, Source] = {}
    for file in found:
        source = _source(file, options)
        sources.setdefault(source.name, source)
    return list(sources.values())


def source_name(stem: str, identity: str) -> str:
    """A folder name that is readable and has no double."""
    plain = re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "session"
    return f"{plain[:60]}-{hashlib.sha256(identity.encode()).hexdigest()[:6]}"


def stamp_for(parts: Iterable[object], options: Options) -> str:
    """Differs where `parts` or the options do."""
    text = repr([FORMAT, *parts, *astuple(options)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _media(place: Path) -> list[Path]:
    if place.is_file():
        if place.suffix.lower() not in SOUNDS + FILMS:
            raise RecordError(
                f"{place} is neither sound nor film; give {', '.join([*SOUNDS, *FILMS])}, or "
                "their folder"
            )
        return [place]
    if not place.is_dir():
        raise RecordError(f"{place} does not exist; give a file, a folder or hf:NAME:SPLIT")
    found = (p for p in place.rglob("*") if p.suffix.lower() in SOUNDS + FILMS)
    return sorted(p for p in found if not is_session(p.parent))


def _source(file: Path, options: Options) -> Source:
    """The session that a sound or film belongs to."""
    parts = [file]
    stem, _, owner = file.stem.rpartition(".")
    if stem and owner in (USER, MODEL):
        parts = [file.with_name(f"{stem}.{name}{file.suffix}") for name in (USER, MODEL)]
    else:
        stem = file.stem
    beside = [
        path
        for path in sorted(file.parent.iterdir())
        if path.stem == stem and path.suffix.lower() in READERS
    ]
    stats = [
        (str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in [*parts, *beside] if p.exists()
    ]
    is_film = file.suffix.lower() in FILMS
    return Source(
        name=source_name(stem, str(file.with_name(stem))),
        file=str(beside[0] if len(beside) == 1 else file),
        stamp=stamp_for(stats, options),
        read_pieces=partial(_read_pieces, file, beside),
        read_sound=None if is_film else partial(_read_sound, parts, options),
        film=VideoFile(file) if is_film else None,
    )


def _read_pieces(file: Path, beside: list[Path]) -> list[Piece]:
    if not beside:
        raise RecordError(
            f"{file} has no transcript beside it; give one of the same name, as "
            f"{', '.join(READERS)}"
        )
    if len(beside) > 1:
        names = " and ".join(path.name for path in beside)
        raise RecordError(f"{file} has {len(beside)} transcripts, {names}; leave one")
    return read_transcript(beside[0])


def _read_sound(parts: list[Path], options: Options) -> Channels:
    """All channels; two files become the channels of one."""
    if len(parts) == 1:
        return read_channels(parts[0])
    user, model = (read_channels(part) for part in parts)
    for path, sound in zip(parts, (user, model), strict=True):
        if sound.samples.shape[1] != 1:
            raise AudioError(
                f"{path} has {sound.samples.shape[1]} channels; each of two files of one "
                "conversation has one"
            )
    if user.rate_hz != model.rate_hz:
        raise AudioError(
            f"{parts[0]} has {user.rate_hz} Hz and {parts[1].name} {model.rate_hz} Hz; files of "
            "one conversation share a rate: convert one of them"
        )
    lengths_s = [len(sound.samples) / SAMPLE_RATE_HZ for sound in (user, model)]
    if abs(lengths_s[0] - lengths_s[1]) > APART_S:
        raise AudioError(
            f"{parts[0]} lasts {lengths_s[0]:.2f} s and {parts[1].name} {lengths_s[1]:.2f} s; "
            "files of one conversation begin and end together: cut or pad one of them"
        )
    size = min(len(user.samples), len(model.samples))
    columns = [user.samples[:size, 0], model.samples[:size, 0]]
    if options.model_side == LEFT:
        columns.reverse()
    return Channels(samples=np.stack(columns, axis=1), rate_hz=user.rate_hz)
