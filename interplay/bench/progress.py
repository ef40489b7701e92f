"""A progress bar for each kind of item. Knows nothing of what is being done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

WIDTH_IN_FILES = 160


def console() -> Console:
    """Where tables are printed; wide enough for them in a file."""
    made = Console()
    if not made.is_terminal:
        made.width = WIDTH_IN_FILES
    return made


@contextmanager
def advancing(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Within it, `advance(what, done, total)` shows how far each piece of work is."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        tasks = {}

        def advance(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, visible=done < total)

        yield advance
