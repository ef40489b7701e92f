"""llama.cpp's own HTTP server (of xllamacpp) with a model of one table: the last token alone says
which one is next, so that what it says is known. Templates, tokens, sampling, streams and the
reading of tool calls are llama.cpp's.

Run as a program with a path for the model: it prints its address and serves until its stdin closes.
Knows nothing of the client under test.
"""

import importlib
import sys
from typing import Any

import numpy as np

END = "<|end|>"
TOOL_CALL = (
    "<tool_call>",
    '\n{"name": "calculate", "arguments":',
    ' {"expression": "6',
    ' * 7"}}\n',
)
SAYS = {  # the mark behind a prompt: what follows; the last token leads to itself
    "<|plain|>": ("Hello.", " And", " goodbye.", END),
    "<|call|>": (*TOOL_CALL, "</tool_call>", END),
    "<|told|>": ("It is", " forty two.", END),
    "<|endless|>": (" Again.",),
}
LETTERS = [*map(chr, range(33, 127)), "\n", " ", "ab"]
TEMPLATE = """{% if tools %}Tools: {% for tool in tools %}{{ tool | tojson }} {% endfor %}
Answer with <tool_call>
{"name": ..., "arguments": ...}
</tool_call>
{% endif %}{% for m in messages %}{{ m.role }}: {% if m.content %}{{ m.content }}{% endif %}\
{% for call in m.tool_calls or [] %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|end|>
{% endfor %}{% if add_generation_prompt %}{% if messages[-1].role == 'tool' and \
messages[-1].content == '42' %}<|told|>\
{% elif 'six times seven' in messages[-1].content %}<|call|>\
{% elif 'without end' in messages[-1].content %}<|endless|>{% else %}<|plain|>{% endif %}\
{% endif %}"""
DIM, FF_DIM = 128, 64


def write_model(path: str) -> None:
    """A Qwen3 of one layer that adds nothing: a token's vector is its own axis, and the head leads
    from there to the next token."""
    gguf: Any = importlib.import_module("gguf")
    tokens = list(dict.fromkeys([*LETTERS, *SAYS, *(t for says in SAYS.values() for t in says)]))
    ids = {token: i for i, token in enumerate(tokens)}
    head = np.zeros((len(tokens), DIM), np.float32)
    for mark, says in SAYS.items():
        for before, after in zip((mark, *says), (*says, says[-1]), strict=True):
            head[ids[after], ids[before]] = 10.0
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_block_count(1)
    writer.add_context_length(8192)
    writer.add_embedding_length(DIM)
    writer.add_feed_forward_length(FF_DIM)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_key_length(DIM)
    writer.add_value_length(DIM)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([t.replace(" ", "Ġ").replace("\n", "Ċ") for t in tokens])
    is_mark = [token in SAYS or token == END for token in tokens]
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control if mark else normal for mark in is_mark])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(ids[END])
    writer.add_chat_template(TEMPLATE)
    shapes = {
        "attn_norm": (DIM,),
        "ffn_norm": (DIM,),
        "attn_q_norm": (DIM,),
        "attn_k_norm": (DIM,),
        "attn_q": (DIM, DIM),
        "attn_k": (DIM, DIM),
        "attn_v": (DIM, DIM),
        "attn_output": (DIM, DIM),
        "ffn_gate": (FF_DIM, DIM),
        "ffn_up": (FF_DIM, DIM),
        "ffn_down": (DIM, FF_DIM),
    }
    for name, shape in shapes.items():
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros(shape, np.float32))
    writer.add_tensor("token_embd.weight", np.eye(len(tokens), DIM, dtype=np.float32))
    writer.add_tensor("output.weight", head)
    writer.add_tensor("output_norm.weight", np.ones(DIM, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    llama: Any = importlib.import_module("xllamacpp")
    write_model(sys.argv[1])
    params = llama.CommonParams()
    params.model.path = sys.argv[1]
    params.n_ctx, params.n_parallel, params.warmup = 16_384, 2, False
    params.cpuparams.n_threads = 1
    server = llama.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
