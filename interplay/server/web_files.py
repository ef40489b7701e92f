"""The files of our own page, with the headers that keep it to itself.

Everything a browser runs comes from this server, nothing is inline, and nothing may be evaluated
from text. Charts are drawn in a frame of their own that has no origin, no network and no
forms. Knows nothing of sessions, keys or what the files do.
"""

from pathlib import Path, PurePosixPath

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from interplay.errors import RequestError

WEB = Path(__file__).with_name("web")
INDEX, CHART = "index.html", "chart.html"
MEDIA_TYPES = {  # not from the machine's own table, where a script may be text/plain
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "worker-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_CHART_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'self'; style-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "cache-control": "no-cache",  # asked for again each time, answered with 304 when unchanged
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(self), geolocation=(), payment=(), usb=()",
}


class WebFiles:
    """Handlers for the page and what it loads."""

    def __init__(self) -> None:
        self._files = StaticFiles(directory=WEB)

    async def index(self, request: Request) -> Response:
        return await self._file(INDEX, request)

    async def file(self, request: Request) -> Response:
        """A file below `web/`. Raises RequestError for anything else."""
        return await self._file(request.path_params["path"], request)

    async def _file(self, path: str, request: Request) -> Response:
        media_type = MEDIA_TYPES.get(PurePosixPath(path).suffix)
        if media_type is None or "\0" in path:
            raise _not_found()
        try:
            response = await self._files.get_response(path, request.scope)
        except HTTPException:  # outside the folder, no file, or not readable
            raise _not_found() from None
        policy = _CHART_POLICY if path == CHART else _PAGE_POLICY
        response.headers.update(_HEADERS | {"content-security-policy": policy})
        if response.status_code == 200:
            response.headers["content-type"] = media_type
        return response


def _not_found() -> RequestError:
    return RequestError("not_found", "there is no such file; the page is at /")
