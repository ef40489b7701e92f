"""The same weights in ONNX Runtime: a graph of its fused operators, the past kept in place.

RMSNorm, rotary positions, grouped-query attention with a sliding window over shared buffers and the
mixture of experts are the operators its own tools export to. Keys are rotated before attention gets
them, not within, so that those which the window has left can be taken out of the buffers: the
operator computes every key that is there, seen or not. Knows nothing of how it is timed.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.bench.speed.workload import Workload
from interplay.model.backbone import BackboneConfig, rope_tables
from interplay.model.checkpoint import INT8_MAX

FUSED = "com.microsoft"
OPSET, IR_VERSION = 21, 10
BLOCK = 128  # weights that share a scale, in the format of quantised products
SPARE = 128  # positions in a buffer behind the window: the more, the rarer it is moved
ACCURACY = {"int8": 1, "rounded": 4}  # of MatMulNBits: sums of fp32, or of rows rounded to int8


class OnnxRuntime:
    """One session of ONNX Runtime on as many threads as torch has.

    kind: how dense products keep weights and compute: `float32`, `int8` (weights only, which loses
    nothing of weights that are int8 times a scale) or `rounded` (rows, too). Experts stay float32.
    """

    def __init__(self, work: Workload, max_positions: int, kind: str = "float32") -> None:
        import onnx  # noqa: F401  # pyright: ignore[reportMissingImports]
        import onnxruntime as ort  # pyright: ignore[reportMissingImports]

        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = torch.get_num_threads()
        model = _Graph(work, max_positions, kind).model()
        self._session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        config = work.config
        self.window = config.window
        shape = (1, config.num_kv_heads, config.window + SPARE, config.head_dim)
        names = [f"{kind}{i}" for i in range(config.num_layers) for kind in "kv"]
        self._past = {name: torch.zeros(shape) for name in names}
        self._binding = self._session.io_binding()
        for name, value in self._past.items():
            place = ("cpu", 0, np.float32, shape, value.data_ptr())
            self._binding.bind_input(name, *place)
            self._binding.bind_output(f"{name}_new", *place)
        self._binding.bind_output("logits")
        self.reset()

    def reset(self) -> None:
        self.length = self.gone = 0

    def append(self, rows: Float[Tensor, "r dim"]) -> Float[Tensor, " vocab"]:
        """At most `SPARE` rows."""
        if self.length + len(rows) - self.gone > self.window + SPARE:
            self._compact()
        positions = np.arange(self.length, self.length + len(rows))[None]
        self.length += len(rows)
        kept = self.length - self.gone
        self._binding.bind_cpu_input("x", rows[None].numpy())
        self._binding.bind_cpu_input("positions", positions)
        self._binding.bind_cpu_input("last", np.array([kept - 1], np.int32))
        self._binding.bind_cpu_input("total", np.array(kept, np.int32))
        self._session.run_with_iobinding(self._binding)
        logits = self._binding.get_outputs()[-1].numpy()
        return torch.from_numpy(logits[0, -1].copy())  # the buffer is used again

    def _compact(self) -> None:
        """Move what the next row can see to the front."""
        first = self.length - self.window + 1 - self.gone
        for value in self._past.values():
            live = value[:, :, first : self.length - self.gone].clone()
            value[:, :, : live.shape[2]] = live
        self.gone += first


class _Graph:
    """The backbone and its head as nodes."""

    def __init__(self, work: Workload, max_positions: int, kind: str) -> None:
        self.kind = kind
        self.work, self.config, self.max_positions = work, work.config, max_positions
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def model(self) -> Any:
        """The whole model, as `onnx.ModelProto`."""
        from onnx import TensorProto, helper  # pyright: ignore[reportMissingImports]

        cfg = self.config
        one = [self._weight(torch.tensor([i])) for i in (-1, 1 << 30, 1)]
        x = self._node("Slice", [self._layers(), *one])  # only the last row goes on to the head
        x = self._norm(x, self.work.backbone.norm)
        self._product(x, self.work.head, "logits")
        past = (1, cfg.num_kv_heads, cfg.window + SPARE, cfg.head_dim)
        names = [f"{kind}{i}" for i in range(cfg.num_layers) for kind in "kv"]
        value, fp32, int32 = helper.make_tensor_value_info, TensorProto.FLOAT, TensorProto.INT32
        inputs = [
            value("x", fp32, (1, "rows", cfg.dim)),
            value("positions", TensorProto.INT64, (1, "rows")),
            value("last", int32, (1,)),
            value("total", int32, ()),
            *(value(name, fp32, past) for name in names),
        ]
        outputs = [value(f"{name}_new", fp32, past) for name in names]
        outputs.append(value("logits", fp32, (1, 1, len(self.work.head))))
        graph = helper.make_graph(self.nodes, "tick", inputs, outputs, self.weights)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)

    def _layers(self) -> str:
        positions = torch.arange(self.max_positions)[None]
        tables = rope_tables(positions, self.config.head_dim, self.config.rope_theta)
        rope = [self._weight(table[0]) for table in tables]
        x = "x"
        layers: Any = self.work.backbone.layers
        for index, layer in enumerate(layers):
            attended = self._attention(index, layer, self._norm(x, layer.attention_norm), rope)
            x = self._node("Add", [x, attended])
            normed = self._norm(x, layer.ff_norm)
            mixed = self._experts if self.config.num_experts else self._dense
            x = self._node("Add", [x, mixed(layer.ff, normed)])
        return x

    def _attention(self, index: int, layer: Any, x: str, rope: list[str]) -> str:
        cfg, attention = self.config, layer.attention
        widths = _head_widths(cfg)
        q, k, v = (self._product(x, part) for part in attention.qkv.split(widths))
        q = self._norm_heads(q, attention.q_norm, cfg.num_heads)
        k = self._norm_heads(k, attention.k_norm, cfg.num_kv_heads)
        q, k = (
            self._node("RotaryEmbedding", [part, "positions", *rope], domain=FUSED, num_heads=heads)
            for part, heads in ((q, cfg.num_heads), (k, cfg.num_kv_heads))
        )
        out = f"attended{index}"
        self._node(
            "GroupQueryAttention",
            [q, k, v, f"k{index}", f"v{index}", "last", "total"],
            [out, f"k{index}_new", f"v{index}_new"],
            domain=FUSED,
            num_heads=cfg.num_heads,
            kv_num_heads=cfg.num_kv_heads,
            local_window_size=cfg.window,
        )
        return self._product(out, attention.out)

    def _norm_heads(self, x: str, weight: Tensor, heads: int) -> str:
        split = self._weight(torch.tensor([0, 0, heads, self.config.head_dim]))
        flat = self._weight(torch.tensor([0, 0, heads * self.config.head_dim]))
        normed = self._norm(self._node("Reshape", [x, split]), weight)
        return self._node("Reshape", [normed, flat])

    def _dense(self, ff: Any, x: str) -> str:
        gate, up = (self._product(x, part) for part in ff.gate_up.chunk(2))
        silu = self._node("Mul", [gate, self._node("Sigmoid", [gate])])
        return self._product(self._node("Mul", [silu, up]), ff.down)

    def _experts(self, ff: Any, x: str) -> str:
        cfg = self.config
        flat = self._node("Reshape", [x, self._weight(torch.tensor([-1, cfg.dim]))])
        router = self._node("MatMul", [flat, self._weight(ff.router.T)])
        gate, up = ff.gate_up.chunk(2, dim=1)
        interleaved = torch.stack([gate, up], dim=2).flatten(1, 2)
        return self._node(
            "Reshape",
            [
                self._node(
                    "MoE",
                    [flat, router, self._weight(interleaved), "", self._weight(ff.down)],
                    domain=FUSED,
                    k=cfg.num_experts_per_token,
                    activation_type="swiglu",
                    swiglu_fusion=1,
                    activation_alpha=1.0,
                    activation_beta=0.0,
                    normalize_routing_weights=1,
                ),
                self._node("Shape", [x]),
            ],
        )

    def _product(self, x: str, weight: Float[Tensor, "out in"], to: str | None = None) -> str:
        """Rows times a weight, kept in fp32 or as int8 times a scale for each output."""
        outputs = [to] if to else None
        if self.kind == "float32":
            return self._node("MatMul", [x, self._weight(weight.T)], outputs)
        num_out, num_in = weight.shape
        num_blocks = -(-num_in // BLOCK)
        scale = (weight.abs().amax(-1, keepdim=True) / INT8_MAX).clamp_min(1e-30)
        whole = nn.functional.pad((weight / scale).round(), (0, num_blocks * BLOCK - num_in))
        whole = (whole + 128).to(torch.uint8).view(num_out, num_blocks, BLOCK)  # 128 means 0
        scales = scale.expand(-1, num_blocks).flatten()
        return self._node(
            "MatMulNBits",
            [x, self._weight(whole), self._weight(scales)],
            outputs,
            domain=FUSED,
            K=num_in,
            N=num_out,
            bits=8,
            block_size=BLOCK,
            accuracy_level=ACCURACY[self.kind],
        )

    def _norm(self, x: str, weight: Tensor) -> str:
        return self._node(
            "SimplifiedLayerNormalization",
            [x, self._weight(weight)],
            axis=-1,
            epsilon=self.config.norm_eps,
        )

    def _node(
        self, kind: str, inputs: list[str], outputs: list[str] | None = None, **attributes: Any
    ) -> str:
        from onnx import helper  # pyright: ignore[reportMissingImports]

        outputs = outputs or [f"n{len(self.nodes)}"]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs[0]

    def _weight(self, value: Tensor) -> str:
        from onnx import numpy_helper  # pyright: ignore[reportMissingImports]

        name = f"w{len(self.weights)}"
        array = np.ascontiguousarray(value.detach().numpy())
        self.weights.append(numpy_helper.from_array(array, name))
        return name


def _head_widths(config: BackboneConfig) -> list[int]:
    heads = config.num_heads, config.num_kv_heads, config.num_kv_heads
    return [number * config.head_dim for number in heads]
