"""The rows of the speed suite: stable names, what they mean, what they should reach.

Rows named gpu_* need a CUDA device; without one they have no value.
"""

from interplay.bench.scoring.rows import Row

BITS, PRICE, COMPARE, ENGINE, CAPACITY = "bits", "price", "compare", "engine", "capacity"
GPU, TRAINING = "gpu", "training"


def _ratio(name: str, what: str, reach: float) -> Row:
    return Row(name=name, kind=COMPARE, what=what, reach=reach, unit="number", statistic="sum")


def _share(name: str, what: str, reach: float) -> Row:
    return Row(name=name, kind=GPU, what=what, reach=reach, statistic="sum")


def _training(name: str, what: str) -> Row:
    return Row(name=name, kind=TRAINING, what=what, reach=None, statistic="sum")


ON_GPU = (
    Row(
        name="gpu_bits_differing",
        kind=GPU,
        what="bits that differ on the GPU between a whole session and the same in random pieces",
        reach=0,
        lower_is_better=True,
        unit="count",
        statistic="sum",
    ),
    Row(
        name="gpu_sessions",
        kind=GPU,
        what="sessions of `s` at once on the GPU, ten minutes without a tick over 200 ms",
        reach=2000,
        unit="count",
        statistic="sum",
    ),
    Row(
        name="gpu_tick_p99_ms",
        kind=GPU,
        what="a whole tick of one session of `s` that always speaks, 99th percentile",
        reach=None,
        lower_is_better=True,
        unit="ms",
        statistic="p99",
    ),
    _share("gpu_moe_mbu_1", "bandwidth at which 1 row's experts are read, of measured", 0.5),
    _share("gpu_moe_mbu_4", "the same of 4 rows, each expert read once", 0.6),
    _share("gpu_moe_mbu_16", "the same of 16 rows", 0.6),
    Row(
        name="gpu_vs_gptfast",
        kind=GPU,
        what="a decode step of `s` in plain compiled PyTorch with a static cache over ours",
        reach=1,
        unit="number",
        statistic="sum",
    ),
    _share("gpu_decode_mbu", "time that reading active weights takes, of a decode step", 0.55),
    _share("gpu_mfu_dense", "operations that training `s` needs, of a large product's", 0.4),
    _share("gpu_mfu_moe", "the same of `s-moe`", 0.3),
)
SPEED = (
    Row(
        name="bits_differing",
        kind=BITS,
        what="bits that differ between serving in random company and one training pass",
        reach=0,
        lower_is_better=True,
        unit="count",
        statistic="sum",
    ),
    Row(
        name="bits_price_tick",
        kind=PRICE,
        what="CPU time of a tick of `s`, stock products padded over unpadded, less one, float32",
        reach=0.05,
        lower_is_better=True,
        statistic="sum",
    ),
    Row(
        name="bits_price_tick_bf16",
        kind=PRICE,
        what="the same in bfloat16, where the processor multiplies it natively",
        reach=0.05,
        lower_is_better=True,
        statistic="sum",
    ),
    Row(
        name="bits_price_train",
        kind=PRICE,
        what="the same of a training step's forward and backward pass, the dearest batch",
        reach=0.02,
        lower_is_better=True,
        statistic="sum",
    ),
    _ratio("vs_transformers", "median tick of transformers over ours, the faster experts", 4),
    _ratio("vs_onnxruntime", "median tick of ONNX Runtime over ours", 2),
    _ratio("vs_llamacpp", "median tick of llama.cpp over ours", 1),
    Row(
        name="mbu_cpu",
        kind=COMPARE,
        what="bytes of weights, as they are kept, per second of a 4-row pass over read bandwidth",
        reach=0.5,
        statistic="sum",
    ),
    Row(
        name="tick_growth",
        kind=COMPARE,
        what="CPU time of a tick of an old session over that with the window just full, less one",
        reach=0.05,
        lower_is_better=True,
        statistic="sum",
    ),
    Row(
        name="tick_growth_hour",
        kind=ENGINE,
        what="CPU time of a whole tick after an hour over that with the window just full, less one",
        reach=0.05,
        lower_is_better=True,
        statistic="sum",
    ),
    Row(
        name="memory_growth_hour",
        kind=ENGINE,
        what="resident memory after that hour over that with the window just full, less one",
        reach=0.01,
        lower_is_better=True,
        statistic="sum",
    ),
    Row(
        name="s_tick_p99_ms",
        kind=ENGINE,
        what="a whole tick of `s` that always speaks, one thread, 99th percentile",
        reach=60,
        lower_is_better=True,
        unit="ms",
        statistic="p99",
    ),
    Row(
        name="s_sessions",
        kind=CAPACITY,
        what="sessions of `s` at once without a tick over 200 ms, one process per core",
        reach=6,
        unit="count",
        statistic="sum",
    ),
    Row(
        name="xs_sessions",
        kind=CAPACITY,
        what="the same of the shipped model",
        reach=24,
        unit="count",
        statistic="sum",
    ),
    _training("train_mfu_xs", "operations that training `xs` needs, of a large product's, CPU"),
    _training("train_mfu_s", "the same of `s`"),
    *ON_GPU,
)
