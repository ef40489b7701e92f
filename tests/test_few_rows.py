"""Products of few rows: the bits of large ones, proven at start-up; reasons where not."""

import functools
import hashlib
import shutil

import pytest
import torch
import torch.nn.functional as F

from interplay.engine import precision
from interplay.engine.engine import Engine
from interplay.engine.precision import choose_products
from interplay.errors import ConfigError
from interplay.model.untrained import untrained
from interplay.ops import few_rows, native
from interplay.ops.few_layers import FEW_LAYERS
from interplay.ops.few_norms import FEW_NORMS, FewNorms
from interplay.ops.few_rows import MAX_ROWS, MAX_ROWS_IN_PLACE, FewRows
from interplay.ops.linear import linear
from interplay.ops.native import NativeError
from interplay.ops.norm import stock_norm, stock_norm_and_rotate
from interplay.ops.packed import INT8_MAX, Kind

SHAPES = [(320, 192), (192, 512), (70, 64), (13, 1408), (512, 256), (192, 320)]


def values(kind, n, k):
    """A random weight of one kind."""
    weight = torch.randn(n, k)
    if kind == Kind.HALF:
        return weight.half().float()
    scale = weight.abs().amax(-1, keepdim=True) / INT8_MAX
    return (weight / scale).round() * scale if kind == Kind.BYTE else weight


@pytest.fixture(scope="module")
def prepared():
    """A kernel of its own, where this machine has one."""
    kernel = FewRows()
    try:
        kernel.prepare(SHAPES)
    except NativeError as error:
        pytest.skip(str(error))
    return kernel


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache of compiled code."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "interplay"


@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_few_rows_have_the_bits_of_many(prepared, n, k):
    torch.manual_seed(n)
    x, weight = torch.randn(300, k), torch.randn(n, k)
    with torch.inference_mode():
        whole = F.linear(x, weight)
        for first, num_rows in ((0, 1), (7, 2), (11, 3), (40, 5), (292, MAX_ROWS_IN_PLACE)):
            out = prepared.product(x[first : first + num_rows], weight)
            assert (out is None) == ((n, k) not in prepared.blocks)
            assert out is None or torch.equal(out, whole[first : first + num_rows])


def test_only_proven_shapes_without_gradients_are_taken(prepared):
    x, weight = torch.randn(2, 192), torch.randn(320, 192)
    assert prepared.product(x, weight) is None, "gradients are on"
    with torch.inference_mode():
        assert prepared.product(x, weight) is not None
        assert prepared.product(torch.randn(MAX_ROWS_IN_PLACE + 1, 192), weight) is None
        assert prepared.product(torch.randn(2, 64), torch.randn(320, 64)) is None
        assert prepared.product(x.bfloat16(), weight.bfloat16()) is None
        assert prepared.product(x, torch.randn(192, 320).T) is None


@pytest.mark.parametrize(("n", "k"), [*SHAPES, (40, 70), (802, 400)])
@pytest.mark.parametrize("kind", Kind)
def test_kept_weights_have_the_bits_of_large_products(prepared, n, k, kind):
    torch.manual_seed(n)
    try:
        prepared.prepare([(n, k)])
    except NativeError:
        pytest.skip("no recipe")
    x, weight = torch.randn(300, k), values(kind, n, k)
    prepared.keep([weight])
    with torch.inference_mode():
        whole = F.linear(x, weight)
        for first, num_rows in ((0, 1), (7, 2), (11, 3), (40, 5), (100, 16), (236, MAX_ROWS)):
            out = prepared.product(x[first : first + num_rows], weight)
            assert (out is None) == ((n, k) not in prepared.blocks)
            assert out is None or torch.equal(out, whole[first : first + num_rows])
        assert prepared.product(x[: MAX_ROWS + 1], weight) is None


@pytest.mark.parametrize("share", [0, 1 / 64, 1 / 16, 1 / 3, 1])
def test_terms_of_zero_are_left_out_without_a_trace(prepared, share):
    """Sound is one-hot vectors: of 16 terms 15 are zero."""
    torch.manual_seed(2)
    weight = values(Kind.HALF, 192, 512)
    x = torch.randn(300, 512) * (torch.rand(300, 512) < share)
    x[3] = torch.randn(512)  # beside dense rows, too
    prepared.keep([weight])
    with torch.inference_mode():
        whole = F.linear(x, weight)
        for first, num_rows in ((0, 1), (0, 4), (1, 6), (100, 1), (200, MAX_ROWS)):
            out = prepared.product(x[first : first + num_rows], weight)
            assert out is not None and torch.equal(out, whole[first : first + num_rows])


def test_a_kept_weight_that_changes_is_packed_anew(prepared):
    weight, x = torch.nn.Parameter(torch.randn(320, 192)), torch.randn(3, 192)
    prepared.keep([weight])

    def both_ways():
        with torch.inference_mode():
            found = prepared.product(x, weight)
            assert torch.equal(found, F.linear(F.pad(x, (0, 0, 0, 61)), weight)[:3])
        return found

    first = both_ways()
    with torch.no_grad():
        weight.mul_(2)
    second = both_ways()
    weight.data = torch.randn(320, 192)
    third = both_ways()
    assert torch.equal(second, 2 * first) and not torch.equal(second, third)


def test_a_kept_weight_is_not_kept_alive(prepared):
    weight = torch.randn(320, 192)
    num = len(prepared._kept)
    prepared.keep([weight])
    assert len(prepared._kept) == num + 1
    del weight
    assert len(prepared._kept) == num


def test_a_recipe_that_no_block_explains_stays_stock(prepared, monkeypatch):
    monkeypatch.setattr(few_rows.F, "linear", lambda x, w: x @ w.T * (1 + 2**-23))
    assert prepared.find_block(64, 64) is None


def test_linear_is_the_same_with_and_without(monkeypatch):
    weight, x = torch.randn(320, 192), torch.randn(3, 192)
    kernel = FewRows()
    try:
        kernel.prepare([(320, 192)])
    except NativeError as error:
        pytest.skip(str(error))
    monkeypatch.setattr("interplay.ops.linear.FEW_ROWS", kernel)
    with torch.inference_mode():
        fast = linear(x, weight)
        kernel.enabled = False
        assert torch.equal(linear(x, weight), fast)


@pytest.fixture
def refuse(monkeypatch, tmp_path):
    """Makes the native code impossible in a named way."""
    return functools.partial(_refuse, monkeypatch, tmp_path)


def _refuse(monkeypatch, tmp_path, why):
    monkeypatch.setattr(few_rows.FEW_ROWS, "_library", None)
    if why == "program":
        broken = tmp_path / "c++"
        broken.write_text("no program\n")
        broken.chmod(0o755)
        monkeypatch.setenv("CXX", f"{broken} -v")
    elif why == "quotes":
        monkeypatch.setenv("CXX", "g++ '")
    elif why == "home":
        monkeypatch.setenv("CXX", "true")
        for name in ("HOME", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    elif why == "compiler":
        monkeypatch.setenv("CXX", "no-such-compiler")
    elif why == "processor":
        monkeypatch.setattr(native.torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    else:
        monkeypatch.setattr(native.torch, "get_num_threads", lambda: 2)


@pytest.mark.parametrize(
    ("why", "line"),
    [
        ("compiler", "no C++ compiler"),
        ("program", "c++ cannot be run: Exec format error"),
        ("quotes", "No closing quotation"),
        ("home", "no home folder"),
        ("processor", "the processor has DEFAULT, not AVX2"),
        ("threads", "torch has 2 threads"),
    ],
)
def test_a_slower_way_is_named_or_refused(refuse, why, line):
    loaded = untrained()
    refuse(why)
    said = choose_products(loaded.model, None, torch.float32, strict=False)
    assert said.startswith("stock") and line in said
    with pytest.raises(ConfigError, match=r"run without --strict"):
        choose_products(loaded.model, None, torch.float32, strict=True)


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("layers", "layers are not one call: heads are odd"),
        ("weights", "layers are not one call: weights do not lie"),
        ("shape", "64 x 128 products are stock"),
        ("norm", "norms 64 wide are stock"),
    ],
)
def test_one_slower_part_is_refused_if_asked(monkeypatch, part, line):
    loaded = untrained()
    said = choose_products(loaded.model, loaded.vocoder, torch.float32, strict=False)
    if "in one call" not in said:
        pytest.skip(said)
    slow_here = ""  # a library may do some product by a recipe that no block explains
    try:
        assert choose_products(loaded.model, loaded.vocoder, torch.float32, strict=True) == said
    except ConfigError as error:
        slow_here = str(error)
    assert line not in slow_here

    def fail(shape):
        raise NativeError("heads are odd")

    if part == "layers":
        monkeypatch.setattr(FEW_LAYERS, "prepare", fail)
    elif part == "weights":
        monkeypatch.setattr(precision, "pack_layers", lambda *args, **kwargs: None)
    elif part == "shape":
        blocks = {shape: at for shape, at in few_rows.FEW_ROWS.blocks.items() if shape != (64, 128)}
        monkeypatch.setattr(few_rows.FEW_ROWS, "blocks", blocks)
        monkeypatch.setattr(FewRows, "find_block", lambda *args: None)
    else:
        monkeypatch.setattr(FEW_NORMS, "widths", FEW_NORMS.widths - {64})
        monkeypatch.setattr(FewNorms, "_holds", lambda *args: False)
    with pytest.raises(ConfigError, match=line) as caught:
        choose_products(loaded.model, loaded.vocoder, torch.float32, strict=True)
    assert str(caught.value).endswith("run without --strict") and "\n" not in str(caught.value)
    slower = choose_products(loaded.model, loaded.vocoder, torch.float32, strict=False)
    assert slower != said, "it is told at start"


def test_the_engine_says_what_it_chose(refuse):
    refuse("compiler")
    loaded = untrained()
    assert "no C++ compiler" in Engine(loaded, dtype=torch.float32).facts["few rows"]
    with pytest.raises(ConfigError, match="no C"):
        Engine(loaded, dtype=torch.float32, strict=True)


def compiled(tmp_path):
    """A library that does nothing, compiled into the cache."""
    source = tmp_path / "nothing.cpp"
    source.write_text('extern "C" int answer() { return 42; }\n')
    try:
        return source, native.load(source)
    except NativeError as error:
        pytest.skip(str(error))


def test_what_is_compiled_once_is_not_compiled_again(cache, tmp_path, monkeypatch):
    source, library = compiled(tmp_path)
    assert library.answer() == 42
    monkeypatch.setattr(native, "_compile", lambda *_: pytest.fail("compiled again"))
    assert native.load(source).answer() == 42


def test_the_compiler_may_be_several_words(cache, tmp_path, monkeypatch):
    source, _ = compiled(tmp_path)
    for file in cache.iterdir():
        file.unlink()
    name = next(name for name in native.COMPILERS if shutil.which(name))
    monkeypatch.setenv("CXX", f"env {name}")  # as one writes `ccache g++`
    assert native.load(source).answer() == 42


@pytest.mark.parametrize("damage", ["library", "hash"])
def test_a_half_written_cache_is_made_anew(cache, tmp_path, damage):
    source, _ = compiled(tmp_path)
    (library,), (digest,) = cache.glob("*.so"), cache.glob("*.sha256")
    whole = library.read_bytes()
    victim = library if damage == "library" else digest
    victim.unlink()  # the loaded one stays mapped
    victim.write_bytes(whole[: len(whole) // 2] if damage == "library" else b"")
    assert native.load(source).answer() == 42
    assert hashlib.sha256(library.read_bytes()).hexdigest() == digest.read_text()
    assert len(list(cache.iterdir())) == 2, "no drafts are left"


def test_what_does_not_compile_is_told_in_one_line(cache, tmp_path):
    compiled(tmp_path)
    source = tmp_path / "wrong.cpp"
    source.write_text("wrong\n")
    with pytest.raises(NativeError, match=r"cannot compile wrong\.cpp: .*error") as caught:
        native.load(source)
    assert "\n" not in str(caught.value)


def test_a_cache_that_cannot_be_written_is_a_reason(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    source = tmp_path / "nothing.cpp"
    source.write_text("\n")
    with pytest.raises(NativeError, match=r"cannot keep compiled code|no C\+\+ compiler"):
        native.load(source)


@pytest.mark.parametrize("width", [64, 96, 192, 512, 1408, 3072])
def test_norms_in_one_call_have_the_bits_of_many(width):
    kernel = FewNorms()
    try:
        kernel.prepare([width], stock_norm, stock_norm_and_rotate)
    except NativeError as error:
        pytest.skip(str(error))
    if width not in kernel.widths:
        pytest.skip("this processor adds rows up in another order")
    torch.manual_seed(width)
    x, weight = torch.randn(2, 4, 7, width), torch.randn(4, width)
    cos, sin = torch.randn(2, 4, width // 2), torch.randn(2, 4, width // 2)
    with torch.inference_mode():
        assert torch.equal(kernel.norm(x, weight[0], 1e-6), stock_norm(x, weight[0], 1e-6))
        part = x[:, :, 2:6]  # heads of wider rows
        rotated = kernel.rotate(part, weight, cos, sin, 1e-6)
        assert torch.equal(rotated, stock_norm_and_rotate(part, weight, cos, sin, 1e-6))


def test_a_norm_of_other_bits_or_another_width_stays_stock():
    kernel = FewNorms()
    try:
        kernel.prepare([64, 72], lambda *a: stock_norm(*a) + 1, stock_norm_and_rotate)
    except NativeError as error:
        pytest.skip(str(error))
    assert not kernel.widths
    assert not kernel.takes(torch.ones(2, 64), torch.ones(64))
