"""One safetensors file that holds everything a model needs. Knows nothing of training or serving.

Tensors: `model.*`, and `vocoder.*` if it has one; NAME.scale beside each that is stored in int8.
Metadata: the format's version, the config, the tokenizer and the facts (name, commit, seed, how it
was trained), each as JSON.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from interplay.errors import CheckpointError, ConfigError
from interplay.model.config_io import from_dict, to_dict
from interplay.model.griffin_lim import GriffinLim
from interplay.model.interaction import InteractionModel, ModelConfig
from interplay.model.vocoder import Vocoder
from interplay.turns.tokens import Tokenizer

FORMAT_VERSION = 1
SUFFIX = ".safetensors"
SCALE = ".scale"
INT8_MAX = 127
MAKE_ONE = "`interplay train` makes one"
_PACKAGE = Path(__file__).resolve().parent.parent
# Of a checkout, then of an installed package, where the build puts the same files.
DEFAULT_MODEL = "xs-further"  # of the shipped ones, the best
WEIGHT_FOLDERS = (_PACKAGE.parent / "weights", _PACKAGE / "weights")


@dataclass(kw_only=True)
class Loaded:
    """A model ready to run: fp32 weights, evaluation mode. `path` is None if it has no file."""

    model: InteractionModel
    vocoder: Vocoder | GriffinLim
    tokenizer: Tokenizer
    config: ModelConfig
    facts: dict[str, Any]
    path: Path | None = None


def available_models() -> dict[str, Path]:
    """Names of the models in the weight folders, and their files."""
    files = [file for folder in WEIGHT_FOLDERS for file in sorted(folder.glob(f"*{SUFFIX}"))]
    return {file.stem: file for file in reversed(files)}


def find_checkpoint(name_or_path: str | Path) -> Path:
    """The file of a model name (`xs`) or the path itself. Raises CheckpointError for neither."""
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; give one {SUFFIX} file or a model name")
    if path.suffix == SUFFIX or len(path.parts) > 1:
        raise CheckpointError(f"{path} does not exist; {MAKE_ONE}")
    models = available_models()
    if str(name_or_path) not in models:
        names = ", ".join(sorted(models)) or "none"
        raise CheckpointError(
            f"no model is called {str(name_or_path)!r}; installed models: {names}; {MAKE_ONE}"
        )
    return models[str(name_or_path)]


def save_checkpoint(
    path: str | Path,
    model: InteractionModel,
    vocoder: Vocoder | None,
    tokenizer: Tokenizer,
    facts: dict[str, Any],
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write all of it to `path`, whole or not at all.

    dtype: how floating point weights are stored; float16 halves the file, int8 quarters it (every
    row of a matrix with a scale of its own, the rest in float16); they are read as float32 again.
    facts: anything JSON can hold. Raises CheckpointError when weights are not finite in `dtype`
    or the place cannot be written.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    if vocoder is not None:
        tensors |= {f"vocoder.{name}": value for name, value in vocoder.state_dict().items()}
    stored: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if dtype == torch.int8:
            stored |= _stored_small(name, value)
        else:
            stored[name] = _stored(name, value, dtype)
    metadata = {
        "interplay_format": str(FORMAT_VERSION),
        "config": json.dumps(to_dict(model.config)),
        "tokenizer": tokenizer.to_json(),
        "facts": json.dumps(facts),
    }
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            save_file(stored, draft, metadata)
            draft.chmod(0o666 & ~_umask())  # it leaves files that only their owner can read
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"cannot write {path}: {error}; choose a folder that you may write to"
        ) from None


def _umask() -> int:
    """What the process withholds of new files' permissions, which it can only learn by setting."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _stored(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    if not value.is_floating_point():
        return value.detach().cpu().contiguous()
    stored = value.detach().to("cpu", dtype).contiguous()
    if not stored.isfinite().all():
        raise CheckpointError(
            f"{name} holds values that are not finite in {str(dtype).removeprefix('torch.')}; "
            "save as float32, or train again with a lower learning rate"
        )
    return stored


def _stored_small(name: str, value: Tensor) -> dict[str, Tensor]:
    """A matrix, or several, as int8 rows and one float32 scale per row: value = int8 * scale."""
    if value.ndim < 2 or not value.is_floating_point():
        return {name: _stored(name, value, torch.float16)}
    rows = _stored(name, value, torch.float32)
    scale = rows.abs().amax(-1) / INT8_MAX
    small = (rows / scale.clamp_min(torch.finfo(scale.dtype).tiny)[..., None]).round()
    return {name: small.to(torch.int8), name + SCALE: scale}


def load_checkpoint(name_or_path: str | Path) -> Loaded:
    """Read a model by name or path. Raises CheckpointError, one line, for anything wrong."""
    path = find_checkpoint(name_or_path)
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path} is empty (0 bytes); copy it again")
    with _opened(path) as file:
        metadata = file.metadata() or {}
        config, tokenizer, facts = _describe(path, metadata)
        names = set(file.keys())
        with torch.random.fork_rng(devices=[]):  # building draws numbers that are then replaced
            model = InteractionModel(config)
            vocoder = Vocoder(config.vocoder) if _has_vocoder(names) else GriffinLim()
        expected = _expected(model, "model.")
        if isinstance(vocoder, Vocoder):
            expected |= _expected(vocoder, "vocoder.")
        scaled = {name for name in expected if name + SCALE in names}
        _check_names(path, names, set(expected) | {name + SCALE for name in scaled})
        for name, into in expected.items():
            value = file.get_tensor(name)
            if name in scaled:
                value = value.float() * file.get_tensor(name + SCALE)[..., None]
            _fill(path, name, value, into)
    return Loaded(
        model=model.eval(),
        vocoder=vocoder.eval() if isinstance(vocoder, nn.Module) else vocoder,
        tokenizer=tokenizer,
        config=config,
        facts=facts,
        path=path,
    )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is damaged, cut short or not a {SUFFIX} file ({error}); copy it again"
        ) from None
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}; check its rights") from None


def _describe(
    path: Path, metadata: dict[str, str]
) -> tuple[ModelConfig, Tokenizer, dict[str, Any]]:
    version = metadata.get("interplay_format")
    if version is None:
        raise CheckpointError(
            f"{path} is a {SUFFIX} file, but not an interplay model; give one that "
            "`interplay train` wrote"
        )
    if version != str(FORMAT_VERSION):
        raise CheckpointError(
            f"{path} has format version {version}; this interplay reads version {FORMAT_VERSION}; "
            "install the interplay that wrote it"
        )
    try:
        config = from_dict(ModelConfig, json.loads(metadata["config"]))
        tokenizer = Tokenizer.from_json(metadata["tokenizer"])
        facts = json.loads(metadata["facts"])
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (KeyError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} has damaged metadata ({error}); copy it again") from None
    if tokenizer.vocab_size > config.vocab_size:
        raise CheckpointError(
            f"{path}: its tokenizer has {tokenizer.vocab_size} tokens, its model knows "
            f"{config.vocab_size}; copy it again"
        )
    return config, tokenizer, facts


def _has_vocoder(names: set[str]) -> bool:
    return any(name.startswith("vocoder.") for name in names)


def _expected(module: nn.Module, prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in module.state_dict().items()}


def _check_names(path: Path, names: set[str], expected: set[str]) -> None:
    for text, wrong in (("lacks", expected - names), ("has the unknown", names - expected)):
        if wrong:
            raise CheckpointError(
                f"{path} {text} tensor {min(wrong)!r} ({len(wrong)} of {len(expected)}); "
                "it does not belong to its config; copy it again"
            )


def _fill(path: Path, name: str, value: Tensor, into: Tensor) -> None:
    if value.shape != into.shape:
        raise CheckpointError(
            f"{path}: {name} has shape {list(value.shape)}, its config says {list(into.shape)}; "
            "copy it again"
        )
    if value.is_floating_point() and not value.isfinite().all():
        raise CheckpointError(f"{path}: {name} holds NaN or infinite values; copy it again")
    with torch.no_grad():
        into.copy_(value)
