"""Small language models as they are published: by transformers, with a tokenizer like Qwen's."""

from functools import cache
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

TEXT = "Seven days make a week.\nTwelve months make a year; what is 7 plus 5? Twelve, I say.\n"
PATTERN = r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"
NUM_UNUSED = 5  # rows of the tables without a token, as published models have them
SHAPE = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "intermediate_size": 128,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
    "attn_implementation": "eager",
}
EXPERTS = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 64,
    "norm_topk_prob": True,
}


@cache
def a_tokenizer() -> Tokenizer:
    """Byte-level BPE over words with their case, split as Qwen3's are."""
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator([TEXT], trainer)
    made.add_special_tokens(["<|endoftext|>", "<|im_start|>"])
    return made


def publish(folder: Path, *, experts: bool = False, tied: bool = True, shards: int = 1):
    """A random model in `folder` as the hub has them; returns it."""
    import transformers as hf  # slow: only for who asks

    torch.manual_seed(2)
    shape = SHAPE | {
        "vocab_size": a_tokenizer().get_vocab_size() + NUM_UNUSED,
        "tie_word_embeddings": tied,
    }
    if experts:
        model = hf.Qwen3MoeForCausalLM(hf.Qwen3MoeConfig(**shape, **EXPERTS))
    else:
        model = hf.Qwen3ForCausalLM(hf.Qwen3Config(**shape))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(mean=float("norm" in name), std=0.05 if "embed" in name else 0.2)
    size = sum(weight.numel() for weight in model.parameters()) * 4
    model.save_pretrained(folder, max_shard_size=size // shards + 1000)
    a_tokenizer().save(str(folder / "tokenizer.json"))
    return model.eval()
