"""A folder with a published language model, read and checked. Knows nothing of our models.

The layout is the one of the Hugging Face hub: config.json, tokenizer.json and one or several
safetensors files, with an index where there are several.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from interplay.errors import CheckpointError, ConfigError
from interplay.model.backbone import BackboneConfig
from interplay.model.qwen3 import config_from_qwen3, from_qwen3, words_from_qwen3
from interplay.turns.tokens import Tokenizer

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
GENERATION, TOKENIZER_CONFIG = "generation_config.json", "tokenizer_config.json"  # if there
FILES = (CONFIG, TOKENIZER, "*.safetensors", INDEX, GENERATION, TOKENIZER_CONFIG)
SPECIAL = ("bos_token", "eos_token", "pad_token")
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
MOST_UNUSED = 1024  # rows of a table without a token: tables are padded to round sizes


@dataclass(kw_only=True)
class Foreign:
    """What a language model brings along.

    backbone: weights of `Backbone(config)`. read, written: the tables of words, [rows, dim], the
    same tensor where they are tied; row i belongs to the token i + FIRST_WORD of `tokenizer`.
    """

    config: BackboneConfig
    backbone: dict[str, Tensor]
    read: Tensor
    written: Tensor
    tokenizer: Tokenizer

    @property
    def dtype(self) -> torch.dtype:
        return self.read.dtype


def read_foreign(folder: Path, *, window: int) -> Foreign:
    """The Qwen3 or Qwen3-MoE model in `folder`; positions shall see `window` positions back.

    Raises CheckpointError, one line, for anything wrong.
    """
    _check_files(folder)
    values = _json(folder / CONFIG)
    try:
        if "quantization_config" in values:
            raise CheckpointError("its weights are quantised; take those in bfloat16")
        config = _config(values, window)
        text = (folder / TOKENIZER).read_text(encoding="utf-8")
        tokenizer = Tokenizer.adopt(text)
        _check_vocabulary(tokenizer, values["vocab_size"])
        _check_added(folder, json.loads(text)["added_tokens"])
        weights = _weights(folder)
        read, written = words_from_qwen3(weights, values)
        backbone = from_qwen3(weights, config)
    except (CheckpointError, ConfigError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{folder}: {error}") from None
    return Foreign(
        config=config, backbone=backbone, read=read, written=written, tokenizer=tokenizer
    )


def _check_files(folder: Path) -> None:
    if not folder.is_dir():
        seen = "is a file" if folder.exists() else "does not exist"
        raise CheckpointError(f"{folder} {seen}; give the folder of a Qwen3 model")
    weights = WHOLE if not (folder / INDEX).exists() else INDEX
    for name in (CONFIG, TOKENIZER, weights):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder} has no {name}; a Qwen3 model is {CONFIG}, {TOKENIZER} and {WHOLE}, or "
                f"{INDEX} with the files it names; copy it again"
            )


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); copy it again") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is no table of keys; copy it again")
    return values


def _config(values: dict[str, Any], window: int) -> BackboneConfig:
    try:
        if type(values["vocab_size"]) is not int:
            raise TypeError(f"vocab_size is {values['vocab_size']!r}")
        return config_from_qwen3(values, window=window)
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"{CONFIG} lacks a key or has a wrong value ({error}); copy it again"
        ) from None


def _check_vocabulary(tokenizer: Tokenizer, num_rows: int) -> None:
    num_tokens = tokenizer.num_words
    if not num_tokens <= num_rows <= num_tokens + MOST_UNUSED:
        raise CheckpointError(
            f"{TOKENIZER} has {num_tokens} tokens and the weights have rows for {num_rows}; take "
            "the tokenizer that was published with the weights"
        )


def _check_added(folder: Path, added: list[dict[str, Any]]) -> None:
    """What the other files say of tokens that are no text holds for this tokenizer, too: it is all
    that tells it from one of other text whose size would do."""
    contents = {str(token["id"]): token["content"] for token in added}
    found = {name: _json(folder / name) for name in _there(folder, CONFIG, GENERATION)}
    for name, values in found.items():
        for key in SPECIAL:
            ids = values.get(f"{key}_id")
            for i in ids if isinstance(ids, list) else [ids]:
                if i is not None and str(i) not in contents:
                    raise _other_tokenizer(f"{name} has {i} as {key}_id", f"{i} is none of those")
    for name in _there(folder, TOKENIZER_CONFIG):
        values = _json(folder / name)
        for key in SPECIAL:
            content = _content(values.get(key))
            if content is not None and content not in contents.values():
                raise _other_tokenizer(f"{name} has {content!r} as {key}", "it is none of those")
        known = values.get("added_tokens_decoder")
        for i, token in known.items() if isinstance(known, dict) else ():
            content = _content(token)
            if contents.get(i) != content:
                seen = f"{contents[i]!r} is token {i}" if i in contents else "it is none of those"
                raise _other_tokenizer(f"{name} has {content!r} as token {i}", seen)


def _there(folder: Path, *names: str) -> list[str]:
    return [name for name in names if (folder / name).exists()]


def _content(token: Any) -> Any:
    """A special token is written as its text, or as a table with it."""
    return token.get("content") if isinstance(token, dict) else token


def _other_tokenizer(told: str, seen: str) -> CheckpointError:
    return CheckpointError(
        f"{told}, and of the added tokens in {TOKENIZER} {seen}; take the {TOKENIZER} that was "
        "published with the weights"
    )


def _weights(folder: Path) -> dict[str, Tensor]:
    """Every tensor by its name, from one file or from those that the index names."""
    names: Iterable[str] = [WHOLE]
    if (folder / INDEX).exists():
        names = sorted(set(_json(folder / INDEX).get("weight_map", {}).values()))
    weights: dict[str, Tensor] = {}
    for name in names:
        path = folder / name
        try:
            with safe_open(path, framework="pt") as file:
                keys = file.keys()
                weights |= {key: file.get_tensor(key) for key in keys}
        except FileNotFoundError:
            raise CheckpointError(
                f"{INDEX} names {name}, which is missing; copy it again"
            ) from None
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{name} is damaged, cut short or not a safetensors file ({error}); copy it again"
            ) from None
    for key, value in weights.items():
        if value.dtype not in DTYPES:
            kind = str(value.dtype).removeprefix("torch.")
            raise CheckpointError(f"weight {key} is {kind}; take weights in bfloat16 or float32")
        if not value.isfinite().all():
            raise CheckpointError(f"weight {key} holds NaN or infinite values; copy it again")
    return weights
