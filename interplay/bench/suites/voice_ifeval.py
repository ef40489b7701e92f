"""VoiceBench-IFEval: the same instructions in spoken prompts (arXiv 2410.17196).

The reply is everything on `say` after the prompt began. A recording is followed by silence until
the system, once it has answered, has been quiet for 3 s, and for 60 s at most. Many of the
instructions are about layout, which only a text stream can show: a transcript of the sound
(bench.listening.recognisers) caps the score. The leading speaker tags of some systems, which the
published program strips, never occur on `say`. Knows nothing of systems.
"""

from pathlib import Path

import numpy as np

from interplay.bench.playing.stage import QUIET_S
from interplay.bench.scoring.instructions import instructions_of
from interplay.bench.suites.base import Suite, tabled
from interplay.bench.suites.following import prompts
from interplay.bench.suites.ifeval import about, reply_s, rows_for, score_as
from interplay.bench.suites.post import reported
from interplay.bench.suites.tables import rows_of, sound_of
from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.heldout import SEED_BASE, duration_s
from interplay.data.item import Clip, Item, Noise, Say, Speak, When
from interplay.data.voices import random_voice

NAME = "voice_ifeval"
REPLY_S = 60.0  # at most
REPLIED_S = 3.0  # quiet for so long: the reply is over
BEGIN = When(seconds=0.6)


def twin(n: int, seed: int) -> list[Item]:
    items = []
    for k, prompt in enumerate(prompts(n, seed)):
        rng = np.random.default_rng([seed, k, 0x2F])
        items.append(
            Item(
                kind=NAME,
                seed=SEED_BASE + seed * 100_000 + k,
                length_s=0.6 + duration_s(prompt.text) + reply_s(prompt.reply) + 2.5,
                cues=(
                    Speak(text=prompt.text, voice=random_voice(rng, "test"), at=BEGIN),
                    Noise(level_db=float(rng.uniform(-65, -50))),
                ),
                expect=(Say(text=(prompt.reply,), after=0),),
                about=about(prompt),
            )
        )
    return items


def load(folder: Path, n: int | None) -> list[Item]:
    """The configuration `ifeval` of VoiceBench: Parquet, or `ifeval.jsonl` with wav files."""
    items: list[Item] = []
    for where, row in rows_of(folder, "ifeval", ("prompt", "audio")):
        if n is not None and len(items) >= n:
            break
        instructions_of(row, where)
        samples = sound_of(row["audio"], where)
        cues = (Clip(samples=samples, word=row["prompt"], at=BEGIN), Noise(level_db=-65.0))
        items.append(
            Item(
                kind=NAME,
                seed=SEED_BASE + len(items),
                length_s=0.6 + len(samples) / SAMPLE_RATE_HZ + REPLY_S,
                cues=cues,
                expect=(),
                about={key: row[key] for key in ("instruction_id_list", "kwargs")}
                | {QUIET_S: REPLIED_S},
            )
        )
    return items


LEADERBOARD = {
    **{"Parakeet + Qwen3-8B": (78.99,), "Whisper-v3 + GPT-4o": (76.51,)},
    **{"GPT-4o-Audio": (76.02,), "GPT-4o-mini-Audio": (72.90,), "Ultravox-0.5-8B": (66.51,)},
    **{"Kimi-Audio": (61.10,), "MiniCPM-o": (49.25,), "VITA-1.5": (38.14,)},
    **{"GLM-4-Voice": (25.92,), "Freeze-Omni": (23.40,), "Moshi": (10.12,)},
}
SUITE = Suite(
    name="voice-ifeval",
    what="verifiable instructions in spoken prompts",
    rows=rows_for(NAME),
    twin=twin,
    score=lambda traces: score_as(NAME, traces),
    load=load,
    published=(
        *reported(NAME, 82.1, 81.7, 68.1, 67.6, 80.3, 83.2, 82.8),
        *tabled([NAME], LEADERBOARD, "VoiceBench leaderboard", "2026"),
    ),
    how_to_get="the configuration `ifeval` of hlt-lab/voicebench on Hugging Face (Apache-2.0, 345 "
    "prompts): its Parquet files in one folder, or exported as ifeval.jsonl "
    "(prompt, instruction_id_list, kwargs, audio: path of a wav file).",
)
