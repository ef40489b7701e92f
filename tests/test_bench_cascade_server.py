"""The cascade behind the server: its engine, and a Realtime client that talks to it."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from bench_helpers import beep

from interplay.bench.systems.cascade import system
from interplay.bench.systems.cascade.ear import Ear
from interplay.bench.systems.cascade.engine import CascadeEngine
from interplay.bench.systems.cascade.system import Cascade
from interplay.clock import FakeClock
from interplay.errors import BackgroundError, SessionError
from interplay.server.engines import AnyEngine, AnySession
from interplay.server.hub import Hub
from interplay.turns.types import InputHalf
from tests.realtime_helpers import Client, talker
from tests.server_helpers import b64, beat, make_engine

TURN = 3200
QUIET = np.random.default_rng(0).normal(0, 1e-3, TURN).astype(np.float32)
ASKED = "what is two plus two"


class OneQuestion(Ear):
    """Takes every utterance for the same question."""

    def __init__(self, *_args) -> None:
        pass

    def words(self, samples: np.ndarray) -> str:
        return ASKED


@pytest.fixture
def engine(monkeypatch) -> CascadeEngine:
    monkeypatch.setattr(system, "Ear", OneQuestion)
    return CascadeEngine(Cascade(synthesize=beep, voice="own"), num_slots=2)


def buzz(seconds: float) -> np.ndarray:
    """Voiced to a detector: harmonics of 120 Hz whose loudness swings with the syllables."""
    time_s = np.arange(int(seconds * 16_000)) / 16_000
    wave = sum(np.sin(2 * np.pi * 120 * k * time_s) / k for k in range(1, 30))
    return (0.2 * wave * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time_s))).astype(np.float32)


def text(engine: CascadeEngine, halves, stream: str) -> str:
    return engine.tokenizer.decode(token for half in halves for token in getattr(half, stream))


def test_both_engines_are_what_the_server_needs(engine):
    for each in (engine, make_engine(1)):
        assert isinstance(each, AnyEngine)
        assert isinstance(each.open(seed=0, prefix=""), AnySession)


def test_it_answers_what_was_said_and_what_is_typed(engine):
    session = engine.open(seed=0, prefix="be kind")
    track = np.concatenate([buzz(1.0), *[QUIET] * 20])
    halves = [session.push(InputHalf(hear=turn)) for turn in track.reshape(-1, TURN)]
    assert text(engine, halves, "heard") == ASKED and text(engine, halves, "say") == "four"
    sounding = [index for index, half in enumerate(halves) if half.voice_on.any()]
    assert 7 <= sounding[0] <= 10 and sounding == [sounding[0]]
    assert sum(half.voice_on.sum() for half in halves) == 4, "one word is 0.2 s"
    typed = engine.tokenizer.encode("seven apples, o'clock")
    read = [3, *typed, 1]
    halves = []
    for first in range(0, 40, 4):
        half = InputHalf(hear=QUIET, read=tuple(read[first : first + 4]))
        halves.append(session.push(half))
    assert text(engine, halves, "say") == "seven apples o'clock"
    assert session.num_turns == 35


class Unreachable:
    """Replies that never come."""

    def reply(self, text: str, begin_s: float, end_s: float) -> str:
        return self.read(text)

    def read(self, text: str) -> str:
        raise BackgroundError("nobody answers")

    def has_said(self, text: str) -> None: ...


class Remembers:
    """Replies with how many replies it has given before, by its own account."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def reply(self, text: str, begin_s: float, end_s: float) -> str:
        return ""

    def read(self, text: str) -> str:
        return f"{text} {len(self.said)}"

    def has_said(self, text: str) -> None:
        self.said.append(text)


def test_a_reply_that_a_client_gives_it_is_taken_for_its_own(monkeypatch):
    monkeypatch.setattr(system, "Ear", OneQuestion)
    made: list[Remembers] = []

    def replies() -> Remembers:
        made.append(Remembers())
        return made[-1]

    hub = Hub(
        CascadeEngine(Cascade(synthesize=beep, voice="own", replies=replies)),
        FakeClock(),
        lambda call: call(),
    )
    client: Client = talker(hub)
    beat(hub)
    said = [{"type": "output_text", "text": "It's in the Car, I think."}]
    messages = client.send(
        "conversation.item.create", item={"type": "message", "role": "assistant", "content": said}
    )
    for _ in range(12):
        beat(hub)
        messages += client.read()
    kinds = [message["type"] for message in messages]
    assert made[-1].said == ["it's in the car i think"]
    assert "response.output_audio.delta" not in kinds and "error" not in kinds, "nobody replies"
    asked = [{"type": "input_text", "text": "where"}]
    client.send("conversation.item.create", item={"type": "message", "role": "user",
                                                  "content": asked})  # fmt: skip
    for _ in range(12):
        beat(hub)
    heard = [m["delta"] for m in client.read() if "transcript.delta" in m["type"]]
    assert "".join(heard).split() == ["where", "1"], "and the next reply knows of it"


def test_a_session_whose_work_has_failed_keeps_no_other_back(monkeypatch):
    monkeypatch.setattr(system, "Ear", OneQuestion)
    with ThreadPoolExecutor(1) as executor:
        cascade = Cascade(synthesize=beep, voice="own", replies=Unreachable, executor=executor)
        engine = CascadeEngine(cascade, num_slots=2)
        asks, waits = (engine.open(seed=0, prefix="") for _ in range(2))
        quiet = InputHalf(hear=QUIET)
        asks.push(InputHalf(hear=QUIET, read=(3, *engine.tokenizer.encode("why"), 1)))
        executor.submit(int).result()  # the work before it is done
        asks.push(quiet)
        for sessions in ((waits, asks), (asks,)):
            with pytest.raises(BackgroundError, match="nobody answers"):
                engine.tick(dict.fromkeys(sessions, quiet))
        engine.tick({waits: quiet})
        assert (waits.num_turns, asks.num_turns) == (1, 2)


def test_what_the_client_throws_away_is_not_said_to_the_end(engine):
    session = engine.open(seed=0, prefix="")
    ids = engine.tokenizer.encode("one two three four five six seven eight")
    read = (3, *ids, 1)
    for first in range(0, len(read), 4):
        last = session.push(InputHalf(hear=QUIET, read=read[first : first + 4]))
    assert last.voice_on.all()
    halves = [session.push(InputHalf(hear=QUIET, num_played=n)) for n in (800, None, None)]
    assert not any(half.voice_on.any() or any(half.say) for half in halves)


def test_slots_are_taken_and_given_back(engine):
    sessions = [engine.open(seed=0, prefix="") for _ in range(2)]
    with pytest.raises(SessionError, match="all 2 session slots"):
        engine.open(seed=0, prefix="")
    for _ in range(2):
        sessions[0].close()
    assert engine.open(seed=0, prefix="").num_turns == 0


def test_a_realtime_client_talks_to_it(engine):
    hub = Hub(engine, FakeClock(), lambda call: call())
    client: Client = talker(hub)
    beat(hub)
    sound = np.repeat(buzz(1.0), 3)[::2]  # 16 to 24 kHz, roughly
    pcm = (32767 * np.concatenate([sound, np.zeros(24_000)])).astype("<i2")
    messages: list[dict] = []
    for part in pcm.reshape(-1, 4800):
        messages += client.send("input_audio_buffer.append", audio=b64(part.tobytes()))
        beat(hub)
        messages += client.read()
    for _ in range(10):
        beat(hub)
        messages += client.read()
    kinds = [message["type"] for message in messages]
    said = "".join(
        m["delta"] for m in messages if m["type"] == "response.output_audio_transcript.delta"
    )
    assert said.strip() == "four" and "response.output_audio.delta" in kinds
    [done] = [m for m in messages if m["type"] == "response.done"]
    assert done["response"]["status"] == "completed"
    assert hub.engine.facts["model"] == "cascade"
