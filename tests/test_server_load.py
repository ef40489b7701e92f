"""The load client: it talks in real time, and its numbers are those of the server."""

import json

import numpy as np
import pytest

from interplay.bench import command
from interplay.bench.load import LoadReport, drive
from interplay.cli import main
from tests.server_helpers import server


def test_clients_talk_in_real_time_and_the_server_is_asked_what_it_cost():
    question = np.full(4000, 0.3, np.float32)
    with server(3) as serving:
        report = drive(serving.port, 3, 2.0, question)
    assert report.num_session_ticks <= 40, "30, and fewer on a machine that is very busy"
    assert report.num_questions == 3
    assert report.overhead_ms > 0
    assert all(0 < seconds < 2 for seconds in report.first_sound_s)


def test_rows_have_the_names_of_the_bench():
    report = LoadReport(
        num_sessions=4,
        seconds=60.0,
        num_session_ticks=1200,
        num_misses=0,
        num_gaps=1,
        overhead_ms=0.41,
        model_ms=3.0,
        num_questions=5,
        first_sound_s=(0.5, 0.7),
    )
    rows = report.rows()
    values = {name: row["value"] for name, row in rows.items()}
    assert values == {
        "sessions_no_miss": 4,
        "overhead_ms": 0.41,
        "first_sound_p50_s": 0.6,
        "first_sound_p95_s": 0.69,
    }
    assert rows["overhead_ms"]["answered"] == "2/5"


@pytest.mark.slow
def test_the_command_loads_a_server_program_of_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(command.LOAD_S, "logical", 12.0)
    file = tmp_path / "serve.json"
    assert main(["bench", "serve", "--n", "2", "--json", str(file)]) in (0, 1)
    assert "overhead_ms" in capsys.readouterr().out
    rows = json.loads(file.read_text())["rows"]
    assert rows["first_sound_p50_s"]["value"] > 0.2
