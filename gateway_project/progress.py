"""A bar for long work, on stderr and only where somebody looks: what is piped or logged stays free of it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Step(Protocol):
    """Says that so many more are done."""

    def __call__(self, count: int = 1) -> None: ...


@contextmanager
def progress(title: str, total: int | None = None, *, stream: TextIO | None = None) -> Iterator[Step]:
    """`with progress("Repricing", 5000) as step:` and `step()` or `step(500)` inside. Without a total only the time runs.

    The bar goes when the work ends, whatever the end. Steps may come from any thread.
    """
    where = stream or sys.stderr
    if not (where.isatty() and os.environ.get("TERM") != "dumb"):
        yield _unseen
        return
    with Progress(*_columns(total), console=Console(file=where, force_terminal=True), transient=True) as bar:
        yield _Shown(bar, bar.add_task(title, total=total))


def _columns(total: int | None) -> list[TextColumn | BarColumn | MofNCompleteColumn | TimeRemainingColumn | TimeElapsedColumn]:
    title = TextColumn("{task.description}", markup=False)
    if total is None:
        return [title, BarColumn(), TextColumn("{task.completed:,.0f} done"), TimeElapsedColumn()]
    return [title, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]


def _unseen(count: int = 1) -> None:
    return None


class _Shown:
    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def __call__(self, count: int = 1) -> None:
        self._bar.advance(self._task, count)
