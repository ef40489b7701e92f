"""Tools of other programs through the Model Context Protocol, over pipes or HTTP.

Only what a server's allow-list names becomes a tool; everything a server says is data of a
stranger: bounded, and never an instruction. Knows nothing of language models or sessions.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp import types as mcp_types
from mcp.client.streamable_http import streamable_http_client

from interplay.background.loop_thread import LoopThread
from interplay.background.mcp_config import McpServer
from interplay.background.tool import NAME, Tool, ToolAnswer
from interplay.errors import BackgroundError, ConfigError, ToolError

SEPARATOR = "__"  # between a server's name and a tool's: dots are not allowed in tool names
MAX_DESCRIPTION_CHARS = 1000
MAX_SCHEMA_CHARS = 20_000
MAX_PAGES = 20  # of a list of tools
FIRST_WAIT_S, MAX_WAIT_S = 1.0, 60.0  # before a server that came to nothing is started again
CLOSE_S = 8.0
SESSION_HEADER = "mcp-session-id"
BROKEN = (MCPError, RuntimeError, ValueError)  # how the SDK tells that a server breaks the protocol

_log = logging.getLogger(__name__)


class McpTools:
    """The allowed tools of some servers, connected on `loop` until `close`.

    Raises BackgroundError when a server cannot be reached or lacks a tool that is allowed.
    """

    def __init__(self, servers: Iterable[McpServer], loop: LoopThread) -> None:
        self._loop = loop
        self._links = [_Link(server) for server in servers]
        self.tools: list[Tool] = []
        try:
            for link in self._links:
                self.tools += loop.wait(link.list_tools(), link.server.start_timeout_s + CLOSE_S)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Disconnect; programs that were started are ended."""
        for link in self._links:
            if self._loop.is_alive:
                self._loop.wait(link.stop(), CLOSE_S)


@dataclass(frozen=True, kw_only=True)
class _Connection:
    """forgotten: set once a server over HTTP has answered 404 to the session's id, as one does that
    was started anew. The protocol wants a new session then; what was asked has not been done."""

    client: Client
    forgotten: asyncio.Event = field(default_factory=asyncio.Event)


class _Link:
    """The connection to one server. One task holds it open, as the SDK wants it: whoever enters
    its contexts must be the one who leaves them."""

    def __init__(self, server: McpServer) -> None:
        self.server = server
        self._task: asyncio.Task[None] | None = None
        self._connection: _Connection | None = None
        self._stop = asyncio.Event()
        self._starting = asyncio.Lock()
        self._num_starts = 0  # since it last answered
        self._rests_until_s = 0.0  # on the loop's clock; doubled with every start

    async def list_tools(self) -> list[Tool]:
        """Raises BackgroundError."""
        try:
            async with asyncio.timeout(self.server.start_timeout_s):
                client = (await self._connected()).client
                found = {tool.name: tool async for tool in _all_tools(client)}
        except TimeoutError:
            raise self._dead("it does not answer") from None
        except BROKEN as error:
            raise self._dead(self._shown(_cause(error))) from None
        self._num_starts = 0
        missing = [name for name in self.server.allow if name not in found]
        if missing:
            there = ", ".join(sorted(found)[:20]) or "none"
            raise self._dead(f"it has no tool {missing[0]!r} (allow); it has {there}")
        return [self._tool(found[name]) for name in self.server.allow]

    def _tool(self, found: mcp_types.Tool) -> Tool:
        name = f"{self.server.name}{SEPARATOR}{found.name}"
        if not NAME.fullmatch(name):
            raise ConfigError(f"MCP tool {name[:80]!r} has a name that models cannot call")
        if len(str(found.input_schema)) > MAX_SCHEMA_CHARS:
            raise ConfigError(f"MCP tool {name!r} has a schema above {MAX_SCHEMA_CHARS} characters")

        async def run(now_s: float, /, **arguments: Any) -> ToolAnswer:
            return await self._call(found.name, arguments)

        return Tool(
            name=name,
            description=(found.description or found.name)[:MAX_DESCRIPTION_CHARS],
            schema=found.input_schema,
            run=run,
        )

    async def _call(self, name: str, arguments: dict[str, Any]) -> ToolAnswer:
        """Raises ToolError, always with the server's name and never with its secrets."""
        assert name in self.server.allow
        try:
            result = await self._ask(name, arguments)
        except TimeoutError:
            raise ToolError(f"{self.server.name} took too long") from None
        except BROKEN as error:
            raise ToolError(self._shown(f"{self.server.name}: {_cause(error)}")) from None
        except BackgroundError as error:
            raise ToolError(str(error)) from None
        self._num_starts = 0
        text = self._shown(_text(result), self.server.max_result_chars)
        if result.is_error:
            raise ToolError(f"{self.server.name}: {text or 'the tool failed'}")
        return ToolAnswer(text=text or "done")

    async def _ask(
        self, name: str, arguments: dict[str, Any], *, is_again: bool = False
    ) -> mcp_types.CallToolResult:
        """Call a tool, a second time where the server has forgotten the session. A connection that
        has ended is given up; the next call makes a new one."""
        async with asyncio.timeout(self.server.start_timeout_s):
            connection = await self._connected()
        try:
            async with asyncio.timeout(self.server.timeout_s):
                return await connection.client.call_tool(name, arguments)
        except BROKEN as error:
            is_closed = isinstance(error, MCPError) and error.code == mcp_types.CONNECTION_CLOSED
            is_over = is_closed or connection.forgotten.is_set()
            if is_over and self._connection is connection:  # another call may have connected again
                await self.stop()
            if is_again or not connection.forgotten.is_set():
                raise
        return await self._ask(name, arguments, is_again=True)

    async def _connected(self) -> _Connection:
        """The connection, made first where needed. Raises BackgroundError."""
        async with self._starting:
            if self._connection is None or self._task is None or self._task.done():
                self._rest_or_start(asyncio.get_running_loop().time())
                self._stop = asyncio.Event()
                ready: asyncio.Future[_Connection] = asyncio.get_running_loop().create_future()
                self._task = asyncio.create_task(self._hold(ready))
                try:
                    self._connection = await ready
                except asyncio.CancelledError:  # too late: what came now would have no owner
                    self._task.cancel()
                    raise
            return self._connection

    def _rest_or_start(self, now_s: float) -> None:
        """Count one more start. Raises BackgroundError while the last ones are too recent."""
        wait_s = self._rests_until_s - now_s
        if self._num_starts and wait_s > 0:
            raise self._dead(f"it has ended; it is started again in {wait_s:.0f} s at the earliest")
        self._rests_until_s = now_s + min(FIRST_WAIT_S * 2**self._num_starts, MAX_WAIT_S)
        self._num_starts = min(self._num_starts + 1, 16)

    async def _hold(self, ready: "asyncio.Future[_Connection]") -> None:
        """Connect, tell `ready` how it went, and keep the connection until `stop`."""
        try:
            async with _open(self.server) as connection:
                if not ready.done():
                    ready.set_result(connection)
                await self._stop.wait()
        except (OSError, *BROKEN, httpx2.HTTPError, ExceptionGroup) as error:
            reason = self._shown(_cause(error))
            if ready.done():
                _log.warning("the connection to the MCP server %s: %s", self.server.name, reason)
            else:
                ready.set_exception(self._dead(reason))
        finally:
            if self._task is asyncio.current_task():  # not when another has taken over
                self._connection = None
            if not ready.done():
                ready.set_exception(self._dead("it ended while it was being connected"))

    async def stop(self) -> None:
        task, self._connection = self._task, None
        self._stop.set()
        if task:
            await asyncio.wait([task], timeout=CLOSE_S / 2)
            task.cancel()

    def _dead(self, what: str) -> BackgroundError:
        return BackgroundError(f"MCP server {self.server.name!r}: {what}")

    def _shown(self, text: str, limit: int = 300) -> str:
        text = self.server.redact(text)
        return text if len(text) <= limit else text[: limit - 1] + "…"


@asynccontextmanager
async def _open(server: McpServer) -> AsyncIterator[_Connection]:
    forgotten = asyncio.Event()

    async def look(response: httpx2.Response) -> None:
        if response.status_code == 404 and SESSION_HEADER in response.request.headers:
            forgotten.set()

    async with AsyncExitStack() as stack:
        if server.command:
            program, *arguments = server.command
            target: Any = StdioServerParameters(
                command=program, args=arguments, env=dict(server.env)
            )
        else:
            http = httpx2.AsyncClient(
                headers={"Authorization": f"Bearer {server.key}"} if server.key else {},
                timeout=httpx2.Timeout(server.timeout_s, read=None),
                event_hooks={"response": [look]},
            )
            target = streamable_http_client(
                server.url, http_client=await stack.enter_async_context(http)
            )
        client = await stack.enter_async_context(Client(target))
        yield _Connection(client=client, forgotten=forgotten)


async def _all_tools(client: Client) -> AsyncIterator[mcp_types.Tool]:
    cursor = None
    for _ in range(MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            yield tool
        cursor = page.next_cursor
        if not cursor:
            return


def _text(result: mcp_types.CallToolResult) -> str:
    """The words of a result; what is no text is only named."""
    parts = [
        block.text if isinstance(block, mcp_types.TextContent) else f"[{block.type}]"
        for block in result.content
    ]
    return "\n".join(parts)


def _cause(error: BaseException) -> str:
    """What went wrong, on one line, out of the groups that task groups wrap it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = " ".join(str(error).split())
    kind = "" if isinstance(error, MCPError | OSError) and text else f"{type(error).__name__}: "
    return f"{kind}{text}"
