"""Renders the user's side of the demo: `python render_demo_audio.py HUMAN_FOLDER`.

Sentences are synthesised with voices of the test split, single words are cut out of human
recordings by speakers of the test split. Run once; the demo itself plays the
files it wrote to examples/audio.
Knows nothing of when they are played: examples/demo.json says that.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import soundfile

from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.speech import synthesize

HERE = Path(__file__).parent / "audio"
HER, HIM, OTHER = "espeak:en-us+f4:p52:r150:g55", "flite:rms:d1.00:p1.00", "flite:awb:d0.95:p1.00"
SENTENCES = {  # file: (voice, parts, pause between the parts [s])
    "hello_there": (HER, ["hello there"], 0.0),
    "seven_plus_five": (HIM, ["how much is seven plus", "five"], 1.1),
    "opposite_of_winter": (HER, ["tell me the opposite of winter"], 0.0),
    "count_to_ten": (HIM, ["count to ten"], 0.0),
    "days_of_the_week": (HER, ["tell me the days of the week"], 0.0),
    "mm_hmm": (HER, ["mm hmm"], 0.0),
    "count_to_twelve": (HIM, ["please count to twelve"], 0.0),
    "colour_of_the_sky": (HIM, ["what is the colour of the sky"], 0.0),
    "say_birthday": (HER, ["say birthday in three seconds"], 0.0),
    "drink_water": (OTHER, ["remind me to drink water every three seconds"], 0.0),
    "weather_in_geneva": (HIM, ["what is the weather in geneva"], 0.0),
    "thank_you": (HER, ["thank you very much"], 0.0),
}
CLIPS = {  # file: (archive, start sample, end sample, word, speaker)
    "human_four": ("digits-test", 3339180, 3349442, "four", "lucas"),
    "human_yes": ("commands-test", 16096000, 16112000, "yes", "d5b963aa"),
    "human_six": ("digits-test", 5043730, 5053092, "six", "theo"),
    "human_stop": ("commands-test", 12240000, 12256000, "stop", "837a0f64"),
    "human_stop_again": ("commands-test", 12352000, 12368000, "stop", "87070229"),
}


def sentence(voice: str, parts: list[str], pause_s: float) -> np.ndarray:
    """Parts of one sentence with silence between them, int16."""
    spoken = [synthesize(part, voice).samples for part in parts]
    pause = np.zeros(round(pause_s * SAMPLE_RATE_HZ), np.int16)
    return np.concatenate([piece for part in spoken for piece in (pause, part)][1:])


def check_labels(folder: Path) -> None:
    """Every clip is what the labels say it is, of a speaker of the test split."""
    rows = {(r["archive"], int(r["start_sample"])): r for r in csv.DictReader(open_labels(folder))}
    for archive, start, end, word, speaker in CLIPS.values():
        row = rows[archive, start]
        found = int(row["end_sample"]), row["word"], row["speaker"], row["split"]
        assert found == (end, word, speaker, "test"), row


def open_labels(folder: Path) -> list[str]:
    return (folder / "labels.csv").read_text().splitlines()


def main(folder: Path) -> None:
    HERE.mkdir(exist_ok=True)
    check_labels(folder)
    sounds = {name: sentence(*said) for name, said in SENTENCES.items()}
    for name, (archive, start, end, *_) in CLIPS.items():
        path = folder / f"{archive}.flac"
        sounds[name], _ = soundfile.read(path, start=start, stop=end, dtype="int16")
    for name, samples in sounds.items():
        soundfile.write(HERE / f"{name}.flac", samples, SAMPLE_RATE_HZ, subtype="PCM_16")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
