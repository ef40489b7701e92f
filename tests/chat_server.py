"""A small server of the streaming Chat Completions API, good or bad by the name of the model.

Run as a program: it prints its port and serves until its stdin closes. `GET /seen` tells what
was asked. Knows nothing of the client under test; standard library only.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 30},
}
SEEN: list[dict[str, Any]] = []
HUNG_UP: list[str] = []  # questions whose reader left before the end


def text(*pieces: str) -> list[dict[str, Any]]:
    return [{"content": piece} for piece in pieces]


def call(index: int, name: str, arguments: str, call_id: str = "") -> list[dict[str, Any]]:
    """One tool call in three chunks, as real servers cut it."""
    half = len(arguments) // 2
    first = {"index": index, "id": call_id or f"id{index}", "type": "function"}
    return [
        {"tool_calls": [{**first, "function": {"name": name, "arguments": ""}}]},
        {"tool_calls": [{"index": index, "function": {"arguments": arguments[:half]}}]},
        {"tool_calls": [{"index": index, "function": {"arguments": arguments[half:]}}]},
    ]


def mixed(*streams: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Chunks of parallel calls, interleaved."""
    return [chunk for chunks in zip(*streams, strict=True) for chunk in chunks]


TWO_CALLS = mixed(
    call(0, "calculate", '{"expression": "6 * 7"}'),
    call(1, "convert_units", '{"value": 5, "source": "miles", "target": "km"}'),
)
CHART = '{"kind": "bar", "labels": ["a", "b"], "values": [1, 2]}'


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        body = json.dumps({"seen": SEEN, "hung_up": HUNG_UP}).encode()
        self._head(200, "application/json", len(body))
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        SEEN.append(
            {
                "body": body,
                "path": self.path,
                "headers": {k.lower(): v for k, v in self.headers.items()},
            }
        )
        model = body["model"]
        self.asks_usage = body.get("stream_options") == {"include_usage": True}
        num_asked = sum(request["body"]["model"] == model for request in SEEN)
        rounds = [m for m in body["messages"] if m["role"] == "tool"]
        try:
            getattr(self, "play_" + model.replace("-", "_"))(body, rounds, num_asked)
        except (BrokenPipeError, ConnectionResetError):
            HUNG_UP.append(body["messages"][1]["content"])

    def play_plain(self, body: dict, rounds: list, num_asked: int) -> None:
        self._stream(text("The answer ", "is forty two. ", "It always ", "was."))

    def play_parallel(self, body: dict, rounds: list, num_asked: int) -> None:
        if rounds:
            said = " and ".join(m["content"] for m in rounds)
            self._stream(text(said))
        else:
            self._stream(text("Let me work that out. ") + TWO_CALLS, finish="tool_calls")

    def play_chart(self, body: dict, rounds: list, num_asked: int) -> None:
        self._stream(text("There.") if rounds else call(0, "chart", CHART))

    def play_shop(self, body: dict, rounds: list, num_asked: int) -> None:
        asks = call(0, "shop__opening_hours", '{"day": "Monday"}')
        self._stream(text(rounds[-1]["content"]) if rounds else asks)

    def play_asks_client(self, body: dict, rounds: list, num_asked: int) -> None:
        calls = mixed(
            call(0, "weather", '{"city": "oslo"}', "same"),
            call(1, "weather", '{"city": "rome"}', "other"),
            call(2, "calculate", '{"expression": "6 * 7"}', "sum"),
        )
        said = " and ".join(sorted(m["content"] for m in rounds))
        self._stream(text(said) if rounds else text("One moment please. ") + calls)

    def play_bad_calls(self, body: dict, rounds: list, num_asked: int) -> None:
        calls = mixed(
            call(0, "calculate", '{"expression": '),
            call(1, "no_such_tool", "{}"),
            call(2, "calculate", '{"expression": "1 / 0"}'),
            call(3, "calculate", "[1]"),
        )
        self._stream(text(" | ".join(m["content"] for m in rounds)) if rounds else calls)

    def play_slow_tool(self, body: dict, rounds: list, num_asked: int) -> None:
        self._stream(text(rounds[-1]["content"]) if rounds else call(0, "sleep", "{}"))

    def play_insatiable(self, body: dict, rounds: list, num_asked: int) -> None:
        self._stream(call(0, "calculate", '{"expression": "1"}'))

    def play_slow(self, body: dict, rounds: list, num_asked: int) -> None:
        self._stream(text(*["word "] * 1000), delay_s=0.05)

    def play_dies(self, body: dict, rounds: list, num_asked: int) -> None:
        self._stream(text("This sentence is whole. ", "This one"), finish="", ends=False)

    def play_breaks_off(self, body: dict, rounds: list, num_asked: int) -> None:
        self._stream(text("This one ", "has no end"), finish="")

    def play_empty(self, body: dict, rounds: list, num_asked: int) -> None:
        self._stream([{}])

    def play_garbage(self, body: dict, rounds: list, num_asked: int) -> None:
        self._head(200, "text/event-stream", None)
        self._chunk(b"data: {not json\n\n")
        self._chunk(b"")

    def play_odd(self, body: dict, rounds: list, num_asked: int) -> None:
        self._head(200, "text/event-stream", None)
        self._chunk(b'data: {"choices": [{"delta": {"content": 7, "tool_calls": 3}}]}\n\n')
        self._chunk(b"")

    def play_error_inside(self, body: dict, rounds: list, num_asked: int) -> None:
        self._head(200, "text/event-stream", None)
        self._chunk(b'data: {"error": {"message": "out of memory"}}\n\n')
        self._chunk(b"")

    def play_endless(self, body: dict, rounds: list, num_asked: int) -> None:
        self._stream(text(*["x" * 1000] * 100))

    def play_many_calls(self, body: dict, rounds: list, num_asked: int) -> None:
        self._stream([c for i in range(20) for c in call(i, "calculate", "{}")])

    def play_always_500(self, body: dict, rounds: list, num_asked: int) -> None:
        self._refuse(500, f"broken, your key is {self.headers['Authorization']}")

    def play_wrong_key(self, body: dict, rounds: list, num_asked: int) -> None:
        self._refuse(401, f"Incorrect API key provided: {self.headers['Authorization']}")

    def play_500_once(self, body: dict, rounds: list, num_asked: int) -> None:
        if num_asked == 1:
            self._refuse(500, "try again")
        else:
            self._stream(text("Here I am."))

    def _refuse(self, status: int, message: str) -> None:
        body = json.dumps({"error": {"message": message}}).encode()
        self._head(status, "application/json", len(body))
        self.wfile.write(body)

    def _head(self, status: int, kind: str, length: int | None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("retry-after-ms", "10")
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _stream(
        self,
        deltas: list[dict[str, Any]],
        *,
        finish: str = "stop",
        delay_s: float = 0.0,
        ends: bool = True,
    ) -> None:
        self._head(200, "text/event-stream", None)
        last: list[dict[str, Any]] = [{"index": 0, "delta": {}, "finish_reason": finish}]
        choices = [[{"index": 0, "delta": d, "finish_reason": None}] for d in deltas]
        choices += [last, []] if finish else []
        for each in choices:
            event: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "model": "m"}
            event["created"] = 1
            if not each and self.asks_usage:
                event |= {"usage": USAGE}
            self._chunk(f"data: {json.dumps({**event, 'choices': each})}\n\n".encode())
            time.sleep(delay_s)
        if ends:
            self._chunk(b"data: [DONE]\n\n")
            self._chunk(b"")
        else:
            self.close_connection = True


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
