"""llama.cpp's C interface, as far as it is needed here, in the library that xllamacpp brings.

xllamacpp's own Python classes take words only, not vectors, so its library is called by the C
names that it exports. The structures below are those of `include/llama.h` of the version that
pyproject.toml names; another layout is refused by its default values. Knows nothing of models.
"""

import ctypes
import importlib
import sys
from ctypes import POINTER, c_bool, c_float, c_int8, c_int32, c_size_t, c_uint32, c_void_p
from typing import Any

from interplay.errors import InterplayError

F32, F16 = 0, 1  # enum ggml_type
FLASH_AUTO, FLASH_OFF = -1, 0  # enum llama_flash_attn_type
DEFAULTS = {"n_ctx": 512, "n_batch": 2048, "n_ubatch": 512, "type_k": F16, "type_v": F16}


class LayoutError(InterplayError):
    """A version of llama.cpp whose parameters lie elsewhere."""


def _fields(kind: type, names: str) -> list[tuple[str, type]]:
    return [(name, kind) for name in names.split()]


class ModelParams(ctypes.Structure):
    """struct llama_model_params"""

    _fields_ = [
        *_fields(c_void_p, "devices tensor_buft_overrides"),
        *_fields(c_int32, "n_gpu_layers split_mode load_mode lazy_mode main_gpu"),
        *_fields(c_void_p, "tensor_split progress_callback progress_data kv_overrides"),
        *_fields(c_bool, "vocab_only check_tensors use_extra_bufts no_host no_alloc load_mtp"),
    ]


class ContextParams(ctypes.Structure):
    """struct llama_context_params"""

    _fields_ = [
        *_fields(c_uint32, "n_ctx n_batch n_ubatch n_seq_max n_rs_seq"),
        *_fields(c_uint32, "n_outputs_max n_outputs_max_per_seq"),
        *_fields(c_int32, "n_threads n_threads_batch"),
        *_fields(c_int32, "ctx_type rope_scaling_type pooling_type attention_type"),
        *_fields(c_int32, "flash_attn_type"),
        *_fields(c_float, "rope_freq_base rope_freq_scale yarn_ext_factor yarn_attn_factor"),
        *_fields(c_float, "yarn_beta_fast yarn_beta_slow"),
        *_fields(c_uint32, "yarn_orig_ctx"),
        *_fields(c_float, "defrag_thold"),
        *_fields(c_void_p, "cb_eval cb_eval_data"),
        *_fields(c_int32, "type_k type_v"),
        *_fields(c_size_t, "moe_cache_size"),
        *_fields(c_void_p, "abort_callback abort_callback_data"),
        *_fields(c_bool, "embeddings offload_kqv no_perf op_offload swa_full kv_unified"),
        *_fields(c_void_p, "samplers"),
        *_fields(c_size_t, "n_samplers"),
        *_fields(c_void_p, "ctx_other"),
    ]


class Batch(ctypes.Structure):
    """struct llama_batch"""

    _fields_ = [
        ("n_tokens", c_int32),
        ("token", POINTER(c_int32)),
        ("embd", POINTER(c_float)),
        ("pos", POINTER(c_int32)),
        ("n_seq_id", POINTER(c_int32)),
        ("seq_id", POINTER(POINTER(c_int32))),
        ("logits", POINTER(c_int8)),
    ]


LOG = ctypes.CFUNCTYPE(None, c_int32, ctypes.c_char_p, c_void_p)  # ggml_log_callback
# It tells a model in 300 lines, and what frees one logs, too: the callback outlives them all.
QUIET = LOG(lambda level, text, data: None)
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {  # name -> result, arguments
    "llama_log_set": (None, [LOG, c_void_p]),
    "llama_print_system_info": (ctypes.c_char_p, []),
    "llama_model_default_params": (ModelParams, []),
    "llama_context_default_params": (ContextParams, []),
    "llama_model_load_from_file": (c_void_p, [ctypes.c_char_p, ModelParams]),
    "llama_init_from_model": (c_void_p, [c_void_p, ContextParams]),
    "llama_free": (None, [c_void_p]),
    "llama_model_free": (None, [c_void_p]),
    "llama_get_memory": (c_void_p, [c_void_p]),
    "llama_memory_clear": (None, [c_void_p, c_bool]),
    "llama_memory_seq_rm": (c_bool, [c_void_p, c_int32, c_int32, c_int32]),
    "llama_batch_init": (Batch, [c_int32, c_int32, c_int32]),
    "llama_batch_free": (None, [Batch]),
    "llama_decode": (c_int32, [c_void_p, Batch]),
    "llama_get_logits_ith": (POINTER(c_float), [c_void_p, c_int32]),
}


def library() -> Any:
    """The library with the functions of `SIGNATURES`.

    Raises ModuleNotFoundError without xllamacpp, LayoutError if its llama.cpp is another.
    """
    importlib.import_module("xllamacpp")
    lib = ctypes.CDLL(sys.modules["xllamacpp.xllamacpp"].__file__)
    try:
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError as error:
        raise LayoutError(f"the llama.cpp of this xllamacpp does not export {error}") from error
    params = lib.llama_context_default_params()
    found = {name: getattr(params, name) for name in DEFAULTS}
    if found != DEFAULTS or params.ctx_other or not params.offload_kqv:
        raise LayoutError("this xllamacpp has another llama.cpp; pip install 'interplay[speed]'")
    lib.llama_log_set(QUIET, None)
    return lib


def processor_features(lib: Any) -> str:
    """What the library was built for: "AVX2, FMA"."""
    listed = lib.llama_print_system_info().decode()
    parts = [part.split("=") for part in listed.partition(":")[2].split("|") if "=" in part]
    return ", ".join(name.strip() for name, value in parts if value.strip() == "1")
