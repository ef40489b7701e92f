"""Snapshots that several processes write and any number of them can read (torch's DCP).

Knows nothing of training. A snapshot is a folder; it gets its name when everything is in it.
"""

import json
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from pickle import UnpicklingError

from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from interplay.errors import CheckpointError, DeviceError
from interplay.train import ranks
from interplay.train.snapshots import drop_old, snapshot_path

FACTS = "run.json"
SHARDS = ".dcp"


def save_shards(folder: Path, step: int, tensors: dict[str, Tensor], facts: dict) -> Path:
    """Write all ranks' rows of `tensors` (DTensors, or the same on every rank) and what JSON can
    hold; then drop all but the newest two. Raises DeviceError when the disk refuses."""
    path = snapshot_path(folder, step, SHARDS)
    part = path.with_suffix(".part")
    try:
        if ranks.is_first():
            shutil.rmtree(part, ignore_errors=True)
        ranks.wait()
        save(tensors, checkpoint_id=part)
        if ranks.is_first():
            (part / FACTS).write_text(json.dumps(facts))
            os.replace(part, path)
            drop_old(folder)
    except (OSError, CheckpointException) as error:
        raise DeviceError(
            f"cannot save {path}: {_first_line(error)}; the snapshot before it is whole; free some "
            "space and go on with --resume"
        ) from error
    ranks.wait()
    return path


def load_shards(path: Path, make_room: Callable[[Collection[str]], dict[str, Tensor]]) -> dict:
    """Fill the tensors that `make_room` gives with this rank's rows of those saved; returns the
    facts. make_room: is given the names that the snapshot holds.

    Raises CheckpointError for snapshots of one process and for damaged ones.
    """
    if path.suffix != SHARDS:
        raise CheckpointError(
            f"{path} was saved by one process; go on without torchrun, or choose another --out"
        )
    try:
        names = FileSystemReader(path).read_metadata().state_dict_metadata
        load(make_room(names.keys()), checkpoint_id=path)
        return json.loads((path / FACTS).read_text())
    except (OSError, EOFError, ValueError, UnpicklingError, CheckpointException) as error:
        raise CheckpointError(
            f"{path} cannot be read: {_first_line(error)}; delete it to go on from the snapshot "
            "before it"
        ) from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
