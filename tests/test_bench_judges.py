"""Judges, rules and recognisers: asked the same way, counted, stored, never guessed."""

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from bench_helpers import QUESTION, hand_made
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.bench.listening import plugins, recognisers
from interplay.bench.scoring import judges
from interplay.bench.scoring.judges import EndpointJudge, ask, json_field, yes_or_no
from interplay.bench.suites import tables
from interplay.bench.wording import rules, spelling
from interplay.errors import AudioError, BackgroundError, ConfigError, RecordError


class Answers:
    """A judge that gives these replies in turn and keeps what it was asked."""

    name = "mock"

    def __init__(self, *replies: str) -> None:
        self.replies, self.asked = list(replies), []

    def judge(self, system: str, user: str) -> str:
        self.asked.append(user)
        return self.replies.pop(0)


# Judges


def test_nonsense_is_asked_again_a_fixed_number_of_times():
    first = Answers("Yes.")
    assert ask(first, "s", "u", yes_or_no) == judges.Verdict(value=True)
    second = Answers("hm", "no")
    verdict = ask(second, "s", "u", yes_or_no)
    assert (verdict.value, verdict.notes) == (False, ("judge_asked_again",))
    assert second.asked[0] == "u" and second.asked[1].startswith("u\n\nAnswer only")
    never = Answers(*["hm"] * 9)
    verdict = ask(never, "s", "u", yes_or_no)
    assert verdict.value is None and "judge_nonsense" in verdict.notes
    assert len(never.asked) == judges.NUM_TRIES == len(set(never.asked))


def test_replies_are_parsed():
    assert [yes_or_no(r) for r in ("Yes", '"No".', "**yes** it", "maybe", "")] == [
        *(True, False, True, None, None)
    ]
    fenced = 'Sure:\n```json\n{"explanation": "a\nb", "criteria_met": false}\n```'
    assert json_field(fenced, "criteria_met") is False
    assert json_field("[1]", "x") is None and json_field("}{", "x") is None


def test_a_verdict_is_given_once(tmp_path):
    sent = []

    def send(request):
        sent.append(request)
        return f"reply {len(sent)}"

    judge = EndpointJudge("m", folder=tmp_path / "new", send=send)
    assert judge.judge("be fair", "a?") == "reply 1" == judge.judge("be fair", "a?")
    again = EndpointJudge("m", folder=tmp_path / "new", send=send)
    assert again.judge("be fair", "a?") == "reply 1" and len(sent) == 1
    assert again.judge("be fair", "b?") == "reply 2"
    other = EndpointJudge("m2", folder=tmp_path / "new", send=send)
    assert other.judge("be fair", "a?") == "reply 3", "another model, another verdict"
    assert (sent[0]["temperature"], sent[0]["model"]) == (0, "m")
    path = tmp_path / "new" / f"{judges.key_of('m', 'be fair', 'a?')}.json"
    stored = json.loads(path.read_text())
    assert stored == {"model": "m", "system": "be fair", "user": "a?", "reply": "reply 1"}
    assert again.facts() == {
        **{"judge": "m", "judge_asked": 1, "judge_stored": 1, "judge_failed": 0}
    }
    path.write_text("{}")
    with pytest.raises(RecordError, match="delete it to ask again"):
        judge.judge("be fair", "a?")


def test_time_outs_are_counted_and_lose_nothing(tmp_path):
    fails = [TimeoutError("slow"), TimeoutError("slow"), None, *[TimeoutError("slow")] * 3]

    def send(request):
        problem = fails.pop(0)
        if problem:
            raise problem
        return "yes"

    waited: list[float] = []
    judge = EndpointJudge("m", folder=tmp_path, send=send, sleep=waited.append)
    assert ask(judge, "s", "1", yes_or_no).value is True
    lost = ask(judge, "s", "2", yes_or_no)
    assert (lost.value, lost.notes) == (None, ("judge_unreachable",))
    assert judge.facts()["judge_failed"] == 5 and len(list(tmp_path.iterdir())) == 1
    assert len(waited) == 4, "before every try but the first"
    for pause, middle in zip(waited, (1, 2, 1, 2), strict=True):
        assert 0.5 * middle <= pause <= 1.5 * middle
    assert len(set(waited)) == 4, "never the same twice: clients must not come back at once"


def test_a_busy_judge_is_given_the_time_that_it_asks_for():
    fails = [judges.JudgeBusy("busy", 20.0), judges.JudgeBusy("busy", 9_999.0), None]

    def send(request):
        problem = fails.pop(0)
        if problem:
            raise problem
        return "yes"

    waited: list[float] = []
    judge = EndpointJudge("m", send=send, sleep=waited.append)
    assert judge.judge("s", "u") == "yes" and waited == [20.0, judges.MAX_PAUSE_S]


@pytest.fixture
def server():
    """A Chat Completions endpoint: answers "yes"; some models fail in a way of their own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(body)
            status = {"broken": 500, "busy": 429, "forbidden": 401}.get(body["model"], 200)
            message = {"role": "assistant", "content": "yes"}
            choices = [{"index": 0, "finish_reason": "stop", "message": message}]
            answer = {"id": "x", "object": "chat.completion", "created": 0, "model": "m"}
            answer |= {"choices": choices}
            param = {"thinks": "temperature", "picky": "messages"}.get(body["model"])
            if param in body:
                status, answer = 400, {"error": {"message": "unsupported", "param": param}}
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status == 429:
                self.send_header("Retry-After", "7")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format, *args):
            pass

    seen: list[dict] = []
    served = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}/v1", seen
    served.shutdown()
    thread.join()
    served.server_close()


def test_any_endpoint_judges(server, monkeypatch):
    url, seen = server
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    send = judges.endpoint()
    judge = EndpointJudge("m", send=send)
    assert ask(judge, "be fair", "well?", yes_or_no).value is True
    assert [m["role"] for m in seen[0]["messages"]] == ["system", "user"]
    waited: list[float] = []
    broken = EndpointJudge("broken", send=send, sleep=waited.append)
    assert ask(broken, "s", "u", yes_or_no).notes == ("judge_unreachable",)
    assert len(seen) == 1 + judges.NUM_TRIES == 1 + broken.num_failed
    assert max(waited) <= 3.0
    waited.clear()
    busy = EndpointJudge("busy", send=send, sleep=waited.append)
    assert ask(busy, "s", "u", yes_or_no).notes == ("judge_unreachable",) and waited == [7.0, 7.0]
    with pytest.raises(BackgroundError, match=r"forbidden.*check the key"):
        EndpointJudge("forbidden", send=send).judge("s", "u")
    seen.clear()
    thinks = EndpointJudge("thinks", send=send)
    assert [ask(thinks, "s", text, yes_or_no).value for text in "ab"] == [True, True]
    assert [sorted({"temperature", "seed"} & set(body)) for body in seen] == [
        *(["seed", "temperature"], ["seed"], ["seed"])
    ]
    assert thinks.facts()["judge_without"] == "temperature" and thinks.num_failed == 0
    with pytest.raises(BackgroundError, match=r"picky.*unsupported"):
        EndpointJudge("picky", send=send).judge("s", "u")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        EndpointJudge("m")


# Rules


def test_one_spelling():
    assert spelling.canonical("Twenty-one COLORS, it’s 1,234!") == ["21", "colours", "it's", "1234"]
    assert spelling.canonical("two hundred and six") == ["206"]
    assert spelling.canonical("three hundred twelve") == ["312"]
    assert spelling.canonical("one two three") == ["1", "2", "3"]
    assert spelling.canonical("7.50 07") == ["7.5", "7"]


@settings(deadline=None)
@given(st.integers(0, 99))
def test_numbers_are_said_and_understood(value: int):
    assert spelling.canonical(" ".join(spelling.number_words(value))) == [str(value)]


def test_mentions_and_rules():
    assert rules.mentions("It is in Lonndon.", "london") and not rules.mentions("car", "cat")
    assert rules.mentions("twenty one cats", "21") and not rules.mentions("120", "121")
    assert rules.mentions("the grey car stops", "gray car") and not rules.mentions("", "a")
    assert not rules.mentions("greenish", "green") and not rules.mentions("anything", "!")
    rule = {"all_of": [["red", "blue"], ["car"]], "none_of": ["boat"]}
    assert rules.meets("a blue car", rule) and not rules.meets("a blue car and a boat", rule)
    assert not rules.meets("a car", rule)


# Recognisers


class Loud:
    name = "loud"

    def words(self, samples):
        assert samples.dtype == np.int16 and samples[0] != 9999
        start, end = (f(np.flatnonzero(np.abs(samples) > 100)) / 16_000 for f in (np.min, np.max))
        return [("Heard,", float(start), float(end))]


def test_words_of_the_sound_replace_its_own():
    played = hand_made(QUESTION, say=[("four", 1.9)], voice=[(2.0, 2.5), (2.9, 3.2), (5.0, 5.4)])
    found = recognisers.transcribed(played, Loud())
    assert [word.text for word in found.say] == ["heard", "heard"]
    times = [(word.start_s, word.end_s) for word in found.say]
    assert times == [pytest.approx((2.0, 3.2), abs=0.01), pytest.approx((5.0, 5.4), abs=0.01)]
    assert found.written() == "heard heard" and played.written() == "four"
    silent = hand_made(QUESTION, say=[("four", 1.9)])
    assert recognisers.transcribed(silent, Loud()).say == ()


def test_recognisers_get_the_soft_edges_of_an_utterance_too():
    played = hand_made(QUESTION, voice=[(2.0, 2.5)])
    soft = played.model.copy()
    soft[int(1.92 * 16_000)] = 30
    [(span, sound)] = recognisers.utterance_sounds(replace(played, model=soft))
    assert span == pytest.approx((2.0, 2.5), abs=0.01), "of what is audible"
    at = (recognisers.PAD_S + recognisers.MARGIN_S - 0.08) * 16_000
    near = sound[int(at) - 200 : int(at) + 200]
    assert 30 in near, "a tenth of a second around it is there, where it was"


def test_recognisers_come_by_name(monkeypatch):
    with pytest.raises(ConfigError, match=r"no recogniser 'x'; there are own .*pocketsphinx"):
        recognisers.recogniser("x")
    points = {"loud": Loud, "odd": dict}

    def entry_points(group, name=None):
        assert group == "interplay.recognisers"
        named = [n for n in points if name in (None, n)]
        return [SimpleNamespace(name=n, value=n, load=lambda n=n: points[n]) for n in named]

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    assert recognisers.recogniser("loud").name == "loud"
    assert recognisers.names() == ["faster-whisper", "loud", "odd", "pocketsphinx"]
    with pytest.raises(ConfigError, match="gives a dict"):
        recognisers.recogniser("odd")


def test_pocketsphinx_hears_words_and_times():
    from interplay.data.speech import synthesize

    spoken = synthesize("one two three four five", "flite:slt")
    source = recognisers.recogniser("pocketsphinx")
    pad = np.random.default_rng(0).integers(-8, 9, 8000).astype(np.int16)
    found = source.words(np.concatenate([pad, spoken.samples, pad]))
    said = {word: (start, end) for word, start, end in spoken.words}
    right = [(word, s, e) for word, s, e in found if word in said]
    assert len(right) >= 3
    for word, start, end in right:
        assert (start - 0.5, end - 0.5) == pytest.approx(said[word], abs=0.2)
    assert not source.words(pad)


# Tables


def test_tables_and_their_sound(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.full((4800, 2), 0.5), 48_000)
    (tmp_path / "t.jsonl").write_text('{"id": 1, "audio": "a.wav"}\n\n{"id": 2}\n')
    [(where, row), (other, _)] = tables.rows_of(tmp_path, "t", ["id"])
    assert where.endswith("t.jsonl:1") and other.endswith("t.jsonl:3")
    samples = tables.sound_of(row["audio"], where)
    assert len(samples) == 1600 and abs(int(np.median(samples)) - 16384) < 50
    packed = {"bytes": (tmp_path / "a.wav").read_bytes(), "path": None}
    assert np.array_equal(tables.sound_of(packed, where), samples)
    for cell, told in (
        ("no.wav", r"no.wav does not exist"),
        (None, r"t.jsonl:1: no sound in this cell"),
        ({"bytes": b"x"}, r"t.jsonl:1 is not a sound file"),
    ):
        with pytest.raises(AudioError, match=told):
            tables.sound_of(cell, where)
    with pytest.raises(RecordError, match=r"t.jsonl:3 lacks audio"):
        list(tables.rows_of(tmp_path, "t", ["id", "audio"]))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(RecordError, match=r"cannot read .*broken.parquet"):
        list(tables.rows_of(tmp_path, "none", ["id"]))
    (tmp_path / "broken.parquet").unlink()
    (tmp_path / "bad.jsonl").write_text("{")
    with pytest.raises(RecordError, match=r"bad.jsonl:1 is not JSON"):
        list(tables.rows_of(tmp_path, "bad", []))
    with pytest.raises(RecordError, match=r"has no x.jsonl, x.csv or \*.parquet"):
        list(tables.rows_of(tmp_path, "x", []))
