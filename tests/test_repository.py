"""Tests of the repository itself: sizes, layers, reasons, make targets and the command line.

Rules that are only written down are forgotten; these are the ones a machine can hold.
"""

import argparse
import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from interplay import __version__, cli
from interplay.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(
    path for top in ("interplay", "tests", "examples") for path in (ROOT / top).rglob("*.py")
)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80
MAX_FLAGS = 8
NOT_USED_BY_US = {"dev", "clients"}  # extras that only tests import
MORE_FLAGS = {"serve": 12, "train": 12, "bench": 17}  # nothing of it could be left out
PINNED_BY_TORCH = {"triton"}  # its CUDA builds name one version each
IMPORT_NAMES = {
    "webrtcvad-wheels": "webrtcvad",
    "pillow": "PIL",
    "espeakng-loader": "espeakng_loader",
    "huggingface-hub": "huggingface_hub",
    "prometheus-client": "prometheus_client",
    "python-multipart": "python_multipart",
    "faster-whisper": "faster_whisper",
}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _run(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)


def _interplay(*words: str) -> subprocess.CompletedProcess:
    return _run(sys.executable, "-m", "interplay", *words)


class Outline(NamedTuple):
    """What the tests want to know of a source; whole trees would stay in memory."""

    says_what_it_is: bool
    functions: list[tuple[str, int]]  # name, lines
    imports: list[str]  # names of modules


@cache
def _outline(path: Path) -> Outline:
    module = ast.parse(path.read_text())
    found = Outline(bool(ast.get_docstring(module)), [], [])
    for node in _statements(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.functions.append((node.name, (node.end_lineno or 0) - node.lineno + 1))
        elif isinstance(node, ast.Import):
            found.imports.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.imports.append(node.module)
    return found


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All that stand in a node, the ones inside others too; much fewer than `ast.walk` finds."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child
            yield from _statements(child)


def _faults(path: Path) -> list[str]:
    """What is wrong with a source: no word on what it is, or too much of it."""
    found, outline = [], _outline(path)
    if not outline.says_what_it_is:
        found.append("does not say what it is")
    if (lines := path.read_text().count("\n")) > MAX_FILE_LINES:
        found.append(f"has {lines} lines")
    for name, length in outline.functions:
        if length > MAX_FUNCTION_LINES:
            found.append(f"has {name} of {length} lines")
    return [f"{_name(path)} {fault}" for fault in found]


def test_sources_say_what_they_are_and_stay_small():
    assert len(SOURCES) > 400
    faults = [fault for path in SOURCES for fault in _faults(path)]
    assert not faults, "\n".join(faults)


def test_imports_point_down_only():
    done = _run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


def test_scratch_memory_is_poisoned():
    x = torch.zeros(2, 3, dtype=torch.bfloat16)
    assert torch.empty(5).isnan().all()
    assert torch.empty_like(x).isnan().all()
    assert x.new_empty(3, dtype=torch.float32).isnan().all()
    assert (torch.empty(2, dtype=torch.int16) == 2**15 - 1).all()
    assert torch.empty(2, dtype=torch.bool).all()


@cache
def _third_party_imports() -> dict[str, str]:
    """Top-level module name -> one file of the package that imports it."""
    found = {}
    for path in SOURCES:
        if path.is_relative_to(ROOT / "interplay"):
            imports = _outline(path).imports
            found |= {name.partition(".")[0]: _name(path) for name in imports}
    return {
        name: path
        for name, path in found.items()
        if name not in sys.stdlib_module_names and name != "interplay"
    }


def _requirements(*extras: str) -> list[str]:
    """The core dependencies and those of the extras named."""
    project = PYPROJECT["project"]
    return [*project["dependencies"], *(r for e in extras for r in _extras()[e])]


def _extras() -> dict[str, list[str]]:
    return PYPROJECT["project"]["optional-dependencies"]


def _requirement_name(requirement: str) -> str:
    return re.split(r"[\[<>=!~;, ]", requirement)[0].lower()


def _import_names(requirements: list[str]) -> set[str]:
    names = {_requirement_name(requirement) for requirement in requirements}
    return {IMPORT_NAMES.get(name, name) for name in names}


def test_every_dependency_carries_its_reason():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    requirements = [line.strip() for line in lines if re.match(r'\s+"[a-z].*[>\]].*",', line)]
    for requirement in _requirements(*_extras()):
        line = next(line for line in requirements if line.startswith(f'"{requirement}"'))
        assert re.search(r'",\s+# \w.{10,}', line), f"no reason for {requirement}"


def test_every_dependency_is_pinned_once():
    lines = (ROOT / "constraints.txt").read_text().split()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9a-z.]+", line) for line in lines)
    pinned = [_requirement_name(line).replace("_", "-") for line in lines]
    assert len(pinned) == len(set(pinned))
    for requirement in _requirements(*_extras()):
        known = {*pinned, *PINNED_BY_TORCH, "interplay"}
        assert _requirement_name(requirement) in known, requirement
    assert not [name for name in pinned if name.startswith(("nvidia", "triton", "cuda"))]


def test_package_imports_only_what_it_declares():
    declared = _import_names(_requirements(*(set(_extras()) - NOT_USED_BY_US)))
    undeclared = {k: v for k, v in _third_party_imports().items() if k not in declared}
    assert not undeclared


def test_core_dependencies_are_all_used():
    unused = _import_names(_requirements()) - set(_third_party_imports())
    assert not unused


def test_hints_name_extras_that_exist():
    for module, extra in cli.EXTRA_OF_MODULE.items():
        assert module in _import_names(_extras()[extra])
    for extra in set(_extras()) - NOT_USED_BY_US:
        assert _import_names(_extras()[extra]) <= set(cli.EXTRA_OF_MODULE)


def _make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))


def test_make_targets_exist_and_are_phony():
    targets = _make_targets()
    assert targets >= {"help", "install", "demo", "test", "check", "train-xs"}
    phony = re.search(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.M)
    assert phony and set(phony.group(1).split()) == targets


def test_make_help_describes_every_target():
    done = _run("make", "-s", "help")
    assert {line.partition(" - ")[0] for line in done.stdout.splitlines()} == _make_targets()


def test_make_refuses_an_old_python_in_one_line(tmp_path: Path):
    old = tmp_path / "python3.10"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = _run("make", "-s", "install", f"VENV={tmp_path}/venv", f"PYTHON={old}")
    assert done.returncode != 0
    assert f"{old} is not Python 3.11 or newer" in done.stderr.splitlines()[0]


def test_readme_names_only_make_targets_that_exist():
    named = re.findall(r"\bmake ([a-z][a-z-]*)", (ROOT / "README.md").read_text())
    assert {"demo", "test"} <= set(named) <= _make_targets()


def _shell_lines(path: Path) -> str:
    """A script as it is; of a Markdown text only what stands in code fences."""
    text = path.read_text()
    return text if path.suffix == ".sh" else "".join(re.findall(r"^```.*?^```", text, re.M | re.S))


def test_texts_and_runs_name_only_commands_that_exist():
    texts = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "runs").glob("*.sh")]
    call = re.compile(r"^\s*(?:\$ )?(?:\S*bin/)?interplay ([a-z-]+)", re.M)
    named = {name: _name(path) for path in texts for name in call.findall(_shell_lines(path))}
    assert not {name: path for name, path in named.items() if name not in cli.COMMANDS}


def test_help_lists_every_command_without_loading_torch():
    script = "import sys, interplay.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass\n"
    done = _run(sys.executable, "-c", script + "assert 'torch' not in sys.modules")
    assert done.returncode == 0, done.stderr
    for name in cli.COMMANDS:
        assert re.search(rf"^    {name} ", done.stdout, re.M)


def test_unknown_command_exits_with_2_and_lists_the_commands():
    done = _interplay("sing")
    assert done.returncode == 2
    assert done.stdout == ""
    for name in cli.COMMANDS:
        assert name in done.stderr


def test_version_report_names_what_decides_about_bits():
    report = cli.version_report()
    assert report.startswith(f"interplay {__version__}\ntorch 2.")
    assert report.count("bfloat16") >= 1


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_command_keeps_to_few_flags_and_explains_each(name: str):
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments, run = cli.COMMANDS[name].load()
    add_arguments(parser)
    assert callable(run)
    num_flags = sum(bool(action.option_strings) for action in parser._actions)
    assert num_flags <= MORE_FLAGS.get(name, MAX_FLAGS)
    assert not [action.dest for action in parser._actions if not action.help]


def _replace_commands(monkeypatch: pytest.MonkeyPatch, error: BaseException | None) -> None:
    """Every command takes no arguments and raises `error`, or returns 7."""

    def run(args: argparse.Namespace) -> int:
        if error:
            raise error
        return 7

    monkeypatch.setattr(cli.Command, "load", lambda self: ((lambda parser: None), run))


@pytest.mark.parametrize(
    ("error", "exit_code", "line"),
    [
        (ConfigError("no such recipe"), 2, "interplay: no such recipe\n"),
        (KeyboardInterrupt(), 130, "interplay: stopped\n"),
        (
            ModuleNotFoundError("No module named 'jiwer'", name="jiwer.process"),
            2,
            "interplay: `interplay bench` needs the bench extra: pip install 'interplay[bench]'\n",
        ),
        (None, 7, ""),
    ],
)
def test_errors_of_a_command_become_one_line(monkeypatch, capsys, error, exit_code, line):
    _replace_commands(monkeypatch, error)
    assert cli.main(["bench"]) == exit_code
    assert capsys.readouterr().err == line


def test_a_missing_module_of_our_own_is_not_hidden(monkeypatch):
    error = ModuleNotFoundError("No module 'interplay.nowhere'", name="interplay.nowhere")
    _replace_commands(monkeypatch, error)
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        cli.main(["bench"])


def test_a_reader_that_leaves_early_is_no_error():
    script = (
        "import sys; from interplay import cli\n"
        "cli.Command.load = lambda self: (lambda p: None, lambda a: print('x' * 10**6) or 0)\n"
        "sys.exit(cli.main(['bench']))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout and child.stderr
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait(timeout=60) == cli.EXIT_BROKEN_PIPE
    child.stderr.close()
