"""The background model by what a user names it: `echo-tools` or `URL#model?bounds`.

The one place that puts the parts together; what an extra brings is imported only when named.
Knows nothing of command lines or sessions.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from interplay.background.address import EXAMPLE, Address, parse_address
from interplay.background.contract import Backend, Background, Budget
from interplay.background.documents import DocumentIndex
from interplay.background.echo import EchoBackground
from interplay.background.loop_thread import LoopThread
from interplay.background.mcp_config import load_servers
from interplay.errors import ConfigError

ECHO = "echo-tools"
HELP = (
    f"who does what the model hands over: {ECHO} or URL#model; again for a folder of documents to "
    "search, and for a .toml file of MCP servers"
)


class _Owned:
    """A background model together with what must be closed after it."""

    def __init__(self, inner: Background, parts: ExitStack) -> None:
        self._inner, self._parts = inner, parts

    def open(self) -> Backend:
        return self._inner.open()

    def close(self) -> None:
        self._parts.close()


def open_named(words: Sequence[str]) -> Background:
    """What a user names, in any order: a background model, a folder of documents and a TOML file of
    MCP servers, each at most once.

    Raises as `open_background`, and ConfigError for what is named twice.
    """
    found: dict[str, str] = {}
    for word in words:
        is_name = word == ECHO or "#" in word
        kind = "name" if is_name or not (Path(word).is_dir() or word.endswith(".toml")) else ""
        kind = kind or ("mcp_file" if word.endswith(".toml") else "documents")
        if kind in found:
            raise ConfigError(
                f"both {found[kind][:80]!r} and {word[:80]!r} are named; give one background "
                "model, one folder of documents and one file of MCP servers"
            )
        found[kind] = word
    paths = {kind: Path(found[kind]) for kind in ("documents", "mcp_file") if kind in found}
    return open_background(found.get("name", ECHO), **paths)


def open_background(
    name: str = ECHO,
    *,
    documents: Path | None = None,
    database: Path | None = None,
    mcp_file: Path | None = None,
) -> Background:
    """The background model for this process; `open` of it gives each session its backend.

    documents: a folder to search. database: where its index is kept; in memory without.
    mcp_file: TOML as in `mcp_config`; for language models only.
    Raises ConfigError, BackgroundError, and ModuleNotFoundError where an extra is missing.
    """
    if name == ECHO:
        if mcp_file:
            raise ConfigError(f"{ECHO} cannot use MCP servers; name a model, as in {EXAMPLE}")
        return EchoBackground(documents, database=database)
    if "#" not in name:
        raise ConfigError(
            f"no background model {name!r}; allowed: {ECHO}, URL#model, a folder of documents that "
            "exists, or a .toml file of MCP servers"
        )
    address = parse_address(name)
    servers = load_servers(mcp_file) if mcp_file else ()
    budget = _budget(address)
    from interplay.background.chat import ChatBackground, ChatConfig

    with ExitStack() as parts:
        loop = LoopThread()
        parts.callback(loop.close)
        index = DocumentIndex(documents, database) if documents else None
        if index:
            parts.callback(index.close)
            index.refresh()
        tools = []
        if servers:
            from interplay.background.mcp_tools import McpTools

            mcp = McpTools(servers, loop)
            parts.callback(mcp.close)
            tools = mcp.tools
        chat = ChatBackground(
            address,
            loop,
            tools=tools,
            documents=index,
            config=ChatConfig(max_tokens=address.max_tokens),
            budget=budget,
        )
        parts.callback(chat.close)
        return _Owned(chat, parts.pop_all())


def _budget(address: Address) -> Budget:
    """Raises ConfigError for what no budget can be."""
    plain = Budget()
    return Budget(
        max_seconds=plain.max_seconds if address.seconds is None else address.seconds,
        max_tool_rounds=plain.max_tool_rounds if address.rounds is None else address.rounds,
    )
