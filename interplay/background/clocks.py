"""The time of day and timers as tools.

The time of day comes from a function that is passed in, the timers' from the session's clock.
Knows nothing of sentences or models.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from threading import Lock
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from interplay.background.contract import Result, notice
from interplay.background.tool import Tool, ToolAnswer
from interplay.errors import ToolError

MAX_TIMERS = 20
MAX_TIMER_S = 7 * 24 * 3600
MAX_LABEL_CHARS = 80
WallClock = Callable[[], datetime]  # a date and time with its zone


def wall_clock() -> datetime:
    """The machine's date and time, in its own zone."""
    return datetime.now().astimezone()


@cache
def _cities() -> dict[str, str]:
    """The last part of a zone's name, as it is said -> the zone: "new york" -> America/New_York."""
    return {name.rpartition("/")[2].replace("_", " ").lower(): name for name in _zones()}


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))


def find_zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name ("Asia/Tokyo") or its city ("tokyo"). Raises ToolError."""
    cleaned = " ".join(name.split())
    key = _cities().get(cleaned.lower()) or (cleaned if cleaned in _zones() else None)
    if key is None:
        raise ToolError(f"i do not know the time zone of {cleaned[:MAX_LABEL_CHARS]}")
    try:
        return ZoneInfo(key)
    except ZoneInfoNotFoundError:
        raise ToolError("this machine has no table of time zones") from None


def clock_tool(now: WallClock = wall_clock) -> Tool:
    """The date and time, here or elsewhere. now: where it is read."""

    def run(now_s: float, /, *, place: str = "") -> ToolAnswer:
        when = now().astimezone(find_zone(place)) if place.strip() else now()
        day = f"{when:%A}, {when:%B} {when.day}, {when.year}"
        where = f" in {place.strip()}" if place.strip() else ""
        return ToolAnswer(text=f"it is {when:%H:%M}{where} on {day}")

    return Tool(
        name="clock",
        description="The date and the time of day, here or in a city or IANA time zone.",
        parameters={"place": {"type": "string", "maxLength": MAX_LABEL_CHARS}},
        run=run,
    )


@dataclass(frozen=True, kw_only=True)
class Timer:
    """Rings once at `due_s` of the session's clock."""

    id: int
    due_s: float
    label: str


class Timers:
    """The timers of one session; they ring as notices, after the delegation that set them ended.

    Tools run in threads, so every look at the table is under a lock.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._timers: dict[int, Timer] = {}
        self._next_id = 1

    def __len__(self) -> int:
        return len(self._timers)

    def set(self, seconds: float, label: str, now_s: float) -> Timer:
        """Raises ToolError when it is not between now and a week, or when too many run."""
        if not 0 < seconds <= MAX_TIMER_S:
            raise ToolError("a timer runs for more than zero seconds and at most a week")
        with self._lock:
            if len(self._timers) >= MAX_TIMERS:
                raise ToolError(f"there are {MAX_TIMERS} timers already, cancel one first")
            timer = Timer(id=self._next_id, due_s=now_s + seconds, label=label[:MAX_LABEL_CHARS])
            self._next_id += 1
            self._timers[timer.id] = timer
        return timer

    def cancel(self, label: str) -> int:
        """Drop those with this label or number; "" drops all. Returns how many there were."""
        with self._lock:
            found = [t.id for t in self._timers.values() if label in ("", t.label, str(t.id))]
            for timer_id in found:
                del self._timers[timer_id]
        return len(found)

    def running(self) -> list[Timer]:
        """Those that have not rung, the next one first."""
        with self._lock:
            return sorted(self._timers.values(), key=lambda timer: timer.due_s)

    def rings(self, now_s: float) -> list[Result]:
        """A notice for each timer that has become due; each rings once."""
        if not self._timers:  # mostly
            return []
        due = [timer for timer in self.running() if timer.due_s <= now_s]
        with self._lock:
            due = [timer for timer in due if self._timers.pop(timer.id, None)]
        return [notice(_ring(timer), "interrupt") for timer in due]

    def tools(self) -> list[Tool]:
        """set_timer, list_timers and cancel_timers."""
        label = {"type": "string", "maxLength": MAX_LABEL_CHARS}
        return [
            Tool(
                name="set_timer",
                description="Say something once, after some seconds.",
                parameters={
                    "seconds": {"type": "number", "minimum": 0.1, "maximum": MAX_TIMER_S},
                    "label": label,
                },
                required=("seconds",),
                run=self._set,
            ),
            Tool(name="list_timers", description="The timers that run.", run=self._list),
            Tool(
                name="cancel_timers",
                description="Stop the timers with this label or number; without one, all.",
                parameters={"label": label},
                run=self._cancel,
            ),
        ]

    def _set(self, now_s: float, /, *, seconds: float, label: str = "") -> ToolAnswer:
        timer = self.set(seconds, label, now_s)
        named = f" for {timer.label}" if timer.label else ""
        return ToolAnswer(text=f"timer set{named}, {say_duration(seconds)}")

    def _list(self, now_s: float, /) -> ToolAnswer:
        parts = [
            f"{timer.label or f'timer {timer.id}'} in {say_duration(timer.due_s - now_s)}"
            for timer in self.running()
        ]
        return ToolAnswer(text="; ".join(parts) or "no timer is running")

    def _cancel(self, now_s: float, /, *, label: str = "") -> ToolAnswer:
        count = self.cancel(label.strip())
        if not count:
            raise ToolError("there is no such timer")
        return ToolAnswer(text="timer cancelled" if count == 1 else f"{count} timers cancelled")


def say_duration(seconds: float) -> str:
    """Whole seconds in words and figures: "1 hour 2 minutes"; 0 is "0 seconds"."""
    left = max(0, round(seconds))
    parts = []
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}{'s' if count > 1 else ''}")
    return " ".join(parts) or "0 seconds"


def _ring(timer: Timer) -> str:
    return f"time for {timer.label}" if timer.label else "your timer is up"
