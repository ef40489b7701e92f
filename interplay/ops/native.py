"""Compiles C++ files of ours once per machine and loads them. Knows nothing of what it computes.

The library is kept in the user's cache folder under the hash of source, compiler and flags, with
its own hash beside it: a file that was cut short or changed is compiled again, never loaded.
"""

import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch

from interplay.errors import InterplayError

FLAGS = ("-O3", "-mavx2", "-mfma", "-mf16c", "-ffp-contract=off", "-shared", "-fPIC")
COMPILERS = ("c++", "g++", "clang++")
TIMEOUT_S = 120


class NativeError(InterplayError):
    """Compiled code cannot be used here; the message is the reason, for a line that says so."""


def cache_folder() -> Path:
    """Where compiled libraries are kept: `$XDG_CACHE_HOME/interplay` or `~/.cache/interplay`."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interplay"
    except RuntimeError:  # what pathlib raises for a user without a home
        raise NativeError(
            "there is no home folder to keep compiled code in; name a folder in XDG_CACHE_HOME"
        ) from None


def load(source: Path, *others: Path) -> ctypes.CDLL:
    """The library made of `source` and `others`, headers among them, under the name of `source`.

    Raises NativeError: another processor, no compiler, an error of the compiler, or no place to
    keep the result.
    """
    capability = torch.backends.cpu.get_cpu_capability()
    if capability not in ("AVX2", "AVX512"):
        raise NativeError(f"the processor has {capability}, not AVX2")
    compiler = _compiler()
    sources = (source, *others)
    content = b"".join(each.read_bytes() for each in sources)
    key = hashlib.sha256(content + "\0".join([_version(compiler), *FLAGS]).encode())
    library = cache_folder() / f"{source.stem}-{key.hexdigest()[:16]}.so"
    try:
        if not _is_whole(library):
            _compile(compiler, [each for each in sources if each.suffix == ".cpp"], library)
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise NativeError(f"cannot keep compiled code in {library.parent}: {error}") from None


def _compiler() -> list[str]:
    """Its words: CXX may hold several, as in `ccache g++`."""
    named = os.environ.get("CXX", "")
    try:
        words = shlex.split(named)
    except ValueError as error:
        raise NativeError(f"CXX is {named!r}: {error}") from None
    for first, *others in [words] if words else [[name] for name in COMPILERS]:
        if path := shutil.which(first):
            return [path, *others]
    raise NativeError("there is no C++ compiler (install g++, or name one in CXX)")


def _version(compiler: list[str]) -> str:
    done = _run([*compiler, "--version"])
    return done.stdout.partition("\n")[0]


def _hash_file(library: Path) -> Path:
    return library.with_suffix(".sha256")


def _is_whole(library: Path) -> bool:
    """Whether the library is what the compiler wrote."""
    if not (library.exists() and _hash_file(library).exists()):
        return False
    digest = hashlib.sha256(library.read_bytes()).hexdigest()
    return _hash_file(library).read_text().strip() == digest


def _compile(compiler: list[str], sources: list[Path], library: Path) -> None:
    """Write library and hash, each whole or not at all, the hash last."""
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        draft = Path(folder) / library.name
        done = _run([*compiler, *FLAGS, "-o", str(draft), *map(str, sources)])
        if done.returncode:
            first = (done.stderr.strip() or "no message").splitlines()[0]
            raise NativeError(f"{' '.join(compiler)} cannot compile {sources[0].name}: {first}")
        digest = Path(folder) / "sha256"
        digest.write_text(hashlib.sha256(draft.read_bytes()).hexdigest())
        os.replace(draft, library)
        os.replace(digest, _hash_file(library))


def _run(words: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S
        )
    except OSError as error:
        raise NativeError(f"{words[0]} cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise NativeError(f"{words[0]} took longer than {TIMEOUT_S} s") from None
