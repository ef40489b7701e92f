"""States of a run on disk: written whole or not at all, the last two kept.

Knows nothing of what a state holds.
"""

import io
import os
import re
import shutil
from pathlib import Path

import torch

from interplay.errors import CheckpointError, DeviceError

NUM_KEPT = 2
WHOLE = ".pt"
_NAME = re.compile(r"step_\d{8}\.(pt|dcp)")  # of one process, of several (train.shard_files)


def prepare_folder(folder: Path) -> None:
    """Make the folder and try to write there. Raises DeviceError before any work is lost."""
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise DeviceError(
            f"cannot write to {folder}: {error.strerror}; choose another folder with --out"
        ) from error


def snapshots(folder: Path) -> list[Path]:
    """The states in a folder, oldest first."""
    return sorted(path for path in folder.glob("step_*") if _NAME.fullmatch(path.name))


def snapshot_path(folder: Path, step: int, suffix: str) -> Path:
    return folder / f"step_{step:08d}{suffix}"


def drop_old(folder: Path) -> None:
    """All but the newest two."""
    for old in snapshots(folder)[:-NUM_KEPT]:
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink()


def save_snapshot(folder: Path, step: int, state: dict) -> Path:
    """Write `state` as that of `step`, then drop all but the newest two.

    Raises DeviceError when the disk refuses; what was there before is still there then.
    """
    path = snapshot_path(folder, step, WHOLE)
    part = path.with_suffix(".part")
    buffer = io.BytesIO()  # torch's own file writer turns a full disk into a RuntimeError
    torch.save(state, buffer)
    try:
        with part.open("wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DeviceError(
            f"cannot save {path}: {error.strerror}; the snapshot before it is whole; "
            "free some space and go on with --resume"
        ) from error
    drop_old(folder)
    return path


def load_snapshot(path: Path) -> dict:
    """Inverse of `save_snapshot`, in main memory: a run may go on on another kind of device.

    Raises CheckpointError when the file is damaged or was written by several processes.
    """
    if path.suffix != WHOLE:
        raise CheckpointError(
            f"{path} was saved under torchrun; go on with `torchrun -m interplay train ...`, which "
            "may have one process only"
        )
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read: {str(error).splitlines()[0]}; delete it to go on from the "
            "snapshot before it"
        ) from error
