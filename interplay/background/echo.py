"""`echo-tools`: the background model that is always there. No network, no language model.

It knows plain requests by rule and answers them with the built-in tools; what it does not know it
says that it cannot do. Knows nothing of tokens, protocols or how the answer is said.
"""

import logging
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

from interplay.background import requests
from interplay.background.calculator import CALCULATOR
from interplay.background.charts import chart_tools
from interplay.background.clocks import Timers, WallClock, clock_tool, wall_clock
from interplay.background.contract import Delegation, Result
from interplay.background.documents import DocumentIndex, search_tool
from interplay.background.tool import Registry, Tool
from interplay.background.units import CONVERTER
from interplay.errors import ToolError

CANNOT = "sorry, i cannot do that"
CAN = "i can tell the time, calculate, convert units, set timers and draw charts"
CAN_SEARCH = "i can tell the time, calculate, convert units, set timers, draw charts and search"
NO_DOCUMENTS = "sorry, i have no documents to search"

_log = logging.getLogger(__name__)


def builtin_tools(
    timers: Timers, documents: DocumentIndex | None = None, now: WallClock = wall_clock
) -> list[Tool]:
    """The tools that need no network, for one session; search only where there are documents."""
    tools = [clock_tool(now), CALCULATOR, CONVERTER, *timers.tools(), *chart_tools()]
    return [*tools, search_tool(documents)] if documents else tools


class EchoTools:
    """One session of `echo-tools`. executor: where tools run; without one, at once, in `delegate`,
    which makes it repeatable and is only fit for pretended time."""

    def __init__(
        self,
        timers: Timers,
        registry: Registry,
        executor: Executor | None = None,
    ) -> None:
        self._timers, self._registry, self._executor = timers, registry, executor
        self._running: dict[int, Future[Result]] = {}
        self._ready: list[Result] = []

    def delegate(self, delegation: Delegation, now_s: float) -> None:
        if self._executor is None:
            self._ready.append(self._answer(delegation, now_s))
        else:
            self._running[delegation.id] = self._executor.submit(self._answer, delegation, now_s)

    def cancel(self, delegation_id: int) -> None:
        future = self._running.pop(delegation_id, None)
        if future:
            future.cancel()

    def results(self, now_s: float) -> list[Result]:
        for delegation_id in [i for i, future in self._running.items() if future.done()]:
            self._ready.append(self._running.pop(delegation_id).result())
        ready, self._ready = self._ready, []
        return ready + self._timers.rings(now_s)

    def close(self) -> None:
        for delegation_id in list(self._running):
            self.cancel(delegation_id)

    def _answer(self, delegation: Delegation, now_s: float) -> Result:
        call = requests.understand(delegation.question)
        if call is None:
            can = CAN_SEARCH if "search_documents" in self._registry else CAN
            return _failed(delegation.id, f"{CANNOT}, {can}", "no rule knows the request")
        if call.tool not in self._registry:
            return _failed(delegation.id, NO_DOCUMENTS, f"there is no {call.tool}")
        try:
            answer = self._registry.call(call.tool, call.arguments, now_s)
        except ToolError as error:
            return _failed(delegation.id, f"sorry, {error}", f"{call.tool} refuses")
        return Result(delegation_id=delegation.id, content=answer.text, ui=answer.ui)


class EchoBackground:
    """`echo-tools` for the whole process. documents: a folder to search; database: where its index
    is kept, in memory without. The index is brought up to date here, which may take seconds.

    Raises BackgroundError on a folder or a database that cannot be used.
    """

    def __init__(
        self,
        documents: Path | None = None,
        *,
        database: Path | None = None,
        now: WallClock = wall_clock,
    ) -> None:
        self._now = now
        self._documents = DocumentIndex(documents, database) if documents else None
        if self._documents:
            _log.info("indexed %d documents", self._documents.refresh())
        self._executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="echo-tools")

    def open(self) -> EchoTools:
        timers = Timers()
        registry = Registry(builtin_tools(timers, self._documents, self._now))
        return EchoTools(timers, registry, self._executor)

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)
        if self._documents:
            self._documents.close()


def _failed(delegation_id: int, content: str, reason: str) -> Result:
    return Result(delegation_id=delegation_id, content=content, status="failed", reason=reason)
