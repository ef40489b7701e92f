"""A small MCP server made with the official SDK, for the tests of the client.

Run as a program with `stdio`, or with `http` and a port, 0 for any; over HTTP it prints its port
and serves until its stdin closes. Knows nothing of the client under test.
"""

import os
import socket
import sys
import threading

from mcp import types
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("tests")


@server.tool()
def add(a: int, b: int) -> str:
    """Add two numbers."""
    return f"the sum is {a + b}"


@server.tool()
def big() -> str:
    """Say far too much."""
    return "x" * 50_000


@server.tool()
def refuse() -> str:
    """Fail."""
    raise ToolError("not today")


@server.tool()
def environment() -> str:
    """Tell what it was given."""
    return " ".join(f"{key}={value}" for key, value in sorted(os.environ.items()))


@server.tool()
def picture() -> types.ImageContent:
    """Return no text."""
    return types.ImageContent(type="image", data="AAAA", mime_type="image/png")


@server.tool()
def forbidden() -> str:
    """Be on no allow-list."""
    return "called"


class NeedsKey:
    """Refuses HTTP requests without the bearer token."""

    def __init__(self, app, key: str) -> None:
        self.app, self.key = app, key

    async def __call__(self, scope, receive, send) -> None:
        headers = dict(scope.get("headers", ()))
        wanted = f"Bearer {self.key}".encode()
        if scope["type"] == "http" and headers.get(b"authorization") != wanted:
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b"no key"})
        else:
            await self.app(scope, receive, send)


def serve_http(key: str, port: int) -> None:
    import uvicorn

    listener = socket.create_server(("127.0.0.1", port))
    app = server.streamable_http_app()
    config = uvicorn.Config(NeedsKey(app, key) if key else app, log_level="error")
    runner = uvicorn.Server(config)
    threading.Thread(target=runner.run, args=([listener],), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        serve_http(os.environ.get("SERVER_KEY", ""), int(sys.argv[2]))
