"""Search in a folder of the user's documents as a tool: an SQLite FTS5 index kept up to date.

Reads .txt, .md and .html below one folder and never leaves it. Knows nothing of sentences,
sessions or where the folder comes from.
"""

import logging
import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from threading import Lock

from interplay.background.tool import Tool, ToolAnswer
from interplay.errors import BackgroundError, ToolError

SUFFIXES = (".txt", ".md", ".html", ".htm")
MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_FILES = 20_000
MAX_QUERY_CHARS = 200
MAX_QUERY_WORDS = 16
MAX_HITS = 10
PASSAGE_CHARS = 1200  # files are cut at empty lines into passages of about this length
PASSAGES_PER_FILE = 1 << 20  # row ids of a file's passages are one range
SNIPPET_WORDS = 24
SCHEMA_VERSION = 1
STOP_WORDS = "a an and are at do for from in is it me my of on or that the to what"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A passage. path: relative to the folder, with slashes. snippet: one line around the words."""

    path: str
    snippet: str


class DocumentIndex:
    """Full text of `folder`, in the file `database` or, without one, in memory.

    `search` first takes in what has changed. Symbolic links that leave the folder, hidden files,
    files above 2 MiB and binary files are left out, with a line in the log. One lock: it may be
    used from any thread. Raises BackgroundError on a folder or a database that cannot be used.
    """

    def __init__(self, folder: Path, database: Path | None = None) -> None:
        if not folder.is_dir():
            raise BackgroundError(f"{folder} is not a folder; name one that holds documents")
        self._root = folder.resolve()
        self._lock = Lock()
        self._refused: set[Path] = set()
        try:
            self._db = sqlite3.connect(database or ":memory:", check_same_thread=False)
            self._create()
        except sqlite3.Error as error:
            raise BackgroundError(
                f"cannot use {database or 'SQLite'} as an index: {error}; "
                "delete the file or choose another"
            ) from None

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def refresh(self) -> int:
        """Take in files that are new or changed, drop those that are gone; returns how many."""
        with self._lock, self._db:
            known = {
                path: (file_id, mark)
                for file_id, path, mark in self._db.execute("select id, path, mark from files")
            }
            num_changed = 0
            for path in self._files():
                name = path.relative_to(self._root).as_posix()
                mark = _mark(path)
                file_id, old = known.pop(name, (None, None))
                if mark != old:
                    self._forget(file_id)
                    self._take_in(path, name, mark)
                    num_changed += 1
            for file_id, _ in known.values():
                self._forget(file_id)
        return num_changed + len(known)

    def search(self, query: str, limit: int = 3) -> list[Hit]:
        """The passages nearest to the words of `query` (BM25), at most `limit`, best first.

        Raises ToolError when there is no word to look for, or when the index cannot be read.
        """
        words = _words(query)
        if not words:
            raise ToolError("say what to look for")
        asked = " OR ".join(f'"{word}"' for word in words)
        try:
            self.refresh()
            rows = self._match(asked, min(limit, MAX_HITS))
        except sqlite3.Error as error:  # the disk is full, the file damaged, another writes to it
            _log.warning("the index of %s: %s", self._root, error)
            raise ToolError("the index of your documents cannot be read") from None
        return [Hit(path=path, snippet=" ".join(text.split())) for path, text in rows]

    def _match(self, asked: str, limit: int) -> list[tuple[str, str]]:
        with self._lock:
            return self._db.execute(
                "select path, snippet(passages, 1, '', '', '…', ?) from passages "
                "where passages match ? order by bm25(passages, 2.0, 1.0) limit ?",
                (SNIPPET_WORDS, asked, limit),
            ).fetchall()

    def _create(self) -> None:
        with self._db:
            [version] = self._db.execute("pragma user_version").fetchone()
            if version not in (0, SCHEMA_VERSION):
                raise sqlite3.DatabaseError(f"its version is {version}, not {SCHEMA_VERSION}")
            self._db.execute(f"pragma user_version = {SCHEMA_VERSION}")
            self._db.execute(
                "create table if not exists files "
                "(id integer primary key, path text unique, mark text)"
            )
            self._db.execute(
                "create virtual table if not exists passages using fts5 "
                "(path, body, tokenize = 'porter unicode61 remove_diacritics 2')"
            )
            self._db.execute("select 1 from files, passages limit 1")

    def _files(self) -> Iterator[Path]:
        """Documents inside the folder, real paths only."""
        num_files = 0
        for folder, folders, names in os.walk(self._root, followlinks=False):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = Path(folder) / name
                if name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                    continue
                if not self._is_inside(path):
                    continue
                num_files += 1
                if num_files > MAX_FILES:
                    self._refuse(self._root, f"only {MAX_FILES} documents are searched")
                    return
                yield path

    def _is_inside(self, path: Path) -> bool:
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):  # it dangles, or turns in a circle
            self._refuse(path, "it leads nowhere")
            return False
        if not real.is_relative_to(self._root) or not real.is_file():
            self._refuse(path, "it leads out of the folder")
            return False
        return True

    def _refuse(self, path: Path, reason: str) -> None:
        """Say it once, not at every search."""
        if path not in self._refused:
            self._refused.add(path)
            _log.warning("left out %s: %s", path, reason)

    def _forget(self, file_id: int | None) -> None:
        if file_id is None:
            return
        first = file_id * PASSAGES_PER_FILE
        last = first + PASSAGES_PER_FILE - 1
        self._db.execute("delete from passages where rowid between ? and ?", (first, last))
        self._db.execute("delete from files where id = ?", (file_id,))

    def _take_in(self, path: Path, name: str, mark: str) -> None:
        text = self._read(path)
        inserted = self._db.execute("insert into files (path, mark) values (?, ?)", (name, mark))
        assert inserted.lastrowid is not None
        first = inserted.lastrowid * PASSAGES_PER_FILE
        self._db.executemany(
            "insert into passages (rowid, path, body) values (?, ?, ?)",
            ((first + k, name, passage) for k, passage in enumerate(_passages(text))),
        )

    def _read(self, path: Path) -> str:
        """The words of a document; "" when it is none."""
        try:
            real = path.resolve(strict=True)
            # not through a link that was put here after the check
            descriptor = os.open(real, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            with os.fdopen(descriptor, "rb") as file:
                is_regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
                data = file.read(MAX_FILE_BYTES + 1) if is_regular else b""
        except OSError as error:
            self._refuse(path, error.strerror or "it cannot be read")
            return ""
        if len(data) > MAX_FILE_BYTES:
            self._refuse(path, f"it has more than {MAX_FILE_BYTES} bytes")
            return ""
        if b"\0" in data:
            self._refuse(path, "it is not text")
            return ""
        text = data.decode("utf-8", errors="replace")
        return _text_of_html(text) if path.suffix.lower().startswith(".htm") else text


def search_tool(index: DocumentIndex) -> Tool:
    """search_documents, over one index."""

    def run(now_s: float, /, *, query: str, limit: int = 3) -> ToolAnswer:
        hits = index.search(query, limit)
        if not hits:
            return ToolAnswer(text="nothing in your documents matches")
        return ToolAnswer(text="\n".join(f"{hit.path}: {hit.snippet}" for hit in hits))

    return Tool(
        name="search_documents",
        description="Passages of the user's own documents and notes that match some words.",
        parameters={
            "query": {"type": "string", "minLength": 1, "maxLength": MAX_QUERY_CHARS},
            "limit": {"type": "integer", "minimum": 1, "maximum": MAX_HITS},
        },
        required=("query",),
        run=run,
    )


def _words(query: str) -> list[str]:
    """Words to look for, without those that stand everywhere unless there is nothing else."""
    words = re.findall(r"\w+", query[:MAX_QUERY_CHARS].lower())
    rare = [word for word in words if word not in STOP_WORDS.split()]
    return list(dict.fromkeys(rare or words))[:MAX_QUERY_WORDS]


def _mark(path: Path) -> str:
    """What changes when the file does."""
    try:
        status = path.stat()
    except OSError:
        return "gone"
    return f"{status.st_mtime_ns} {status.st_size}"


def _passages(text: str) -> Iterator[str]:
    """Paragraphs, short ones joined and long ones cut."""
    passage = ""
    for paragraph in re.split(r"\n\s*\n", text):
        for start in range(0, len(paragraph), PASSAGE_CHARS):
            piece = paragraph[start : start + PASSAGE_CHARS]
            if passage and len(passage) + len(piece) > PASSAGE_CHARS:
                yield passage
                passage = ""
            passage = f"{passage}\n{piece}" if passage else piece
    if passage.strip():
        yield passage


class _HtmlText(HTMLParser):
    """Collects what a reader would see."""

    HIDDEN = frozenset({"script", "style", "template", "noscript", "svg"})
    BREAKS = frozenset({"p", "div", "li", "br", "h1", "h2", "h3", "h4", "tr", "section", "title"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._num_hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._num_hidden += tag in self.HIDDEN
        if tag in self.BREAKS:
            self.parts.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.HIDDEN and self._num_hidden:
            self._num_hidden -= 1

    def handle_data(self, data: str) -> None:
        if not self._num_hidden:
            self.parts.append(data)


def _text_of_html(html: str) -> str:
    parser = _HtmlText()
    parser.feed(html.replace("<![", " "))  # marked sections, at whose errors the parser gives up
    parser.close()
    return "".join(parser.parts)
