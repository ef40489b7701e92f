"""The tick as CUDA graphs, one per size of batch, with a camera and without. Knows nothing of
sessions or of what a tick does.

A tick of n sessions runs in the smallest bucket that holds them; what is left over works on a
scratch slot. Inputs and outputs pass through page-locked buffers of fixed places, and the host
waits once per tick. On a CPU the same buckets run without a graph.
"""

import torch
from torch import Tensor

from interplay.engine.static.tick import Buffers, StaticTick

NUM_WARM_UP = 2  # runs before a capture: kernels are compiled and libraries make their workspaces


def bucket_sizes(num_slots: int) -> list[int]:
    """1, 2, 4, ... and `num_slots` itself, ascending."""
    sizes = [1]
    while sizes[-1] * 2 < num_slots:
        sizes.append(sizes[-1] * 2)
    return sizes if num_slots == 1 else [*sizes, num_slots]


def bucket_of(num: int, sizes: list[int]) -> int:
    """The smallest size that holds `num` sessions."""
    return next(size for size in sizes if size >= num)


class _Bucket:
    """One batch size, with a camera or without: buffers on both sides, and the graph between them
    once it is captured."""

    def __init__(self, size: int, camera: bool, tick: StaticTick, scratch: int) -> None:
        device = tick.cache.k.device
        self._tick, self._on_gpu = tick, device.type == "cuda"
        self.host = Buffers.empty(size, torch.device("cpu"), camera=camera, pinned=self._on_gpu)
        self.device = Buffers.empty(size, device, camera=camera)
        self.device.slots.fill_(scratch)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._made: dict[str, Tensor] = {}
        self._out: dict[str, Tensor] = {}
        if self._on_gpu:
            self._capture()

    def _capture(self) -> None:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(NUM_WARM_UP):
                self._tick(self.device)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._made = self._tick(self.device)
        self._out = {
            name: torch.empty_like(x, device="cpu").pin_memory() for name, x in self._made.items()
        }

    def run(self) -> dict[str, Tensor]:
        """What the host's buffers ask for; the result is overwritten by the next run."""
        for name, source in self.host.tensors().items():
            getattr(self.device, name).copy_(source, non_blocking=True)
        if self._graph is None:
            return self._tick(self.device)
        self._graph.replay()
        for name, made in self._made.items():
            self._out[name].copy_(made, non_blocking=True)
        torch.cuda.current_stream().synchronize()
        return self._out


class TickGraphs:
    """Buckets for up to `num_slots` sessions, of a model with eyes twice: sessions with a camera
    have ticks of their own. The cache has one slot more, for scratch."""

    def __init__(self, tick: StaticTick) -> None:
        self.scratch = tick.cache.num_slots - 1
        assert self.scratch > 0, "one slot is for scratch"
        self.sizes = bucket_sizes(self.scratch)
        cameras = (False, True) if tick.model.config.see else (False,)
        self._buckets = {
            (size, camera): _Bucket(size, camera, tick, self.scratch)
            for camera in cameras
            for size in self.sizes
        }
        tick.cache.reset_slot(self.scratch)

    def buffers(self, num: int, *, camera: bool = False) -> Buffers:
        """The host's buffers for a tick of `num` sessions, to be filled in their first rows; the
        rows after them are made to work on the scratch slot."""
        host = self._bucket(num, camera).host
        host.slots[num:] = self.scratch
        return host

    def run(self, num: int, *, camera: bool = False) -> dict[str, Tensor]:
        """Advance the sessions in the buffers; outputs [bucket, ...], the first `num` rows count.
        They are overwritten by the next tick of the same bucket."""
        return self._bucket(num, camera).run()

    def _bucket(self, num: int, camera: bool) -> _Bucket:
        return self._buckets[bucket_of(num, self.sizes), camera]
