"""Hugging Face datasets as sources: from the hub, from its cache, or saved in a folder.

A row is a session: a column of sound, and one of text or of words with times. The sound is decoded
by our own reader, so that no decoder of the library's is needed. Knows nothing of how sessions are
checked or stored.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from interplay.data.own.prepare import Options, Source
from interplay.data.own.sources import source_name, stamp_for
from interplay.data.own.transcripts import pieces_of
from interplay.data.own.words import Piece
from interplay.errors import ConfigError, RecordError
from interplay.media.audio import Channels, read_channels

PREFIX = "hf:"
FORM = "hf:NAME:SPLIT, hf:NAME:CONFIG:SPLIT or hf:FOLDER"
TEXTS = ("text", "sentence", "transcription", "transcript", "normalized_text")
ROLES = ("audio", "text", "words")


def hub_sources(place: str, columns: Mapping[str, str], options: Options) -> Iterator[Source]:
    """A source for every row of `hf:NAME:SPLIT`, `hf:NAME:CONFIG:SPLIT` or `hf:FOLDER` (a dataset
    saved by `save_to_disk`). columns: names for `audio` and for `text` or `words`.

    Raises ConfigError, one line, without the library, the dataset, the network or the columns.
    """
    rows = _load(place)
    audio, text = _columns(place, rows, columns)
    import datasets

    rows = rows.cast_column(audio, datasets.Audio(decode=False))
    for number in range(len(rows)):
        row = f"{place} row {number}"
        yield Source(
            name=source_name(f"{place.removeprefix(PREFIX)}-{number:06d}", row),
            file=row,
            stamp=stamp_for([rows._fingerprint, number, audio, text], options),
            read_pieces=partial(_read_pieces, rows, number, text, row),
            read_sound=partial(_read_sound, rows, number, audio, row),
        )


def parse_columns(text: str | None) -> dict[str, str]:
    """`audio=sound,text=said` as a dict. Raises ConfigError on another form."""
    found = {}
    for part in (text or "").split(",") if text else ():
        role, equals, name = part.partition("=")
        if role not in ROLES or not equals or not name:
            raise ConfigError(
                f"--columns has {part!r}; give for example audio=sound,text=said; what can be "
                f"named is {', '.join(ROLES)}"
            )
        found[role] = name
    return found


def _load(place: str) -> Any:
    try:
        import datasets
    except ImportError:
        raise ConfigError(
            f"{place} needs the datasets library: pip install 'interplay[datasets]'"
        ) from None
    name = place.removeprefix(PREFIX)
    try:
        if (Path(name) / "state.json").exists():
            return datasets.load_from_disk(name)
        parts = name.split(":")
        if len(parts) not in (2, 3) or not all(parts):
            raise ConfigError(f"{place} is no dataset; give {FORM}")
        config = parts[1] if len(parts) == 3 else None
        return datasets.load_dataset(parts[0], config, split=parts[-1])
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else repr(error)
        raise ConfigError(
            f"{place} cannot be loaded ({reason}); check name, split and network, or save it with "
            "save_to_disk and give hf:FOLDER"
        ) from None


def _columns(place: str, rows: Any, columns: Mapping[str, str]) -> tuple[str, str]:
    """Names of the columns that hold sound and what is said."""
    import datasets

    present = list(getattr(rows, "column_names", []))
    if not present or not hasattr(rows, "features"):
        raise ConfigError(f"{place} is no single split; give {FORM}")
    if lacking := [name for name in columns.values() if name not in present]:
        raise ConfigError(f"{place} has no column {lacking[0]!r}; it has {', '.join(present)}")
    sounds = [name for name in present if isinstance(rows.features[name], datasets.Audio)]
    texts = [name for name in ("words", *TEXTS) if name in present]
    audio = columns.get("audio", sounds[0] if sounds else None)
    text = columns.get("words") or columns.get("text") or (texts[0] if texts else None)
    if audio is None or text is None:
        raise ConfigError(
            f"{place} has the columns {', '.join(present)}; say which hold sound and text, as in "
            "--columns audio=sound,text=said"
        )
    return audio, text


def _read_pieces(rows: Any, number: int, column: str, name: str) -> Sequence[Piece]:
    found = rows.select_columns([column])[number][column]
    if isinstance(found, str):
        return [Piece(channel=None, text=found)]
    return pieces_of({"words": found}, name)


def _read_sound(rows: Any, number: int, column: str, name: str) -> Channels:
    found = rows.select_columns([column])[number][column]
    if found["bytes"] is None and found["path"] is None:
        raise RecordError(f"{name} has no sound; leave it out")
    return read_channels(found["bytes"] or found["path"], name)
