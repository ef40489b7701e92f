"""Ticks of fixed shapes against the plain engine, on the CPU and without capture: same tokens, same
sound, whatever shares the batch; and with a GPU, captured."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interplay.clock import NUM_SLOTS, SAMPLES_PER_TURN
from interplay.engine import memory
from interplay.engine.choose import open_engine
from interplay.engine.emit import SamplingConfig
from interplay.engine.engine import Engine
from interplay.engine.speech import Speaking, speak
from interplay.engine.static import graphs
from interplay.engine.static.engine import DeviceEngine
from interplay.engine.static.memory import follow, read_pairs, remember
from interplay.engine.static.sound import DeviceDmel, speak_slots
from interplay.errors import ConfigError, DeviceError, SessionError
from interplay.media.dmel import DmelConfig, StreamingDmel, quantize
from interplay.model.griffin_lim import GriffinLim
from interplay.model.ring_cache import RingCache
from interplay.model.untrained import untrained
from interplay.ops import kernels
from interplay.ops.kernels import choose_kernels
from interplay.turns import follow as plain_follow
from interplay.turns import layout
from interplay.turns.types import PAD, SEE_SHAPE, InputHalf

CPU = torch.device("cpu")
SAMPLING = SamplingConfig(say_temperature=0.7)
NUM_TURNS = 4


@pytest.fixture(scope="module")
def loaded():
    return untrained(seed=2)


@pytest.fixture(scope="module")
def with_eyes():
    return untrained(seed=2, camera=True)


def halves(seed: int, camera: str = "....") -> list[InputHalf]:
    """camera: "o" for each micro-turn in which it is on."""
    rng = np.random.default_rng(seed)
    sound = rng.normal(0, 0.1, (NUM_TURNS, SAMPLES_PER_TURN)).astype(np.float32)
    tiles = rng.integers(0, 256, (NUM_TURNS, *SEE_SHAPE), np.uint8)
    return [
        InputHalf(
            hear=sound[i],
            read=(80 + i, 81) if i % 2 else (),
            see=tiles[i] if camera[i] == "o" else None,
        )
        for i in range(NUM_TURNS)
    ]


def engine_of(kind, loaded, num_slots=3):
    if kind is Engine:
        return Engine(loaded, num_slots=num_slots, dtype=torch.float32, sampling=SAMPLING)
    return DeviceEngine(
        loaded, device=CPU, num_slots=num_slots, dtype=torch.float32, sampling=SAMPLING
    )


def test_buckets_hold_every_number_of_sessions():
    assert graphs.bucket_sizes(1) == [1] and graphs.bucket_sizes(2) == [1, 2]
    assert graphs.bucket_sizes(2000)[-2:] == [1024, 2000]
    sizes = graphs.bucket_sizes(12)
    assert [graphs.bucket_of(n, sizes) for n in (1, 2, 3, 8, 9, 12)] == [1, 2, 4, 8, 12, 12]


def test_memory_follows_as_on_the_host():
    rng = np.random.default_rng(0)
    ours, plain = torch.from_numpy(plain_follow.no_memory(6)), plain_follow.no_memory(6)
    for _ in range(40):
        tokens = np.where(rng.random((6, 4)) < 0.7, rng.integers(70, 78, (6, 4)), PAD)
        tokens = tokens.astype(np.int32)
        plain = plain_follow.remember(plain, tokens)
        ours = remember(ours, torch.from_numpy(tokens))
        assert np.array_equal(ours.numpy(), plain)
        assert np.array_equal(follow(ours).numpy(), plain_follow.follow(plain))
    read = rng.integers(0, 2, (6, 4)).astype(np.int32) * 90
    for one, two in zip(
        read_pairs(torch.from_numpy(read), ours), layout.read_pairs(read, plain), strict=True
    ):
        assert np.array_equal(one.numpy(), two)


def test_ears_hear_as_on_the_host():
    config = DmelConfig(subframes=4)
    sound = np.random.default_rng(1).normal(0, 0.1, (2, 2, SAMPLES_PER_TURN)).astype(np.float32)
    ours, plain = DeviceDmel(config, CPU), StreamingDmel(config)
    tail, tails = torch.zeros(2, config.tail), [plain.initial_state()] * 2
    for turn in range(2):
        bins, tail = ours.push(torch.from_numpy(sound[:, turn]), tail)
        for row in range(2):
            mel, tails[row] = plain.push(sound[row, turn], tails[row])
            assert (bins[row].numpy() != quantize(mel)).mean() < 1e-3  # between two bins
            assert np.array_equal(tail[row].numpy(), tails[row])


def test_mouth_speaks_as_on_the_host(loaded):
    torch.manual_seed(0)
    patterns = [[1, 1, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 1]]
    past: list[Speaking | None] = [None] * 4
    state, frame = loaded.vocoder.initial_state(4), torch.zeros(4, 80)
    speaking = torch.zeros(4, dtype=torch.bool)
    for turn in range(3):
        voice_on = torch.tensor(patterns[turn:] + patterns[:turn], dtype=torch.bool)
        mel = torch.randn(4, NUM_SLOTS, 4, 80) - 3
        with torch.inference_mode():
            plain, past = speak(loaded.vocoder, mel, voice_on, past)
            ours, state, frame, speaking = speak_slots(
                loaded.vocoder, mel, voice_on, state, frame, speaking
            )
        assert torch.equal(ours, plain)


@pytest.mark.parametrize("cameras", [("....", "...."), ("oo.o", ".oo.")], ids=["blind", "seeing"])
def test_ticks_give_what_the_plain_engine_gives(loaded, with_eyes, cameras):
    """Two sessions, the second one alone in some ticks; one is interrupted, one is moved."""
    taken = {}
    for kind in (Engine, DeviceEngine):
        engine = engine_of(kind, with_eyes if "o" in cameras[0] else loaded)
        one, two = engine.open(seed=5, prefix="say one two"), engine.open(seed=6, first_turn=9)
        out = []
        pairs = zip(halves(1, cameras[0]), halves(2, cameras[1]), strict=True)
        for i, (a, b) in enumerate(pairs):
            if i == 2:
                a = replace(a, num_played=900)
                two = two.copy()
            made = engine.tick({two: b} if i == 1 else {two: b, one: a})
            out += [made[s] for s in (one, two) if s in made]
            assert two.trace is not None and two.trace.turn == 9 + i
        taken[kind] = out
    assert any(half.voice_on.any() for half in taken[Engine])
    for ours, plain in zip(taken[DeviceEngine], taken[Engine], strict=True):
        assert (ours.heard, ours.say, ours.act) == (plain.heard, plain.say, plain.act)
        assert np.array_equal(ours.voice_on, plain.voice_on)
        np.testing.assert_allclose(ours.voice, plain.voice, atol=2e-3)


def test_a_session_does_not_notice_the_others(with_eyes):
    alone, shared = (engine_of(DeviceEngine, with_eyes, num) for num in (1, 5))
    other = [shared.open(seed=i) for i in range(2)]
    one, two = alone.open(seed=7), shared.open(seed=7)
    for i, half in enumerate(halves(3, ".oo.")):
        single = alone.tick({one: half})[one]
        both = shared.tick({other[0]: halves(4)[i], two: half, other[1]: halves(5, "..oo")[i]})[two]
        assert np.array_equal(single.voice, both.voice)
        assert one.trace and two.trace
        assert torch.equal(one.trace.numbers.log_probs, two.trace.numbers.log_probs)


def test_what_it_cannot_do_is_one_line(loaded):
    with pytest.raises(ConfigError, match="no trained vocoder"):
        engine_of(DeviceEngine, replace(loaded, vocoder=GriffinLim()))
    engine = engine_of(DeviceEngine, loaded, 1)
    session = engine.open()
    with pytest.raises(SessionError, match="all 1 session slots"):
        engine.open()
    session.close()
    with pytest.raises(SessionError, match="closed"):
        engine.tick({session: halves(1)[0]})


def test_the_way_is_chosen_by_name(loaded, monkeypatch):
    assert type(open_engine(loaded, num_slots=2)) is Engine
    static = open_engine(loaded, device="static", num_slots=2)
    assert isinstance(static, DeviceEngine) and static.num_slots == 2
    assert static.facts["device"] == "cpu, ticks of fixed shapes"
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(DeviceError, match="there is no cuda here"):
        open_engine(loaded, device="cuda")


def test_static_slots_that_memory_cannot_hold_are_refused(loaded, tmp_path, monkeypatch):
    each = memory.slot_bytes(loaded.config.backbone, torch.float32, RingCache)
    meminfo = tmp_path / "meminfo"  # one slot more is for scratch
    meminfo.write_text(f"MemAvailable: {(memory.SPARE_BYTES + 3 * each) // 1024} kB\n")
    monkeypatch.setattr(memory, "MEMINFO", meminfo)
    assert engine_of(DeviceEngine, loaded, 2).num_slots == 2
    with pytest.raises(ConfigError, match=r"3 session slots need .* at most 2 fit"):
        engine_of(DeviceEngine, loaded, 3)


@pytest.mark.parametrize("where", ["midway", "after"])
def test_a_tick_that_fails_moves_no_session(with_eyes, where, monkeypatch):
    engine = engine_of(DeviceEngine, with_eyes, 2)
    session, twin = (engine.open(seed=4, prefix="say one two") for _ in range(2))
    assert isinstance(engine, DeviceEngine)
    first, second = halves(1, ".o..")[:2]
    engine.tick({session: first, twin: first})
    before, read_slot, run = session.past, engine.model.read_slot, engine._graphs.run

    def stop_midway(*args):
        if args[3] == 2:  # the third output slot
            raise RuntimeError
        return read_slot(*args)

    def stop_after(num, **kwargs):
        run(num, **kwargs)
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(engine.model, "read_slot", stop_midway if where == "midway" else read_slot)
        patch.setattr(engine._graphs, "run", stop_after if where == "after" else run)
        with pytest.raises(RuntimeError):
            engine.tick({session: second})
    assert session.past is before
    ours, theirs = session.push(second), twin.push(second)
    assert (ours.heard, ours.say, ours.act) == (theirs.heard, theirs.say, theirs.act)
    assert np.array_equal(ours.voice, theirs.voice)
    assert session.trace and twin.trace
    assert torch.equal(session.trace.numbers.log_probs, twin.trace.numbers.log_probs)


def test_a_gpu_without_kernels_is_refused_if_asked(monkeypatch):
    gpu = torch.device("cuda")
    monkeypatch.setattr(kernels, "_chosen", set())
    monkeypatch.setattr(kernels.os, "environ", {})
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (7, 5))
    assert "rows depend on the batch: compute capability (7, 5)" in choose_kernels(gpu)
    with pytest.raises(ConfigError, match="without --strict"):
        choose_kernels(gpu, strict=True)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError("Failed to find C compiler. Please specify CC.\nmore"), "find C compiler"),
        (AssertionError(), "a kernel does not run: AssertionError"),
    ],
)
def test_kernels_that_do_not_run_are_not_chosen(error, line, monkeypatch):
    def fail(device):
        raise error

    gpu = torch.device("cuda")
    monkeypatch.setattr(kernels, "_chosen", set())
    monkeypatch.setattr(kernels.os, "environ", {})
    monkeypatch.setattr(kernels, "find_spec", lambda name: True)
    monkeypatch.setattr(kernels, "try_kernel", fail, raising=False)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (9, 0))
    said = choose_kernels(gpu)
    assert "rows depend on the batch" in said and line in said and "\n" not in said
    assert not kernels._chosen
    with pytest.raises(ConfigError, match="without --strict"):
        choose_kernels(gpu, strict=True)
    monkeypatch.setattr(kernels, "try_kernel", lambda device: None)
    assert choose_kernels(gpu, strict=True).startswith("triton") and kernels._chosen == {"cuda"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_captured_ticks_equal_themselves_alone(with_eyes):
    device = torch.device("cuda")
    made = []
    for num_others in (0, 6):
        engine = DeviceEngine(with_eyes, device=device, num_slots=8, sampling=SAMPLING)
        others = [engine.open(seed=i) for i in range(num_others)]
        one = engine.open(seed=7)
        for i, half in enumerate(halves(3, "..oo")):
            out = engine.tick({one: half} | {s: halves(9, ".o.o")[i] for s in others})[one]
            made.append(out.voice)
    for alone, together in zip(made[:NUM_TURNS], made[NUM_TURNS:], strict=True):
        assert np.array_equal(alone, together)
