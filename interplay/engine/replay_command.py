"""`interplay replay RECORD`: is the recorded session what the trainer computes? Knows nothing of
how numbers are compared.
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from interplay.engine.precision import choose_operations
from interplay.engine.record import file_sha256, read_record
from interplay.engine.replay import check_operations, device_of, replay
from interplay.errors import RecordError
from interplay.model.checkpoint import Loaded, load_checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", type=Path, help="the folder of a recorded session")
    parser.add_argument(
        "--model", help="model name or file; by default the one that the record names"
    )


def run(args: argparse.Namespace) -> int:
    """0 when no bit differs, 1 when any does."""
    record = read_record(args.record)
    device = device_of(record)
    torch.set_num_threads(record.num_threads)  # before rows are tried: it may change their bits
    loaded = model_of(record.folder, record.about, args.model)
    chosen = choose_operations(loaded.model, loaded.vocoder, record.dtype, device)
    check_operations(record, chosen["operations"])
    report = replay(record, loaded, device)
    how = f"{len(record):,} micro-turns, made on {record.device}, {record.about['dtype']}, "
    how += report.passes
    print(f"{report} ({how})")
    return 1 if report.num_differing_bits else 0


def model_of(folder: Path, about: dict[str, Any], name: str | None) -> Loaded:
    """The model that made the record in `folder`. about: its record.json. name: of the model, or
    its file; None: the one that the record names. Raises RecordError for another one."""
    name = name or about["model"]
    if name is None:
        raise RecordError(f"{folder} names no model file; give one with --model")
    loaded = load_checkpoint(name)
    assert loaded.path is not None, "it was just read"
    if file_sha256(loaded.path) != about["model_sha256"]:
        raise RecordError(
            f"{loaded.path} is not the model that made {folder} (their sha256 differ); "
            "give the right one with --model"
        )
    return loaded
