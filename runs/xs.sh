#!/bin/sh
# The shipped `xs` model from nothing: an hour on two CPU cores. The stages of `interplay train xs`:
#   out/xs/corpus              about 30,000 utterances and the tokenizer
#   out/xs/model               log.jsonl, curves.png, snapshots
#   out/xs/vocoder             from mel frames to sound
#   out/xs/xs.safetensors      what `interplay demo --model` and `interplay talk --model` take
# Stopped by Ctrl-C or a power cut, it goes on with: runs/xs.sh --resume
set -eu
cd "$(dirname "$0")/.."
exec .venv/bin/interplay train xs "$@"
