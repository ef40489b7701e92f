"""`echo-tools`: which sentences it understands, what it answers, and that it never makes anyone
wait."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from talk_helpers import TOKENIZER

from interplay.background.broker import Broker
from interplay.background.choose import ECHO, open_background
from interplay.background.clocks import Timers
from interplay.background.contract import Backend, Background, Delegation, Result
from interplay.background.echo import CAN, CAN_SEARCH, EchoBackground, EchoTools, builtin_tools
from interplay.background.requests import arithmetic, duration_s, understand
from interplay.background.scripted import Handover, ScriptedBackend
from interplay.background.spoken import NUMBER_WORDS, figures
from interplay.background.tool import Registry, Tool, ToolAnswer
from interplay.errors import BackgroundError, ConfigError
from interplay.turns.tokens import DELEGATE, END, RESULT

NOON = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("seven times six", "7 times 6"),
        ("twenty one", "21"),
        ("twenty-one and a half", "21 and a half"),
        ("two hundred and five thousand", "205000"),
        ("a hundred", "100"),
        ("an hour", "an hour"),
        ("three point one four", "3.14"),
        ("nineteen eighty four", "19 84"),
        ("one two three", "1 2 3"),
        ("two million three hundred thousand and seven", "2300007"),
        ("apples three, pears five", "apples 3, pears 5"),
        ("point taken", "point taken"),
        ("5 miles", "5 miles"),
        ("", ""),
    ],
)
def test_spoken_numbers_become_figures(words, written):
    assert figures(words) == written


@given(st.lists(st.sampled_from([*NUMBER_WORDS, "and", "point", "a", "-", "x", ","]), max_size=12))
@settings(deadline=None)
def test_any_number_words_are_read_to_their_end(words):
    written = figures(" ".join(words))
    assert figures(written) == written


@pytest.mark.parametrize(
    ("sentence", "tool", "arguments"),
    [
        ("What time is it?", "clock", {"place": ""}),
        ("hey, can you tell me the time in new york", "clock", {"place": "new york"}),
        ("what's the date today", "clock", {"place": ""}),
        ("what day is it", "clock", {"place": ""}),
        ("calculate seven times six", "calculate", {"expression": "7 * 6"}),
        ("what is twelve divided by four", "calculate", {"expression": "12 / 4"}),
        ("how much is fifteen percent of 80", "calculate", {"expression": "15 / 100 * 80"}),
        ("what is the square root of 2", "calculate", {"expression": "sqrt(2)"}),
        ("3 + 4", "calculate", {"expression": "3 + 4"}),
        ("2 to the power of ten", "calculate", {"expression": "2 ** 10"}),
        ("convert five miles to kilometres", "convert_units",
         {"value": 5.0, "source": "miles", "target": "kilometres"}),
        ("how many feet are in a mile", "convert_units",
         {"value": 1.0, "source": "mile", "target": "feet"}),
        ("what is 20 degrees celsius in fahrenheit", "convert_units",
         {"value": 20.0, "source": "degrees celsius", "target": "fahrenheit"}),
        ("set a timer for five minutes", "set_timer", {"seconds": 300.0}),
        ("set a tea timer for 1 hour and 20 minutes", "set_timer",
         {"seconds": 4800.0, "label": "tea"}),
        ("please start a ten second timer", "set_timer", {"seconds": 10.0}),
        ("remind me in half an hour to call mum", "set_timer",
         {"seconds": 1800.0, "label": "call mum"}),
        ("what timers are running", "list_timers", {}),
        ("cancel the timer", "cancel_timers", {"label": ""}),
        ("cancel the tea timer", "cancel_timers", {"label": "tea"}),
        ("find the train times in my notes", "search_documents", {"query": "the train times"}),
        ("search my documents for tomatoes", "search_documents", {"query": "tomatoes"}),
        ("what do my notes say about roses", "search_documents", {"query": "roses"}),
        ("draw a chart of one four nine", "chart",
         {"kind": "line", "labels": [1, 2, 3], "values": [1.0, 4.0, 9.0]}),
        ("make a bar chart of apples three, sour pears five and plums 2", "chart",
         {"kind": "bar", "labels": ["apples", "sour pears", "plums"], "values": [3.0, 5.0, 2.0]}),
        ("show me a pie chart of cats 2 dogs 3", "chart",
         {"kind": "arc", "labels": ["cats", "dogs"], "values": [2.0, 3.0]}),
    ],
)  # fmt: skip
def test_plain_requests_are_understood(sentence, tool, arguments):
    call = understand(sentence)
    assert call and (call.tool, dict(call.arguments)) == (tool, arguments)


@pytest.mark.parametrize(
    "sentence",
    ["", "who wrote faust", "tell me a joke", "what is love", "chart of my feelings", "what is 7",
     "convert me to a believer", "calculate the meaning of life", "?", "please please"],
)  # fmt: skip
def test_everything_else_is_not(sentence):
    assert understand(sentence) is None


SAID = (
    "what time is it in my notes find chart of convert calculate 5 miles to timer for minutes "
    "a an hour and set remind me half percent pie 3 . , % the cancel how many are"
)
WORDS = st.sampled_from(SAID.split())


@given(st.lists(WORDS, max_size=60).map(" ".join) | st.text(max_size=100))
@settings(max_examples=100, deadline=5000)
def test_any_sentence_is_read_quickly(sentence):
    call = understand(sentence)
    assert call is None or call.tool
    arithmetic(sentence)
    assert duration_s(sentence) >= 0


def echo(documents: Path | None = None) -> EchoTools:
    """At once, without a thread."""
    background = EchoBackground(documents, now=lambda: NOON)
    timers = Timers()
    tools = builtin_tools(timers, background._documents, lambda: NOON)
    return EchoTools(timers, Registry(tools))


def ask(backend: Backend, question: str, now_s: float = 0.0) -> Result:
    backend.delegate(Delegation(id=3, question=question, created_at_s=now_s), now_s)
    [result] = backend.results(now_s)
    assert result.delegation_id == 3 and result.final
    return result


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("what time is it", "it is 12:05 on Sunday, March 1, 2026"),
        ("what is seven times six", "42"),
        ("convert five miles to kilometres", "5 miles are 8.04672 kilometres"),
        ("set a timer for five minutes", "timer set, 5 minutes"),
        ("chart of one two three", "the chart is on the screen"),
    ],
)
def test_answers(question, answer):
    result = ask(echo(), question)
    assert (result.content, result.status) == (answer, "done")
    assert bool(result.ui) == ("chart" in question)


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("who wrote faust", CAN),
        ("what is one divided by zero", "sorry, that divides by zero"),
        ("convert 5 miles to kilograms", "cannot be converted"),
        ("what time is it in atlantis", "do not know the time zone of atlantis"),
        ("find roses in my notes", "i have no documents"),
    ],
)
def test_what_cannot_be_done_is_said(question, says):
    result = ask(echo(), question)
    assert says in result.content and result.content.startswith("sorry")
    assert result.status == "failed" and result.reason


def test_documents_are_searched_when_there_are_some(tmp_path):
    (tmp_path / "a.txt").write_text("Water the roses on Monday.")
    backend = echo(tmp_path)
    assert ask(backend, "find roses in my notes").content == "a.txt: Water the roses on Monday."
    assert CAN_SEARCH in ask(backend, "sing").content


def test_a_timer_rings_after_its_delegation_has_ended():
    broker = Broker(echo())
    broker.delegate("set a tea timer for 3 seconds", 10.0)
    [answer] = broker.poll(10.2)
    assert answer.final and answer.content == "timer set for tea, 3 seconds"
    assert broker.poll(12.9) == []
    [ring] = broker.poll(13.0)
    assert (ring.delegation_id, ring.content, ring.final) == (None, "time for tea", False)


def test_slow_tools_make_nobody_wait_and_can_be_cancelled():
    go = threading.Event()

    def slow(now_s: float, /, *, expression: str) -> ToolAnswer:
        assert go.wait(10)
        return ToolAnswer(text="slow")

    tool = Tool(name="calculate", description="S.", parameters={"expression": {}}, run=slow)
    with ThreadPoolExecutor(1) as pool:
        backend = EchoTools(Timers(), Registry([tool]), pool)
        for i in range(3):
            backend.delegate(Delegation(id=i, question="1 + 1", created_at_s=0.0), 0.0)
        assert backend.results(0.0) == []
        backend.cancel(1)
        backend.cancel(99)
        go.set()
        found: list[Result] = []
        while len(found) < 2:
            found += backend.results(0.0)
            time.sleep(0.005)
        assert [result.delegation_id for result in found] == [0, 2]
        backend.delegate(Delegation(id=4, question="1 + 1", created_at_s=0.0), 0.0)
        backend.close()
        assert backend.results(0.0) == []


def test_the_default_is_there_without_any_extra_and_answers_through_the_handover():
    background = open_background()
    assert isinstance(background, Background)
    handover = Handover(background.open(), TOKENIZER)
    ids = [DELEGATE, *TOKENIZER.encode("what is two plus two"), END]
    handover.watch(ids, 0.0)
    arrived: list[int] = []
    for _ in range(1000):
        arrived += handover.arrivals(1.0)
        if arrived:
            break
        time.sleep(0.005)
    assert arrived == [RESULT, *TOKENIZER.encode("4"), END]
    assert (handover.num_delegations, handover.num_results) == (1, 1)
    background.close()


def test_silent_results_do_not_reach_the_read_stream():
    handover = Handover(ScriptedBackend({"why": "because"}, delay_s=1.0), TOKENIZER)
    handover.watch([DELEGATE, *TOKENIZER.encode("why"), END], 0.0)
    assert handover.broker.cancel(0, 0.5)
    assert handover.arrivals(0.6) == [] and handover.arrivals(9.0) == []
    assert isinstance(ScriptedBackend(), Backend)


def test_names_of_background_models_that_are_none():
    with pytest.raises(ConfigError, match="echo-tools, URL#model, a folder"):
        open_background("gpt")
    with pytest.raises(ConfigError, match="names no model"):
        open_background("http://127.0.0.1/v1#")
    with pytest.raises(ConfigError, match="cannot use MCP"):
        open_background(ECHO, mcp_file=Path("x.toml"))
    with pytest.raises(BackgroundError, match="not a folder"):
        open_background(documents=Path("/nowhere/at/all"))
