"""Search in a folder: what is found, what is kept up to date, and what is left alone."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interplay.background import documents
from interplay.background.documents import DocumentIndex, search_tool
from interplay.background.tool import Registry
from interplay.errors import BackgroundError, ToolError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "notes"
    (root / "deep").mkdir(parents=True)
    (root / "garden.md").write_text("# Garden\n\nThe tomatoes were planted in May.\n\nRoses too.")
    (root / "deep" / "trip.txt").write_text("The train to Zürich leaves at nine.")
    (root / "page.html").write_text(
        "<title>Bread</title><script>tomatoes()</script><p>Rye &amp; spelt flour</p>"
    )
    (root / "image.png").write_bytes(b"tomatoes")
    return root


@pytest.fixture
def index(folder: Path):
    made = DocumentIndex(folder)
    yield made
    made.close()


def paths(index: DocumentIndex, query: str) -> list[str]:
    return [hit.path for hit in index.search(query)]


def test_words_are_found_with_what_stands_around_them(index):
    [hit] = index.search("when did I plant the tomato?")
    assert (hit.path, hit.snippet) == (
        "garden.md",
        "# Garden The tomatoes were planted in May. Roses too.",
    )
    assert paths(index, "zurich trains") == ["deep/trip.txt"]
    assert paths(index, "spelt") == ["page.html"]
    assert index.search("spelt")[0].snippet == "Bread Rye & spelt flour"
    assert paths(index, "garden") == ["garden.md"]
    assert paths(index, "helicopter") == []


def test_only_what_has_changed_is_read_again(folder, index, monkeypatch):
    assert index.refresh() == 3
    assert index.refresh() == 0
    read = []
    original = DocumentIndex._read
    monkeypatch.setattr(
        DocumentIndex, "_read", lambda self, path: (read.append(path.name), original(self, path))[1]
    )
    (folder / "garden.md").write_text("Beans now.")
    (folder / "new.txt").write_text("Beans as well.")
    (folder / "page.html").unlink()
    assert sorted(paths(index, "beans")) == ["garden.md", "new.txt"]
    assert sorted(read) == ["garden.md", "new.txt"]
    assert paths(index, "tomatoes") == paths(index, "spelt") == []


def test_the_index_outlives_the_process(folder, tmp_path):
    database = tmp_path / "index.sqlite"
    first = DocumentIndex(folder, database)
    assert first.refresh() == 3
    first.close()
    again = DocumentIndex(folder, database)
    assert again.refresh() == 0 and paths(again, "tomatoes") == ["garden.md"]
    again.close()


def test_links_that_leave_the_folder_are_refused_and_said_once(folder, tmp_path, caplog):
    (tmp_path / "secret.txt").write_text("the treasure is here")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "more.txt").write_text("more treasure")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "up").symlink_to(tmp_path / "elsewhere")
    (folder / "dangling.txt").symlink_to(tmp_path / "nowhere")
    (folder / "circle.txt").symlink_to(folder / "circle.txt")
    (folder / "inside.txt").symlink_to(folder / "garden.md")
    index = DocumentIndex(folder)
    assert paths(index, "treasure") == []
    assert sorted(paths(index, "tomatoes")) == ["garden.md", "inside.txt"]
    assert caplog.text.count("link.txt: it leads out of the folder") == 1
    assert caplog.text.count("it leads nowhere") == 2
    index.close()


def test_a_link_put_in_place_after_the_check_is_not_followed(folder, tmp_path, monkeypatch):
    (tmp_path / "secret.txt").write_text("the treasure is here")
    index = DocumentIndex(folder)
    victim = folder / "garden.md"

    def swap(self, path, **kwargs):
        real = original(self, path, **kwargs)
        if path.name == victim.name and victim.is_file() and not victim.is_symlink():
            victim.unlink()
            victim.symlink_to(tmp_path / "secret.txt")
        return real

    original = DocumentIndex._read
    monkeypatch.setattr(DocumentIndex, "_read", lambda self, path: swap(self, path))
    index.refresh()
    assert paths(index, "treasure") == []
    index.close()


def test_what_is_no_document_is_left_out(folder, monkeypatch, caplog):
    monkeypatch.setattr(documents, "MAX_FILE_BYTES", 100)
    (folder / "big.txt").write_text("tomatoes " * 50)
    (folder / "binary.txt").write_bytes(b"tomatoes\0\1")
    (folder / "latin.txt").write_bytes("tomatoes à la crème".encode("latin-1"))
    (folder / ".hidden.txt").write_text("tomatoes")
    (folder / ".git").mkdir()
    (folder / ".git" / "x.txt").write_text("tomatoes")
    (folder / "empty.txt").write_text("")
    os.mkfifo(folder / "pipe.txt")
    index = DocumentIndex(folder)
    assert sorted(paths(index, "tomatoes")) == ["garden.md", "latin.txt"]
    assert "big.txt: it has more than 100 bytes" in caplog.text
    assert "binary.txt: it is not text" in caplog.text
    index.close()


def test_long_documents_are_found_by_passage(folder, index):
    filler = "\n\n".join(f"Paragraph {k} says nothing of interest at all." for k in range(200))
    (folder / "long.txt").write_text(f"{filler}\n\nThe walrus sings.\n\n{filler}" + "x" * 5000)
    [hit] = index.search("walrus")
    assert "walrus sings" in hit.snippet and len(hit.snippet) < 300


QUERIES = st.text(max_size=60) | st.sampled_from(
    ['"', "a OR", "NEAR(", "tomatoes AND", "path:x", "*", "-roses", "body : garden", "';--"]
)


@given(QUERIES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_query_is_taken_for_syntax(index, query):
    try:
        hits = index.search(query)
    except ToolError as error:
        assert "what to look for" in str(error)
    else:
        assert len(hits) <= 3


@given(st.text(max_size=80) | st.lists(st.sampled_from(
    ["<", ">", "<![", "<!--", "-->", "]]>", "<script", "</script>", "<p>", "&#", "x", '"', "/", "="]
)).map("".join))  # fmt: skip
@settings(deadline=None)
def test_any_html_is_read(html):
    assert isinstance(documents._text_of_html(html), str)


def test_the_tool_answers_in_lines(index):
    registry = Registry([search_tool(index)])
    answer = registry.call("search_documents", {"query": "tomatoes"}, 0.0)
    assert answer.text.startswith("garden.md: ")
    answer = registry.call("search_documents", {"query": "helicopter"}, 0.0)
    assert answer.text == "nothing in your documents matches"
    for arguments in ({}, {"query": ""}, {"query": "x", "limit": 0}, {"query": "x" * 201}):
        with pytest.raises(ToolError):
            registry.call("search_documents", arguments, 0.0)


def test_folders_and_databases_that_cannot_be_used(folder, tmp_path):
    with pytest.raises(BackgroundError, match="is not a folder"):
        DocumentIndex(tmp_path / "nowhere")
    (tmp_path / "bad.sqlite").write_bytes(b"this is no database at all, not even a small one")
    with pytest.raises(BackgroundError, match="delete the file"):
        DocumentIndex(folder, tmp_path / "bad.sqlite")
    with pytest.raises(BackgroundError, match="cannot use"):
        DocumentIndex(folder, tmp_path / "no" / "such" / "folder.sqlite")


def test_an_index_that_breaks_says_so(index):
    index.close()
    with pytest.raises(ToolError, match="cannot be read"):
        index.search("tomatoes")
