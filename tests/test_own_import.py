"""Own data: every format becomes the same session, every fault one line, an import all or none."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from own_helpers import WORDS, conversation, noise, said, write
from tokenizers import Tokenizer as HfTokenizer
from tokenizers import models, pre_tokenizers
from video_helpers import write_video

from interplay import cli
from interplay.data.own import importing
from interplay.data.own.prepare import prepare
from interplay.data.own.store import OwnData
from interplay.data.own.words import spell
from interplay.data.speech import synthesize
from interplay.errors import RecordError, SynthError
from interplay.turns.tokens import SPECIALS, Tokenizer

CTM = "".join(
    f"talk {'A' if channel == 'user' else 'B'} {start} {end - start:.2f} {word} 0.9\n"
    for channel, word, start, end in WORDS
)
GRID = """File type = "ooTextFile"
Object class = "TextGrid"

0
2
<exists>
2
"IntervalTier"
"left"
0
2
4
0
0.5
""
0.5
0.8
"hello"
0.8
1.1
"there"
1.1
2
"sil"
"IntervalTier"
"right"
0
2
4
0
1.2
""
1.2
1.5
"good"
1.5
1.9
"day"
1.9
2
""
"""
BAD_GRID = json.dumps(  # the other form of Praat's, with a time that is none
    {"tiers": [{"class": "IntervalTier", "name": "user", "entries": [["now", 1, "hello"]]}]}
)


def imported(folder: Path, *flags: str) -> OwnData:
    out = folder.parent / "out"
    assert cli.main(["data", "import", str(folder), "--out", str(out), *flags]) == 0
    return OwnData(out)


def refusal(capsys: pytest.CaptureFixture, *words: str) -> str:
    assert cli.main(["data", *words]) == 2
    told = capsys.readouterr().err
    assert told.startswith("interplay: ") and told.count("\n") == 1, told
    return told


def plain(data: OwnData) -> list[tuple[str, str, float, float]]:
    (session,) = data.sessions
    return [(w.channel, w.word, w.start_s, w.end_s) for w in session.words]


@pytest.mark.parametrize(
    ("name", "content"), [("talk.json", said()), ("talk.ctm", CTM), ("talk.TextGrid", GRID)]
)
def test_a_conversation_is_the_same_in_every_format(tmp_path, name, content):
    folder = tmp_path / "in"
    write(folder, "talk.wav", noise())
    write(folder, name, content)
    data = imported(folder)
    assert plain(data) == list(WORDS)
    (session,) = data.sessions
    assert [word.word for word in session.words if word.begins] == ["hello", "good"]
    np.testing.assert_allclose(session.sound(100, 50)[0], noise()[100:150, 0], atol=2**-15)
    assert (session.facts.has_model, session.facts.has_camera) == (True, False)
    assert not session.facts.voice_known


def test_the_model_may_be_left_and_have_a_file_of_its_own(tmp_path):
    sound = noise()
    for name, column in (("user", 0), ("model", 1)):
        write(tmp_path / "in", f"talk.{name}.wav", sound[:, column])
    write(tmp_path / "in", "talk.json", said())
    (session,) = imported(tmp_path / "in", "--model", "left", "--own-voice").sessions
    np.testing.assert_allclose(session.sound(0, 99)[0], sound[:99, 0], atol=2**-15)
    own = session.sound(0, 99)[1]
    np.testing.assert_allclose(own / own.std(), sound[:99, 1] / sound[:99, 1].std(), atol=2e-3)
    assert session.facts.voice_known


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([("user", "a", 0.5, 0.9), ("user", "b", 0.8, 1.2)], "0.80 s: 'b' of the user channel"),
        ([("user", "a", -0.2, 0.3)], "-0.20 s: 'a' begins before the sound; times count"),
        ([("user", "a", 0.6, 0.4)], "0.60 s: 'a' ends at 0.40 s, before it began; give"),
        ([("user", "a", 1.0, 2.5)], "1.00 s: 'a' ends at 2.50 s, past the end of the sound at 2."),
        ([("user", "a", 1.0, float("nan"))], "1.00 s: 'a' lasts until nan; give start and end"),
        ([("user", "42", 0.1, 0.2)], "0.10 s: '42' is no word that can be spelled; write numbers"),
        ([("user", "one two", 0.1, 0.2)], "0.10 s: 'one two' are 2 words with one time; give"),
        ([], "the transcript is empty; transcribe it or leave it out"),
        ([("user", "[noise]", 0.1, 0.2)], "the transcript is empty"),
        ([("anna", "a", 0.1, 0.2)], "has a channel 'anna'; name the channels user and model"),
        ([(None, "a", 0.1, 0.2)], "0.10 s: two channels, and nobody says who"),
    ],
)
def test_what_is_wrong_with_words_is_told_by_file_second_and_cure(tmp_path, capsys, words, line):
    write(tmp_path, "talk.wav", noise())
    file = write(tmp_path, "talk.json", said(words))
    told = refusal(capsys, "import", str(tmp_path), "--out", str(tmp_path / "out"))
    assert str(file) in told and line in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["talk.json", "talk.wav"]


def test_words_that_touch_or_overlap_by_rounding_are_fine(tmp_path):
    write(tmp_path / "in", "talk.wav", noise())
    words = [("user", "a", 0.5, 0.91), ("model", "b", 0.6, 1.2), ("user", "c", 0.9, 2.04)]
    write(tmp_path / "in", "talk.json", said(words))
    assert len(plain(imported(tmp_path / "in"))) == 3


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({"a.wav": noise(num_channels=3), "a.json": said()}, "the sound has 3 channels; give one"),
        ({"a.wav": noise(num_channels=1), "a.json": said()}, "but the sound has one channel; give"),
        ({"a.wav": "no sound at all", "a.json": said()}, "a.wav is not a sound file"),
        ({"a.wav": noise()}, "a.wav has no transcript beside it; give one of the same name"),
        ({"a.wav": noise(), "a.json": "{]"}, "a.json, line 1: not JSON"),
        ({"a.wav": noise(), "a.json": '{"words": [{"word": 3}]}'}, "is not understood; give"),
        ({"a.wav": noise(), "a.json": "[" * 100_000}, "a.json: its brackets are nested too deep"),
        ({"a.wav": noise(), "a.json": "[1]"}, "holds no transcript that can be read; give"),
        ({"a.wav": noise(), "a.ctm": "talk A zero 1 hi"}, "a.ctm, line 1: 'talk A zero 1 hi'"),
        ({"a.wav": noise(), "a.TextGrid": "hello"}, "a.TextGrid is no TextGrid"),
        ({"a.wav": noise(), "a.TextGrid": BAD_GRID}, "a.TextGrid is no TextGrid (could not conv"),
        ({"a.wav": noise(), "a.json": said(), "a.ctm": CTM}, "has 2 transcripts, a.ctm and a.json"),
        ({"a.mp4": "no film", "a.srt": "1\n00:00:01,000 --> 00:00:02,000\nHi"}, "as video"),
        ({"a.user.wav": noise(num_channels=1), "a.json": said()}, "a.model.wav does not exist"),
        ({"readme.md": "hello"}, "no sound or film in"),
    ],
)
def test_what_is_wrong_with_files_is_one_line(tmp_path, capsys, files, line):
    for name, content in files.items():
        write(tmp_path / "in", name, content)
    told = refusal(capsys, "import", str(tmp_path / "in"), "--out", str(tmp_path / "out"))
    assert line in told
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    ("model", "rate_hz", "line"),
    [
        (noise(num_channels=1), 8000, "has 16000 Hz and talk.model.wav 8000 Hz; files of one"),
        (noise(1.5, 1), 16000, "lasts 2.00 s and talk.model.wav 1.50 s; files of one"),
        (noise(), 16000, "talk.model.wav has 2 channels; each of two files"),
    ],
)
def test_two_files_of_one_conversation_fit_each_other(tmp_path, capsys, model, rate_hz, line):
    write(tmp_path, "talk.user.wav", noise(num_channels=1))
    write(tmp_path, "talk.model.wav", model, rate_hz)
    write(tmp_path, "talk.json", said())
    assert cli.main(["data", "import", str(tmp_path), "--check"]) == 1
    assert line in capsys.readouterr().out


def test_check_lists_every_problem_and_writes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(conversation(tmp_path))
    for name in ("b", "c"):
        write(tmp_path, f"{name}.wav", noise())
        write(tmp_path, f"{name}.json", said([("user", "8", 1.0, 1.1), ("user", "7", 1.2, 1.3)]))
    before = sorted(tmp_path.iterdir())
    assert cli.main(["data", "import", ".", "--check"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if "7' is no word" in line]) == 2
    assert lines[-1] == "1 of 3 sessions can be imported"
    assert sorted(tmp_path.iterdir()) == before
    told = refusal(capsys, "import", ".", "--out", "out")
    assert "(and 3 more problems, which --check lists)" in told and not Path("out").exists()
    assert cli.main(["data", "import", ".", "--out", "out", "--skip"]) == 0
    assert len(OwnData(Path("out")).sessions) == 1
    assert capsys.readouterr().out.count("left out: ") == 4
    assert "out holds imported data already" in refusal(capsys, "import", ".", "--out", "out")


def test_a_killed_import_goes_on_and_makes_again_what_has_changed(tmp_path, monkeypatch, capsys):
    for name in ("a", "b", "c"):
        conversation(tmp_path / "in", name)
    real, made = prepare, []

    def dies_at_the_third(source, *rest):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(source.file)
        return real(source, *rest)

    monkeypatch.setattr(importing, "prepare", dies_at_the_third)
    command = ["data", "import", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    assert cli.main(command) == cli.EXIT_INTERRUPTED
    assert not (tmp_path / "out").exists()
    made.clear()
    write(tmp_path / "in", "a.json", said(WORDS[:2]))
    assert cli.main(command) == 0
    assert [Path(file).name for file in made] == ["a.json", "c.json"]
    sizes = [len(session.words) for session in OwnData(tmp_path / "out").sessions]
    assert sizes == [2, 4, 4]
    assert "3 sessions, 0.1 minutes, 1 of them from before" in capsys.readouterr().out


def test_a_transcript_without_times_is_aligned(tmp_path):
    try:
        utterance = synthesize("we walk the dog on monday", "flite:rms")
    except SynthError as error:
        pytest.skip(str(error))
    write(tmp_path / "in", "a.wav", utterance.samples)
    write(tmp_path / "in", "a.txt", "We walk the dog -- on Monday. [laughter]")
    (session,) = imported(tmp_path / "in").sessions
    assert [word.word for word in session.words] == utterance.text.split()
    ends = [word.end_s for word in session.words]
    assert np.abs(np.subtract(ends, [end_s for *_, end_s in utterance.words])).max() < 0.06
    source = tmp_path / "silent"
    write(source, "a.wav", np.zeros(16000, np.float32))
    write(source, "a.txt", "hello")
    assert cli.main(["data", "import", str(source), "--check"]) == 1


def test_spelling_keeps_letters_and_refuses_the_rest():
    spelled = spell("“Don’t go!” said Zoë (softly) at 5 o'clock — it's half-past.")
    assert spelled.words == (
        *("don't", "go", "said", "zoë", "at", "o'clock", "it's", "half", "past"),
    )
    assert [w for w, b in zip(spelled.words, spelled.begins, strict=True) if b] == ["said"]
    assert (spelled.marks, spelled.bad, spelled.ends) == (("(softly)",), ("5",), True)


def test_a_tokenizer_that_cannot_spell_is_told(tmp_path, capsys):
    words = {name: k for k, name in enumerate((*SPECIALS, "hello", "there", "good"))}
    foreign = HfTokenizer(models.WordLevel(words, unk_token="good"))
    foreign.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    file = write(tmp_path, "tokenizer.json", foreign.to_str())
    folder = conversation(tmp_path / "in")
    told = refusal(capsys, "import", str(folder), "--out", "x", "--tokenizer", str(file))
    assert "talk.json, 1.50 s: the tokenizer cannot spell 'day'; take one made by" in told
    ours = write(tmp_path, "ours.json", Tokenizer.train(["a b"], 400).to_json())
    assert len(imported(folder, "--tokenizer", str(ours)).sessions) == 1


CAPTIONS = "WEBVTT\n\n00:00.400 --> 00:01.000\nA <i>bird</i>.\n\n00:02.400 --> 00:03.000\nGone.\n"


@pytest.mark.parametrize(
    ("rate", "size", "note"), [(10, (320, 240), ""), (1, (64, 48), "1 pictures a second")]
)
def test_the_model_says_the_captions_of_a_film(tmp_path, capsys, rate, size, note):
    try:
        synthesize("hello", "flite:slt")
    except SynthError as error:
        pytest.skip(str(error))
    write_video(tmp_path / "in" / "film.mp4", [10, 60, 110, 160] * rate, rate, size)
    write(tmp_path / "in", "film.vtt", CAPTIONS)
    (session,) = imported(tmp_path / "in").sessions
    assert session.facts.has_camera and session.facts.voice_known
    assert session.frames.shape == (session.facts.num_samples // 3200, 120, 160, 3)
    assert [(w.word, w.channel) for w in session.words] == [
        (w, "model") for w in ("a", "bird", "gone")
    ]
    assert abs(session.words[0].start_s - 0.4) < 0.03
    assert abs(session.words[2].start_s - 2.4) < 0.03
    own = session.sound(0, session.facts.num_samples)[1]
    assert not own[: int(0.38 * 16000)].any() and own[int(0.5 * 16000) : 12000].any()
    assert note in capsys.readouterr().out


@pytest.mark.parametrize(
    ("size", "caption", "line"),
    [
        (
            (3840, 2160),
            "00:00:00,100 --> 00:00:00,400\nOne two three",
            "0.10 s: 'one two three' tak",
        ),
        ((64, 48), "00:00:02,000 --> 00:00:03,000\nOne", "2.00 s: 'One' ends at 3.00 s, past the"),
    ],
)
def test_captions_that_do_not_fit_a_film_are_told(tmp_path, capsys, size, caption, line):
    write_video(tmp_path / "in" / "film.mp4", [10], 2, size)
    write(tmp_path / "in", "film.srt", f"1\n{caption}\n")
    told = refusal(capsys, "import", str(tmp_path / "in"), "--out", str(tmp_path / "out"))
    assert f"film.srt, {line}" in told or "flite" in told


def test_rows_of_a_dataset_are_sessions(tmp_path, capsys):
    import datasets  # slow to import

    path = write(tmp_path, "a.flac", noise(num_channels=2))
    keys = ("channel", "word", "start_s", "end_s")
    words = [dict(zip(keys, word, strict=True)) for word in WORDS]
    rows = datasets.Dataset.from_dict({"sound": [str(path)] * 2, "said": [words] * 2})
    saved = str(tmp_path / "saved")
    rows.cast_column("sound", datasets.Audio()).save_to_disk(saved)
    capsys.readouterr()
    told = refusal(capsys, "import", f"hf:{saved}", "--check")
    assert "has the columns sound, said; say which hold sound and text" in told
    out = str(tmp_path / "out")
    columns = ["--columns", "audio=sound,words=said"]
    assert cli.main(["data", "import", f"hf:{saved}", "--out", out, *columns]) == 0
    sessions = OwnData(Path(out)).sessions
    assert [len(session.words) for session in sessions] == [4, 4]
    assert sessions[1].facts.source == f"hf:{saved} row 1"


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("hf:nobody/nothing:train", "hf:nobody/nothing:train cannot be loaded ("),
        ("hf:nothing", "hf:nothing is no dataset; give hf:NAME:SPLIT"),
    ],
)
def test_a_dataset_out_of_reach_is_one_line(capsys, place, line):
    assert line in refusal(capsys, "import", place, "--check")


def test_without_the_library_the_extra_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    told = refusal(capsys, "import", "hf:a:train", "--check")
    assert "needs the datasets library: pip install 'interplay[datasets]'" in told


def test_look_draws_a_picture_and_refuses_what_is_no_data(tmp_path, capsys):
    folder = conversation(tmp_path / "in").parent
    imported(folder / "in")
    assert cli.main(["data", "look", str(folder / "out"), "--num", "1"]) == 0
    picture = folder / "out" / "look.png"
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 5000
    assert "no imported data in" in refusal(capsys, "look", str(folder / "in"))


@pytest.mark.parametrize("name", ["sound.flac", "words.jsonl"])
def test_damaged_data_is_told(tmp_path, name):
    (session,) = imported(conversation(tmp_path / "in")).sessions
    (session.folder / name).write_bytes(b"{")
    with pytest.raises(RecordError, match=f"{name} is damaged .*import it again"):
        assert session.words and session.sound(0, 10).any()
