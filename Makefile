# Needs Python 3.11+ and make, nothing else. Each target installs into .venv what it lacks.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# torch comes first and alone, so that no later range can replace the pinned build
TORCH := $(shell grep '^torch==' constraints.txt)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
INSTALLED_BY := pyproject.toml constraints.txt
JS := tests/clients/js

.DELETE_ON_ERROR:
.PHONY: help install demo serve test test-gpu test-browser test-clients test-ray check train-xs

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1 - /p' Makefile

install: $(VENV)/.core  ## install the package and its core dependencies

demo: $(VENV)/.core  ## hear the model in a recorded conversation
	$(BIN)/interplay demo

serve: $(VENV)/.serve  ## serve live sessions to real-time clients on 127.0.0.1:8765
	$(BIN)/interplay serve

# compiled modules are kept, whatever the environment says: tests start dozens of programs
test: $(VENV)/.dev  ## run the fast tests: no network, no GPU, no weights to download
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist worksteal

test-gpu: $(VENV)/.dev  ## run the kernels and captured ticks on the GPU of this machine
	$(BIN)/python -m pytest -m "gpu or not gpu" tests/test_kernels.py tests/test_ring.py tests/test_static_tick.py

test-browser: $(VENV)/.dev  ## talk to the page in a headless Chromium (Debian: apt install chromium)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m browser -n 2 --dist loadfile tests/test_browser_*.py

test-clients: $(VENV)/.clients $(VENV)-pipecat/.done $(VENV)-livekit/.done $(JS)/node_modules/.installed  ## talk to the server with real-time clients of other people
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m clients -rs tests/clients

test-ray: $(VENV)/.ray  ## serve as two replicas on a Ray cluster of this machine
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow or not slow" tests/test_server_ray.py

check: $(VENV)/.dev  ## lint, format, types and import layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports

train-xs: $(VENV)/.train  ## train the smallest model from nothing on two CPU cores
	$(BIN)/interplay train xs

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "make: $(PYTHON) is not Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); \
	  echo "make: $(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv" >&2; \
	  exit 1; }

$(VENV)/.core: $(INSTALLED_BY) | $(BIN)/python
	@echo "installing into $(VENV): core (some minutes the first time)"
	@$(INSTALL) '$(TORCH)'
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.train: $(VENV)/.core
	@echo "installing into $(VENV): synth, train, bench"
	@$(INSTALL) -e '.[synth,train,bench]'
	@touch $@

$(VENV)/.serve: $(VENV)/.core
	@echo "installing into $(VENV): serve"
	@$(INSTALL) -e '.[serve]'
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	@echo "installing into $(VENV): dev"
	@$(INSTALL) -e '.[dev]'
	@touch $@

# frameworks that want other versions than ours: each in an environment of its own
$(VENV)-%/.done: tests/clients/requirements-%.txt | $(BIN)/python
	@echo "installing into $(VENV)-$*: $< (0.5 GB)"
	@$(BIN)/python -m venv $(VENV)-$*
	@$(VENV)-$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)/.clients: $(VENV)/.dev
	@echo "installing into $(VENV): clients"
	@$(INSTALL) -e '.[clients]'
	@touch $@

$(VENV)/.ray: $(VENV)/.dev
	@echo "installing into $(VENV): ray"
	@$(INSTALL) -e '.[ray]'
	@touch $@

$(JS)/node_modules/.installed: $(JS)/package.json $(JS)/package-lock.json
	@if command -v npm >/dev/null && node -e 'process.exit(+(parseInt(process.versions.node) < 20))' 2>/dev/null; then \
	  echo "installing into $(JS)/node_modules: @openai/agents"; \
	  npm ci --prefix $(JS) --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@; \
	else \
	  echo "make: no node 20 or newer with npm, so tests with @openai/agents are skipped; on Debian 13: apt install nodejs npm"; \
	fi
