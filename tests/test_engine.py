"""The engine: batches, state as a value, corrections, refusals and constant memory."""

import functools
import itertools

import numpy as np
import pytest
import torch

from interplay.engine import memory
from interplay.engine.emit import SamplingConfig
from interplay.engine.engine import Engine
from interplay.engine.past import SessionState
from interplay.engine.session import Session
from interplay.engine.static.engine import DeviceEngine
from interplay.errors import ConfigError, RecordError, SessionError
from interplay.model.checkpoint import Loaded
from interplay.model.untrained import untrained
from interplay.turns.types import InputHalf, OutputHalf

CPU = torch.device("cpu")
DTYPES = [torch.float32, torch.bfloat16]


@functools.cache
def model(camera: bool = False) -> Loaded:
    return untrained("tiny", seed=1, camera=camera)


def engine(num_slots: int = 1, dtype: torch.dtype = torch.float32, **kwargs) -> Engine:
    return Engine(kwargs.pop("loaded", model()), num_slots=num_slots, dtype=dtype, **kwargs)


def half(seed: int, camera: bool = False, **kwargs) -> InputHalf:
    rng = np.random.default_rng(seed)
    see = rng.integers(0, 255, (12, 2, 40, 40, 3), np.uint8) if camera else None
    hear = (rng.standard_normal(3200) * 10.0 ** rng.uniform(-4, -0.5)).astype(np.float32)
    return InputHalf(
        hear=hear, read=tuple(rng.integers(1, 99, seed % 5).tolist()), see=see, **kwargs
    )


def equal(a: OutputHalf, b: OutputHalf) -> bool:
    return (
        (a.heard, a.say, a.act) == (b.heard, b.say, b.act)
        and np.array_equal(a.voice_on, b.voice_on)
        and np.array_equal(a.voice, b.voice)
    )


def run(session: Session, seeds: range, camera: bool = False) -> list[OutputHalf]:
    return [session.push(half(seed, camera)) for seed in seeds]


def assert_same(ones: list[OutputHalf], others: list[OutputHalf]) -> None:
    assert len(ones) == len(others)
    assert all(equal(a, b) for a, b in zip(ones, others, strict=True))


def test_the_untrained_model_wakes_every_part():
    outputs = run(engine().open(), range(30))
    on = np.concatenate([o.voice_on for o in outputs])
    assert 0 < on.mean() < 1, "voice goes on and off"
    assert len({o.say for o in outputs}) > 4 and len({o.heard for o in outputs}) > 4
    assert max(abs(o.voice).max() for o in outputs) > 1e-4


@pytest.mark.parametrize("dtype", DTYPES)
def test_sessions_in_a_batch_give_the_bits_of_sessions_alone(dtype):
    together = engine(3, dtype)
    sessions = [together.open(seed=i, first_turn=7 * i) for i in range(3)]
    outputs: list[list[OutputHalf]] = [[], [], []]
    for turn in range(12):
        present = [i for i in range(3) if (turn + i) % 3 or turn < 2]  # uneven lengths
        answers = together.tick({sessions[i]: half(100 * i + len(outputs[i])) for i in present})
        for i in present:
            outputs[i].append(answers[sessions[i]])
    for i in range(3):
        alone = engine(1, dtype).open(seed=i, first_turn=7 * i)
        assert_same(outputs[i], run(alone, range(100 * i, 100 * i + len(outputs[i]))))


def test_sampling_depends_on_the_seed_only():
    sampling = SamplingConfig(say_temperature=1.0, say_top_k=9)
    shared = engine(2, sampling=sampling)
    first, second = shared.open(seed=3), shared.open(seed=4)
    pairs = [shared.tick({first: half(t), second: half(t)}) for t in range(6)]
    alone = run(engine(1, sampling=sampling).open(seed=3), range(6))
    assert_same([pair[first] for pair in pairs], alone)
    assert any(pair[first].say != pair[second].say for pair in pairs)


def test_camera_and_no_camera_share_a_tick():
    seeing = model(camera=True)
    shared = engine(2, loaded=seeing)
    blind, sighted = shared.open(), shared.open()
    answers = [shared.tick({blind: half(t), sighted: half(t, True)}) for t in range(4)]
    assert_same([a[blind] for a in answers], run(engine(loaded=seeing).open(), range(4)))
    assert_same([a[sighted] for a in answers], run(engine(loaded=seeing).open(), range(4), True))
    assert not all(equal(a[blind], a[sighted]) for a in answers)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_copy_goes_on_with_the_same_bits(dtype):
    shared = engine(2, dtype)
    session = shared.open(seed=5)
    run(session, range(9))
    copy = session.copy()
    assert_same(run(session, range(50, 58)), run(copy, range(50, 58)))


def test_a_saved_session_goes_on_in_a_fresh_engine(tmp_path):
    session = engine().open(seed=5, prefix="tell me start stop one two three four")
    run(session, range(3))
    session.state().save(tmp_path / "session")
    rest = run(session, range(50, 58))
    restored = engine(2).restore(SessionState.load(tmp_path / "session"))
    assert restored.turn == 3
    assert_same(run(restored, range(50, 58)), rest)


def test_state_that_does_not_fit_is_refused(tmp_path):
    state = engine(dtype=torch.bfloat16).open().state()
    with pytest.raises(SessionError, match="another model or number format"):
        engine().restore(state)
    (tmp_path / "x").write_bytes(b"12345678901234567890")
    with pytest.raises(RecordError, match="damaged"):
        SessionState.load(tmp_path / "x")
    with pytest.raises(RecordError, match="does not exist"):
        SessionState.load(tmp_path / "y")


def test_the_prefix_is_read_first_and_delays_what_follows():
    tokens = model().tokenizer.encode("one two three")
    session = engine().open(prefix="one two three")
    seen = []
    for turn in range(4):
        session.push(InputHalf(hear=np.zeros(3200, np.float32), read=(70 + turn,)))
        assert session.trace is not None
        seen += session.trace.read
    expected = [*tokens, 1, 70, 71, 72, 73]
    assert [token for token in seen if token] == expected


@pytest.mark.parametrize("num_played", [0, 799, 800, 1700, 3199])
def test_what_was_not_played_is_as_if_never_said(num_played):
    speaking = untrained("tiny", seed=2, speaks="always")
    session = engine(loaded=speaking).open()
    run(session, range(5))
    session.push(half(5, num_played=num_played))
    trace = session.trace
    assert trace is not None and trace.correction is not None
    num_slots = num_played // 800
    assert trace.correction.said.voice_on.tolist() == [j < num_slots for j in range(4)]
    assert not trace.correction.said.voice[num_slots:].any()


def test_a_correction_gives_the_bits_of_a_session_with_that_history():
    speaking = untrained("tiny", seed=2, speaks="always")
    shared = engine(2, loaded=speaking)
    told, other = shared.open(), shared.open()
    run(told, range(5))
    run(other, range(5))
    # The other one is told by hand: same past, the half written over, then re-read slot by slot.
    said = other.past.said.played(1700)
    reads = said.read_after(other.past.before)
    shared.cache.truncate(1, int(shared.cache.length[1]) - 4)
    with torch.inference_mode():
        for j in range(4):
            shared.model.read_slot(
                reads.as_read()[None, j : j + 1],
                reads.voice[None, j : j + 1],
                reads.voice_on[None, j : j + 1],
                j,
                shared.cache,
                torch.tensor([1]),
                torch.float32,
            )
    other.past = type(other.past)(**{**vars(other.past), "said": said, "speaking": None})
    first = told.push(half(5, num_played=1700))
    assert equal(first, other.push(half(5)))
    assert_same(run(told, range(6, 9)), run(other, range(6, 9)))


def test_played_in_full_changes_nothing():
    shared = engine(2)
    first, second = shared.open(), shared.open()
    assert_same(
        run(first, range(6)), [second.push(half(seed, num_played=3200)) for seed in range(6)]
    )


@pytest.mark.parametrize("failing", [1, 2, 4])
@pytest.mark.parametrize("kind", ["engine", "static"])
def test_a_failed_correction_and_the_next_try_are_as_if_nothing_had_failed(
    kind, failing, monkeypatch
):
    """failing: the pass over output slots that finds no memory; the first one is the correction."""
    loaded = untrained("tiny", seed=2, speaks="always")
    if kind == "static":
        shared = DeviceEngine(loaded, device=CPU, num_slots=2, dtype=torch.float32)
    else:
        shared = engine(2, loaded=loaded)
    session, twin = shared.open(seed=3), shared.open(seed=3)
    for turn in range(2):
        shared.tick({session: half(turn), twin: half(turn)})
    shortened, lengths = half(5, num_played=1700), shared.cache.length.clone()
    with monkeypatch.context() as patch:
        _fail(patch, shared.model, failing)
        with pytest.raises(RuntimeError, match="no memory"):
            session.push(shortened)
    assert torch.equal(shared.cache.length, lengths) and session.num_turns == 2
    if failing == 4:  # the correction itself is undone: another one may follow, or none
        shortened = half(5)
    assert equal(session.push(shortened), twin.push(shortened))
    assert session.trace and twin.trace
    assert (session.trace.correction is None) == (twin.trace.correction is None) == (failing == 4)
    assert torch.equal(session.trace.numbers.log_probs, twin.trace.numbers.log_probs)
    assert equal(session.push(half(6)), twin.push(half(6)))


def _fail(patch, module, failing):
    """The call of `read_slot` with this number raises."""
    calls, read_slot = itertools.count(1), module.read_slot

    def fail(*args):
        if next(calls) == failing:
            raise RuntimeError("no memory")
        return read_slot(*args)

    patch.setattr(module, "read_slot", fail)


def test_an_aborted_tick_leaves_no_trace(monkeypatch):
    session, twin = engine().open(), engine().open()
    run(session, range(4))
    run(twin, range(4))
    with monkeypatch.context() as patch:
        patch.setattr("interplay.engine.engine.speak", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.push(half(99))
    assert session.num_turns == 4
    assert_same(run(session, range(4, 9)), run(twin, range(4, 9)))


def _interrupt(*_args):
    raise KeyboardInterrupt


def test_slots_run_out_and_come_back():
    small = engine(2)
    first, _ = small.open(), small.open()
    with pytest.raises(SessionError, match="all 2 session slots are taken"):
        small.open()
    first.close()
    first.close()
    assert small.num_free_slots == 1
    again = small.open()
    assert again.is_open and not first.is_open
    with pytest.raises(SessionError, match="closed"):
        first.push(half(0))
    assert_same(run(again, range(4)), run(engine().open(), range(4)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hear": np.zeros(3199, np.float32)}, r"shape \[3199\]"),
        ({"hear": np.zeros(3200)}, "float64"),
        ({"hear": np.full(3200, np.nan, np.float32)}, "NaN"),
        ({"read": (1, 2, 3, 4, 5)}, "at most 4"),
        ({"read": (99999,)}, "outside 0 to"),
        ({"num_played": 3201}, "num_played is 3201"),
        ({"see": np.zeros((12, 2, 40, 40, 3), np.uint8)}, "no eyes"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(change, message):
    session = engine().open()
    good = {"hear": np.zeros(3200, np.float32)}
    with pytest.raises(SessionError, match=message):
        session.push(InputHalf(**{**good, **change}))
    assert session.num_turns == 0 and session.is_open


def test_bad_frames_are_refused():
    session = engine(loaded=model(camera=True)).open()
    see = np.zeros((12, 2, 40, 40, 3), np.float32)
    with pytest.raises(SessionError, match="float32"):
        session.push(InputHalf(hear=np.zeros(3200, np.float32), see=see))


def test_bad_settings_are_refused():
    with pytest.raises(ConfigError, match="num_slots is 0"):
        engine(0)
    with pytest.raises(ConfigError, match="say_temperature"):
        SamplingConfig(say_temperature=-1.0)


def test_silence_is_exact_zeros_and_runs_no_vocoder(monkeypatch):
    quiet = untrained("tiny", speaks="never")
    monkeypatch.setattr(quiet.vocoder, "stream", _interrupt)
    outputs = run(engine(loaded=quiet).open(), range(5))
    assert not any(o.voice.any() or o.voice_on.any() for o in outputs)


def test_facts_say_what_was_chosen():
    facts = engine(dtype=torch.bfloat16).facts
    assert facts["number format"] == "bfloat16 (as asked for)"
    assert facts["threads"] == "1"


def test_slots_that_memory_cannot_hold_are_refused_at_the_start(tmp_path, monkeypatch):
    each = memory.slot_bytes(model().config.backbone, torch.float32)
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemAvailable: {(memory.SPARE_BYTES + 3 * each) // 1024} kB\n")
    monkeypatch.setattr(memory, "MEMINFO", meminfo)
    assert engine(3).num_slots == 3
    with pytest.raises(ConfigError, match=r"4 session slots need .* at most 3 fit"):
        engine(4)
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "nowhere")
    assert engine(4).num_slots == 4


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("group", ["", "a", "a/b"])  # the container's, one around ours, ours
def test_slots_that_a_container_cannot_hold_are_refused_at_the_start(
    tmp_path, monkeypatch, version, group
):
    each = memory.slot_bytes(model().config.backbone, torch.float32)
    names = ("memory.max", "memory.current", "inactive_file")
    if version == 1:
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    root = tmp_path / "memory" if version == 1 else tmp_path
    limited = root / group
    limited.mkdir(parents=True, exist_ok=True)
    own = "1:name=systemd:/\n3:cpu,memory:/a/b\n" if version == 1 else "1:cpu:/c\n0::/a/b\n"
    (tmp_path / "groups").write_text(own)
    (tmp_path / "meminfo").write_text("MemAvailable: 99999999 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "groups", raising=False)
    monkeypatch.setattr(memory, "GROUPS", tmp_path, raising=False)
    (limited / names[0]).write_text("max\n" if version == 2 else f"{2**63 - 4096}\n")
    (limited / names[1]).write_text(f"{3 * each}\n")
    assert memory.free_bytes() == 1024 * 99999999, "no limit"
    (limited / names[0]).write_text(f"{memory.SPARE_BYTES + 5 * each}\n")
    with pytest.raises(ConfigError, match=r"3 session slots need .* at most 2 fit"):
        engine(3)
    (limited / "memory.stat").write_text(f"anon 7\n{names[2]} {each}\n")
    assert engine(3).num_slots == 3
    with pytest.raises(ConfigError, match=r"4 session slots need .* at most 3 fit"):
        engine(4)


def test_a_failed_allocation_is_one_line(monkeypatch):
    def fail(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("interplay.model.backbone.Backbone.new_cache", fail)
    monkeypatch.setattr(memory, "slot_bytes", lambda *_: 1)
    with pytest.raises(ConfigError, match=r"no memory for 2 session slots .* use fewer"):
        engine(2)
