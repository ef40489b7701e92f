"""The same weights in llama.cpp: a GGUF file written from them, read by the library of xllamacpp.

Inputs are vectors, as `llama_batch` takes them. Its Qwen3 graphs have no window: positions that the
window has left are removed from its cache before every pass, so the second to fourth row of a pass
see one to three positions more than they should (`ours.PassWindow` computes the same). Knows
nothing of how it is timed.
"""

import ctypes
import importlib
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interplay.bench.speed import llama_c
from interplay.bench.speed.workload import ROWS_AT_ONCE, Workload
from interplay.model.qwen3 import to_qwen3

SPARE = 256  # places behind the window; its cache is so many long, and is walked whole
LAYER = {  # their name of a layer's weight -> ours in Qwen3's checkpoints
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
}
DENSE = {"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}


class LlamaCpp:
    """One context of llama.cpp on as many threads as torch has.

    kind: how matrices are kept. `Q8_0` is run as people run it, with its own attention and a cache
    in half precision; the others with a cache in fp32 and its plain attention, since the other
    rounds to half precision: logits are off by 0.2 % of their spread.
    """

    def __init__(self, work: Workload, kind: str = "F32") -> None:
        self._lib = lib = llama_c.library()
        self._window, self._vocab_size = work.config.window, len(work.head)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.gguf"
            write_gguf(work, path, kind)
            params = lib.llama_model_default_params()
            self._model = lib.llama_model_load_from_file(str(path).encode(), params)
        if not self._model:
            raise RuntimeError("llama.cpp cannot read the GGUF file")
        params = lib.llama_context_default_params()
        params.n_ctx = self._window + SPARE
        params.n_batch = params.n_ubatch = ROWS_AT_ONCE
        params.n_threads = params.n_threads_batch = torch.get_num_threads()
        if kind != "Q8_0":
            params.type_k = params.type_v = llama_c.F32
            params.flash_attn_type = llama_c.FLASH_OFF
        self._context = lib.llama_init_from_model(self._model, params)
        if not self._context:
            raise RuntimeError("llama.cpp cannot make a context")
        self._batch = lib.llama_batch_init(ROWS_AT_ONCE, work.config.dim, 1)
        weakref.finalize(self, _free, lib, self._batch, self._context, self._model)
        self.about = f"{kind}, built for {llama_c.processor_features(lib)}"
        self.reset()

    def reset(self) -> None:
        self.length = 0
        self._lib.llama_memory_clear(self._lib.llama_get_memory(self._context), True)

    def append(self, rows: Float[Tensor, "r dim"]) -> Float[Tensor, " vocab"]:
        batch, count = self._batch, len(rows)
        memory = self._lib.llama_get_memory(self._context)
        self._lib.llama_memory_seq_rm(memory, 0, 0, max(0, self.length + 1 - self._window))
        values = np.ascontiguousarray(rows.numpy())
        ctypes.memmove(batch.embd, values.ctypes.data, values.nbytes)
        batch.n_tokens = count
        for i in range(count):
            batch.pos[i] = self.length + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = i == count - 1
        if self._lib.llama_decode(self._context, batch):
            raise RuntimeError("llama.cpp cannot decode")
        self.length += count
        logits = self._lib.llama_get_logits_ith(self._context, -1)
        return torch.from_numpy(np.ctypeslib.as_array(logits, (self._vocab_size,)).copy())


def _free(lib: Any, batch: Any, context: Any, model: Any) -> None:
    lib.llama_batch_free(batch)
    lib.llama_free(context)
    lib.llama_model_free(model)


def write_gguf(work: Workload, path: Path, kind: str = "F32") -> None:
    """The weights as llama.cpp's `qwen3` or `qwen3moe`, with a table of words that only the format
    needs. kind: a GGUF type for matrices, as `F32`, `F16` or `Q8_0`; vectors are in fp32."""
    gguf: Any = importlib.import_module("gguf")

    cfg = work.config
    writer = gguf.GGUFWriter(path, "qwen3moe" if cfg.num_experts else "qwen3")
    writer.add_block_count(cfg.num_layers)
    writer.add_context_length(1 << 20)
    writer.add_embedding_length(cfg.dim)
    writer.add_feed_forward_length(cfg.ff_dim or cfg.expert_ff_dim)
    writer.add_head_count(cfg.num_heads)
    writer.add_head_count_kv(cfg.num_kv_heads)
    writer.add_key_length(cfg.head_dim)
    writer.add_value_length(cfg.head_dim)
    writer.add_rope_freq_base(cfg.rope_theta)
    writer.add_layer_norm_rms_eps(cfg.norm_eps)
    writer.add_vocab_size(len(work.head))
    writer.add_tokenizer_model("no_vocab")
    if cfg.num_experts:
        writer.add_expert_count(cfg.num_experts)
        writer.add_expert_used_count(cfg.num_experts_per_token)
        writer.add_expert_feed_forward_length(cfg.expert_ff_dim)
    for name, value in _tensors(work).items():
        array = np.ascontiguousarray(value.detach().float().numpy())
        to = gguf.GGMLQuantizationType[kind if array.ndim > 1 and "gate_inp" not in name else "F32"]
        writer.add_tensor(name, gguf.quants.quantize(array, to), raw_dtype=to)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensors(work: Workload) -> dict[str, Tensor]:
    theirs = to_qwen3(work.backbone.state_dict(), work.config)
    found = {
        "token_embd.weight": work.head,
        "output.weight": work.head,
        "output_norm.weight": theirs["norm.weight"],
    }
    for i in range(work.config.num_layers):
        at, to = f"layers.{i}.", f"blk.{i}."
        names = LAYER if work.config.num_experts else LAYER | DENSE
        found |= {f"{to}{new}.weight": theirs[f"{at}{old}.weight"] for new, old in names.items()}
        if work.config.num_experts:
            gate, up = theirs[at + "mlp.experts.gate_up_proj"].chunk(2, dim=1)
            found |= {
                f"{to}ffn_gate_inp.weight": theirs[at + "mlp.gate.weight"],
                f"{to}ffn_gate_exps.weight": gate,
                f"{to}ffn_up_exps.weight": up,
                f"{to}ffn_down_exps.weight": theirs[at + "mlp.experts.down_proj"],
            }
    return found
