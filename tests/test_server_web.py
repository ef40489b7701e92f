"""The page's files and headers, what may be drawn on it, and what a micro-turn tells it."""

import json
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser

import httpx2
import pytest

from interplay.background.charts import make_chart
from interplay.background.contract import Line, Result, Ui
from interplay.server.auth import Visitor
from interplay.server.hub import Hub
from interplay.server.page import PageConnection
from interplay.server.run import Serving
from interplay.server.start import page_address
from interplay.server.web_files import CHART, MEDIA_TYPES, WEB
from interplay.turns.tokens import DELEGATE, END, STOP
from tests.server_helpers import KEY, advanced, beat, make_hub, server, url
from tests.test_server_page import messages, page_turns, texts

FILES = sorted(path.relative_to(WEB).as_posix() for path in WEB.rglob("*") if path.is_file())
SPEC = make_chart("bar", ["a", "b"], [1, 2])


@pytest.fixture(scope="module")
def web() -> Iterator[httpx2.Client]:
    """With keys: the page itself is for everybody, the sessions are not."""
    with server(1, keys=(KEY,)) as serving, client(serving) as http:
        yield http


def client(serving: Serving) -> httpx2.Client:
    return httpx2.Client(base_url=url(serving, "", "http"), timeout=120)  # the machine may be busy


def policy_of(answer: httpx2.Response) -> dict[str, str]:
    """Directive -> sources."""
    parts = answer.headers["content-security-policy"].split("; ")
    return {name: sources for name, _, sources in (part.partition(" ") for part in parts)}


def test_the_page_may_load_from_its_server_only_and_evaluate_nothing(web):
    answer = web.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = policy_of(answer)
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert not re.search(r"unsafe|\*|https?:|data:|blob:", str(policy))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "microphone=(self)" in answer.headers["permissions-policy"]


def test_charts_are_drawn_without_origin_and_without_network(web):
    policy = policy_of(web.get(f"/web/{CHART}"))
    assert policy["sandbox"] == "allow-scripts"
    assert policy["default-src"] == "'none'"
    assert "connect-src" not in policy and "img-src" not in policy
    assert policy["frame-ancestors"] == "'self'"


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith(".md")])
def test_every_file_has_its_type_and_may_be_kept_if_unchanged(web, name):
    answer = web.get(f"/web/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == MEDIA_TYPES[name[name.rindex(".") :]]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content == (WEB / name).read_bytes()
    again = web.get(f"/web/{name}", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/web/",
        "/web/vendor",
        "/web/nothing.js",
        "/web/..%2fweb_files.py",
        "/web/%2e%2e/%2e%2e/errors.py",
        "/web/..%2f..%2f..%2fREADME.md",
        "/web/vendor/README.md",
        "/web//etc/passwd",
        "/web/%2fetc%2fhosts.js",
        "/web/a%00.js",
        "/web/..%5cweb_files.py",
        "/web/" + 300 * "a" + ".js",
    ],
)
def test_nothing_else_is_given_away(web, path):
    answer = web.get(path)
    assert answer.status_code == 404
    assert "the page is at /" in answer.json()["error"]["message"]


def test_only_frames_without_origin_may_read_files_as_strangers(web):
    for path, origin, status in (
        ("/web/main.js", "null", 200),
        ("/web/main.js", "https://evil.example", 403),
        ("/", "null", 403),
        ("/readyz", "null", 403),
        ("/web/../readyz", "null", 403),
    ):
        answer = web.get(path, headers={"Origin": origin})
        assert answer.status_code == status, (path, origin)
    assert web.get("/web/main.js", headers={"Host": "rebound.example"}).status_code == 403
    assert web.post("/").status_code == 405


class _Links(HTMLParser):
    """What a page loads, and what a strict policy forbids in it."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "src" or (name == "href" and tag == "link"):
                self.loads.append(str(value))
            if name == "style" or name.startswith("on"):
                self.inline.append(f"{tag} {name}")
        self._in_script = tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.inline.append(data)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".html")])
def test_pages_load_their_own_files_and_hold_no_code(name):
    links = _Links()
    links.feed((WEB / name).read_text(encoding="utf-8"))
    assert links.loads and not links.inline
    assert {link.removeprefix("/web/") for link in links.loads} <= set(FILES)


@pytest.mark.parametrize(
    "name", [name for name in FILES if name.endswith(".js") and not name.startswith("vendor")]
)
def test_scripts_say_what_they_are_import_what_exists_and_stay_small(name):
    text = (WEB / name).read_text(encoding="utf-8")
    assert text.startswith("// ")
    assert text.count("\n") <= 300
    imports = re.findall(r'from "\./([^"]+)"', text)
    assert set(imports) <= set(FILES)
    assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|\beval\(|new Function", text)


def test_vendored_code_comes_with_its_licences():
    texts = (WEB / "vendor" / "LICENSES.txt").read_text(encoding="utf-8")
    for name, version in (("vega", "6.4.0"), ("vega-lite", "6.5.0"), ("vega-interpreter", "2.3.2")):
        assert f"{name} {version}" in texts
    assert "Redistribution and use in source and binary forms" in texts


class Answers:
    """A background model that has these results the next time it is asked."""

    def __init__(self, *results: Result) -> None:
        self.waiting = [*results]

    def delegate(self, question: str, now_s: float, conversation: Sequence[Line]) -> int:
        self.waiting.append(Result(delegation_id=7, content=f"about {question}"))
        return 7

    def poll(self, now_s: float, *, user_speaks: bool, model_speaks: bool) -> Sequence[Result]:
        given, self.waiting = self.waiting, []
        return given

    def cancel(self, delegation_id: int, now_s: float) -> bool:
        return False

    def interrupt(self) -> None:
        pass

    def close(self, now_s: float) -> None:
        pass


def page_with(answers: Answers) -> tuple[Hub, PageConnection]:
    hub = make_hub(delegations=lambda: answers)
    page = PageConnection(hub, Visitor())
    page.receive(json.dumps({"type": "start"}))
    (started,) = texts(page)
    assert started["client_delegations"] is False
    return hub, page


def notice(spec: dict) -> Result:
    ui = Ui(id="chart-1", kind="vega-lite", spec=spec)
    return Result(delegation_id=None, content="look", status=None, ui=ui)


def test_a_chart_reaches_the_page_with_its_micro_turn():
    hub, page = page_with(Answers(notice(SPEC)))
    beat(hub)
    ((_, about, _),) = page_turns(page)
    ui = {"id": "chart-1", "kind": "vega-lite", "spec": SPEC}
    assert about["outcomes"] == [
        {"delegation_id": None, "content": "look", "status": None, "ui": ui}
    ]


@pytest.mark.parametrize(
    "harm",
    [
        {"data": {"url": "https://evil.example/x.json"}},
        {"mark": {"type": "image", "url": "https://evil.example/x.png"}},
        {"encoding": {"href": {"value": "x"}}},
        {"transform": [{"lookup": "a", "from": {"data": {"url": "x.csv"}, "key": "a"}}]},
        {"config": {"font": "url(//evil.example/f.woff)"}},
        {"usermeta": {"embedOptions": {"loader": {}}}},
        {"title": "javascript:alert(1)"},
        {"params": [{"name": "p", "expr": "load('https://evil.example')"}]},
        {"transform": [{"calculate": "'//evil.example/' + datum.a", "as": "b"}]},
        {"layer": [{"data": {"url": "x.csv"}, "mark": "bar"}]},
    ],
)
def test_a_chart_that_would_load_something_is_refused_whoever_made_it(harm):
    hub, page = page_with(Answers(notice({**SPEC, **harm})))
    beat(hub)
    told, turn = messages(page)
    assert json.loads(told)["code"] == "chart_refused"
    assert isinstance(turn, bytes) and b"evil" not in turn and b'"ui":null' in turn


def test_an_outcome_names_its_delegation_and_is_kept_for_a_lost_page():
    hub, page = page_with(Answers())
    session = page.session
    assert session
    words = tuple(hub.tokenizer.encode("time"))[:1]
    session.advance(advanced(session, act=(DELEGATE, *words, END), say=(STOP,)), 1.0)
    ((_, about, _),) = page_turns(page)
    (begun,), (outcome,) = about["delegations"], about["outcomes"]
    assert outcome["delegation_id"] == begun["id"]
    assert outcome["status"] == "done" and outcome["content"].startswith("about ")
    assert about["yields"] is True
    (missed,) = session.missed(-1)
    assert missed.outcomes[0].delegation_id == begun["id"]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8765/"),
        ("[::1]", "http://[::1]:8765/"),
        ("0.0.0.0", "http://localhost:8765/"),
    ],
)
def test_the_printed_address_gets_a_microphone(host, address):
    assert page_address(host, 8765) == address
