"""Transcripts in the forms that others write: JSON, CTM, TextGrid, captions, plain text.

Each becomes a list of `Piece`. Whether the times make sense is asked elsewhere (data.own.words).
Knows nothing of sound.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interplay.data.own.words import MODEL, USER, Piece, spell
from interplay.errors import RecordError

LEFT, RIGHT = "left", "right"
_NAMES = {
    **{USER: USER, MODEL: MODEL, LEFT: LEFT, RIGHT: RIGHT},
    **{"a": LEFT, "1": LEFT, "b": RIGHT, "2": RIGHT},
}
_SILENT = ("", "<eps>", "sil", "sp", "silence", "<sil>")
_TIMES = re.compile(r"[\s\d:.,-]*:[\s\d:.,-]*-->[\s\d:.,-]*:")  # meant as the times of a caption
_TIME = r"\s*\d+(?::\d+){1,2}(?:[.,]\d+)?"
_GOOD_TIMES = re.compile(rf"{_TIME}\s*-->{_TIME}(?!\S)")
_ONLY_TIER = "words"  # of several tiers without a speaker the one that is read
ALLOWED = f"name the channels {USER} and {MODEL}, or {LEFT} and {RIGHT}"
JSON_FORM = (
    'give {"words": [{"channel": "user", "word": "hello", "start_s": 0.3, "end_s": 0.7}, ...]}, '
    '{"texts": [{"channel": ..., "text": ..., "start_s": ..., "end_s": ...}]} or {"text": "..."}'
)


def read_transcript(path: Path) -> list[Piece]:
    """The pieces of a transcript; its suffix says the form. Channels are `left`, `right`, `user`,
    `model` or None. Raises RecordError, one line, where it cannot be read."""
    if path.suffix.lower() not in READERS:
        raise RecordError(f"{path} is no transcript; the forms are {', '.join(READERS)}")
    return READERS[path.suffix.lower()](path)


def channel_named(name: object, path: Path | str) -> str | None:
    """`user`, `model`, `left` or `right` for a name in a transcript. Raises RecordError."""
    if name is None:
        return None
    found = _NAMES.get(str(name).strip().lower())
    if found is None:
        raise RecordError(f"{path} has a channel {str(name)!r}; {ALLOWED}")
    return found


def _text_of(path: Path) -> str:
    try:
        data = path.read_bytes()
        is_utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")  # as Praat writes it
        return data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}; check its name") from None
    except UnicodeDecodeError:
        raise RecordError(f"{path} is not UTF-8 text; save it as UTF-8") from None


def _plain(path: Path) -> list[Piece]:
    return [Piece(channel=None, text=_text_of(path))]


def _json(path: Path) -> list[Piece]:
    try:
        found = json.loads(_text_of(path))
    except json.JSONDecodeError as error:
        raise RecordError(
            f"{path}, line {error.lineno}: not JSON ({error.msg}); {JSON_FORM}"
        ) from None
    except RecursionError:
        raise RecordError(f"{path}: its brackets are nested too deeply; {JSON_FORM}") from None
    return pieces_of(found, path)


def pieces_of(found: Any, path: Path | str) -> list[Piece]:
    """The pieces in a JSON object of one of the three forms; `path` is its name in errors."""
    kinds = [key for key in ("words", "texts", "text") if isinstance(found, dict) and key in found]
    if len(kinds) != 1:
        raise RecordError(f"{path} holds no transcript that can be read; {JSON_FORM}")
    if kinds == ["text"]:
        return [Piece(channel=None, text=str(found["text"]))]
    is_word = kinds == ["words"]
    if not isinstance(found[kinds[0]], list):
        raise RecordError(f"{path}: {kinds[0]!r} is no list; {JSON_FORM}")
    return [_item(item, is_word, path) for item in found[kinds[0]]]


def _item(item: Any, is_word: bool, path: Path | str) -> Piece:
    try:
        times = [item["start_s"], item["end_s"]]
        text = item["word" if is_word else "text"]
        if not isinstance(text, str):
            raise ValueError
        return Piece(
            channel=channel_named(item.get("channel"), path),
            text=text,
            start_s=float(times[0]),
            end_s=float(times[1]),
            is_word=is_word,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RecordError(f"{path}: {str(item)[:80]} is not understood; {JSON_FORM}") from None


def _ctm(path: Path) -> list[Piece]:
    """NIST's CTM: recording, channel, start, duration, word, confidence on each line."""
    pieces = []
    for number, line in enumerate(_text_of(path).splitlines(), 1):
        parts = line.split()
        if not parts or parts[0].startswith(";;"):
            continue
        try:
            _, channel, start, duration, word = parts[:5]
            start_s, duration_s = float(start), float(duration)
        except ValueError:
            raise RecordError(
                f"{path}, line {number}: {line[:60]!r} is no CTM; give recording, channel (A or "
                "B), start and duration in seconds, word"
            ) from None
        pieces.append(
            Piece(
                channel=channel_named(channel, path),
                text=word,
                start_s=start_s,
                end_s=start_s + duration_s,
                is_word=True,
            )
        )
    return pieces


def _textgrid(path: Path) -> list[Piece]:
    """Praat's TextGrid: a tier for each channel, or one tier. A tier in which every interval
    holds one word has word times, any other has texts."""
    from praatio.utilities import errors, textgrid_io  # in the `data` extra

    text = _text_of(path)
    try:
        parsed = textgrid_io.parseTextgridStr(text, includeEmptyIntervals=False)
        found = {
            tier["name"]: [(float(start), float(end), str(s)) for start, end, s in tier["entries"]]
            for tier in parsed["tiers"]
            if tier["class"] == "IntervalTier"
        }
    except (  # the parser looks for what it expects and does not ask first
        *(AttributeError, LookupError, TypeError, ValueError),
        errors.PraatioException,
    ) as error:
        raise RecordError(f"{path} is no TextGrid ({error}); save it again from Praat") from None
    only = next((name for name in found if name.lower() == _ONLY_TIER), None)
    if only is not None or len(found) == 1:
        tiers = {None: found[only] if only is not None else next(iter(found.values()))}
    else:
        tiers = {channel_named(name, path): entries for name, entries in found.items()}
    return [piece for name, entries in tiers.items() for piece in _tier(name, entries)]


def _tier(channel: str | None, entries: list[tuple[float, float, str]]) -> list[Piece]:
    said = [entry for entry in entries if entry[2].strip().lower() not in _SILENT]
    is_word = all(len(spell(entry[2]).words) <= 1 for entry in said)
    return [
        Piece(channel=channel, text=label, start_s=start, end_s=end, is_word=is_word)
        for start, end, label in said
    ]


def _captions(path: Path) -> list[Piece]:
    """SubRip and WebVTT; who says them the file does not tell."""
    import pysubs2  # in the `data` extra

    text = _text_of(path)
    for number, line in enumerate(text.splitlines(), 1):  # the parser takes what looks like a time
        if _TIMES.match(line) and not _GOOD_TIMES.match(line):
            raise RecordError(
                f"{path}, line {number}: {line[:60]!r} has a time that cannot be; give "
                "start --> end, as in 00:00:01,000 --> 00:00:02,500"
            )
    try:
        captions = pysubs2.SSAFile.from_string(text, format_=path.suffix[1:].lower())
    except (pysubs2.exceptions.Pysubs2Error, ValueError) as error:
        raise RecordError(
            f"{path} holds no captions ({error}); give SubRip (.srt) or WebVTT (.vtt)"
        ) from None
    return [
        Piece(
            channel=None,
            text=caption.plaintext.replace("\n", " "),
            start_s=caption.start / 1000,
            end_s=caption.end / 1000,
        )
        for caption in captions
        if not caption.is_comment
    ]


READERS: dict[str, Callable[[Path], list[Piece]]] = {
    ".json": _json,
    ".textgrid": _textgrid,
    ".ctm": _ctm,
    ".srt": _captions,
    ".vtt": _captions,
    ".txt": _plain,
}
