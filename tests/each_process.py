"""What every test runs under: one thread, and scratch memory that shows when it was not written.

A plugin of every process that runs tests (conftest.py). Knows nothing of the subjects under test.
"""

import functools
import gc
import importlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch
import torch.utils._device
from signatures import check_cheaply

check_cheaply()  # before anything of ours is imported
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when a kernel's module is imported
torch.set_num_threads(1)  # workers run side by side; and timing tests must not fight for cores


def _poisoned(allocate):
    """`allocate` with its uninitialized result filled by NaN, or the largest integer."""

    @functools.wraps(allocate)
    def wrapper(*args, **kwargs):
        tensor = allocate(*args, **kwargs)
        with torch.no_grad():
            if tensor.is_floating_point() or tensor.is_complex():
                return tensor.fill_(float("nan"))
            return tensor.fill_(1 if tensor.dtype == torch.bool else torch.iinfo(tensor.dtype).max)

    return wrapper


# Remembered on first use: filled while `torch.empty` is replaced, it would miss the real one, and
# `with torch.device("meta")` would allocate.
torch.utils._device._device_constructors()


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[object]:
    """What is loaded stays: no search for garbage has to walk it, neither meanwhile nor later."""
    gc.disable()
    try:
        _begin_elsewhere(session.config)
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _begin_elsewhere(config: pytest.Config) -> None:
    """Workers that load all tests begin with different files: in a fresh checkout nothing is
    compiled, and each then finds compiled what another has been through."""
    worker = getattr(config, "workerinput", None)
    if worker is None or config.args != config.getini("testpaths"):
        return
    names = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py"))
    number = int(worker["workerid"].removeprefix("gw"))
    for name in names[len(names) * number // worker["workercount"] :] if number else ():
        with suppress(Exception, pytest.skip.Exception):  # collection says what is wrong
            importlib.import_module(name)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Whatever the test before has left: the thread count of torch is of the whole process, and
    which tests share a process changes from run to run."""
    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def nan_filled_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    """`torch.empty` and its relatives give NaN, so code that reads what it never wrote fails.

    Patched by hand: torch's own switch (`fill_uninitialized_memory`) acts only together with
    `use_deterministic_algorithms`, which would run other kernels than users run.
    """
    monkeypatch.setattr(torch, "empty", _poisoned(torch.empty))
    monkeypatch.setattr(torch, "empty_like", _poisoned(torch.empty_like))
    monkeypatch.setattr(torch.Tensor, "new_empty", _poisoned(torch.Tensor.new_empty))
