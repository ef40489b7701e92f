#!/bin/sh
# The model `s` from nothing, with eyes and all behaviours: an evening on one GPU. The stages of
# `interplay train s`:
#   out/s/corpus            about 168,000 utterances, synthesised on the host, and the tokenizer
#   a line that says how fast this machine trains and whether batches keep up
#   out/s/model             log.jsonl, curves.png, a snapshot every four minutes
#   out/s/vocoder           from mel frames to sound
#   out/s/s.safetensors     int8, at most 45 MB: what `interplay talk --model` takes
# Stopped, or moved with its folder to another machine, it goes on with: runs/s.sh --resume
# runs/s.sh --smoke [options]: the same stages in seconds on a CPU. The name of another recipe may
# come first: runs/s.sh s-moe. PYTHON: the interpreter (default: .venv/bin/python).
set -eu
PYTHON=${PYTHON:-$(dirname "$0")/../.venv/bin/python}
recipe=s
case "${1:-}" in
  --smoke) recipe=s-smoke; shift ;;
  s-*) recipe=$1; shift ;;
esac
exec "$PYTHON" -m interplay train "$recipe" "$@"
