"""Logs as one JSON object per line on stderr, with secrets masked. Knows nothing of what is logged.

Neither words, sound nor headers are ever given to a logger; the mask is the second fence.
"""

import logging
import re
import sys
from datetime import UTC, datetime

import msgspec

SECRET = re.compile(
    r"(?i)(\bbearer\s+|openai-insecure-api-key\.|\b(?:ek|rt|sk)[_-])[A-Za-z0-9._~+/=-]+"
)
REFUSED = (
    "ASGI callable returned without completing handshake."  # uvicorn, after every HTTP refusal
)
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


def mask(text: str) -> str:
    """The text with everything that looks like a secret cut away."""
    return SECRET.sub(lambda found: f"{found.group(1)}***", text)


class JsonFormatter(logging.Formatter):
    """Time, level, logger and message, then whatever was passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in STANDARD}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return mask(msgspec.json.encode(line, enc_hook=str).decode())


def start_logs(*, ticks: bool) -> None:
    """Send everything that is logged in this process to stderr, once: ours, uvicorn's without what
    it says of headers, and warnings of all other libraries. ticks: a line per tick and session.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(lambda record: record.msg != REFUSED)
    root = logging.getLogger()
    # whatever wrote in the same place before, without a mask
    others = [each for each in root.handlers if type(each) is not logging.StreamHandler]
    root.handlers = [handler, *others]
    for name, level in (("interplay", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(level)
    logging.getLogger("interplay.server.ticks").setLevel(logging.DEBUG if ticks else logging.INFO)
