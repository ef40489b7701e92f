"""The transcript of a recorded session: who said what and when, without what nobody heard."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from interplay.clock import SAMPLES_PER_TURN
from interplay.engine.engine import Engine
from interplay.engine.record import Recorder
from interplay.errors import RecordError
from interplay.model.checkpoint import load_checkpoint, save_checkpoint
from interplay.server.words_command import add_arguments, run, said_lines
from interplay.turns.tokens import STOP
from interplay.turns.types import InputHalf
from tests.realtime_helpers import ONE, SIX, TEN, TOKENIZER
from tests.server_helpers import beat, client, loaded, make_hub, send


def write(folder: Path, *turns: dict) -> Path:
    """The lines of a record, by hand."""
    lines = ({"heard": [], "say": [], "num_played": None} | turn for turn in turns)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "turns.jsonl").write_text(text, encoding="utf-8")
    return folder


def note(folder: Path, *events: dict) -> None:
    """What happened beside the streams."""
    text = "".join(json.dumps(event) + "\n" for event in events)
    (folder / "events.jsonl").write_text(text, encoding="utf-8")


def spoken(folder: Path) -> list[tuple[str, str]]:
    return [(line.role, line.text) for line in said_lines(folder, TOKENIZER)]


def test_what_both_said_in_the_order_in_which_it_came(tmp_path):
    write(tmp_path, {}, {"heard": TEN}, {"heard": SIX}, {"say": ONE}, {"say": TEN}, {"heard": ONE})
    assert spoken(tmp_path) == [("user", "ten six"), ("assistant", "one ten"), ("user", "one")]
    user, model, _ = said_lines(tmp_path, TOKENIZER)
    assert user.time_s == 0 and model.time_s == 0.8


def test_words_of_which_the_sound_was_thrown_away_are_left_out(tmp_path):
    cut = {"say": (STOP,), "num_played": 0}
    write(tmp_path, {"say": ONE}, {}, {}, {"say": TEN}, {"say": SIX}, cut, {"say": ONE})
    assert spoken(tmp_path) == [("assistant", "one one")]
    played = cut | {"num_played": SAMPLES_PER_TURN - 1}
    write(tmp_path, {"say": ONE}, {}, {}, {"say": TEN}, {}, {}, played, {"say": ONE})
    assert spoken(tmp_path) == [("assistant", "one ten one")], "it had sounded by then"


def test_what_the_user_typed_stands_where_it_was_typed(tmp_path):
    typed = {"event": "text", "kind": "typed"}
    app = {"ms": 400, "event": "text", "kind": "speech", "text": "of the app"}
    note(
        tmp_path,
        typed | {"ms": 200, "text": "how are you?"},
        {"ms": 400, "event": "mute", "is_muted": True},
        app,
        typed | {"ms": 800, "text": "bye"},
    )
    write(tmp_path, {"heard": TEN}, {"say": ONE}, {"say": SIX})
    assert [(line.time_s, line.role, line.text) for line in said_lines(tmp_path, TOKENIZER)] == [
        (0.0, "user", "ten"),
        (0.2, "user", "how are you?"),
        (0.4, "assistant", "one six"),
        (0.8, "user", "bye"),
    ]
    (tmp_path / "events.jsonl").write_text("{}\n")
    with pytest.raises(RecordError, match=r"events\.jsonl is damaged"):
        said_lines(tmp_path, TOKENIZER)


def test_a_session_with_typed_text_is_written_down(tmp_path):
    hub = make_hub(record_root=tmp_path)
    adapter = client(hub, "text", store=True)
    beat(hub)
    send(adapter, "interplay.input_text.append", text="how are you?")
    beat(hub)
    assert adapter.session
    hub.close(adapter.session, "asked")
    beat(hub)
    hub.stop()
    (folder,) = tmp_path.iterdir()
    assert (0.2, "user", "how are you?") in [
        (line.time_s, line.role, line.text) for line in said_lines(folder, hub.tokenizer)
    ]


def test_after_a_crash_the_whole_lines_are_read(tmp_path):
    with open(write(tmp_path, {"heard": TEN}) / "turns.jsonl", "a") as file:
        file.write('{"heard": [1, ')
    assert spoken(tmp_path) == [("user", "ten")]


@pytest.mark.parametrize("text", ["x\n", "[]\n", '{"heard": []}\n', None])
def test_what_is_no_record_is_refused(tmp_path, text):
    if text:
        (tmp_path / "turns.jsonl").write_text(text)
    with pytest.raises(RecordError, match="copy the record again"):
        said_lines(tmp_path, TOKENIZER)


def test_the_command_finds_the_model_and_writes_lines(tmp_path, capsys):
    tiny, model = loaded(), tmp_path / "tiny.safetensors"
    save_checkpoint(model, tiny.model, None, tiny.tokenizer, tiny.facts)
    session = Engine(load_checkpoint(str(model)), num_slots=1).open(seed=1)
    half = InputHalf(hear=np.zeros(SAMPLES_PER_TURN, np.float32))
    with Recorder(tmp_path / "r", session) as recorder:
        recorder.add(half, session.push(half))
    silence = [{}] * 300
    write(tmp_path / "r", {"heard": TEN}, *silence, {"say": SIX})
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert run(parser.parse_args([str(tmp_path / "r")])) == 0
    assert capsys.readouterr().out == "0:00.0  You: ten\n1:00.4  Model: six\n"
