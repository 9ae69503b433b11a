"""Tells this process, after a commit, that the configuration changed. Other processes compare `trail.version()`."""

from collections.abc import Callable

_callbacks: list[Callable[[], None]] = []


def subscribe(callback: Callable[[], None]) -> Callable[[], None]:
    """Has `callback` called after each committed change, in the thread that committed. It must be quick and not raise. Returns an undo."""
    _callbacks.append(callback)

    def unsubscribe() -> None:
        _callbacks.remove(callback)

    return unsubscribe


def notify() -> None:
    for callback in tuple(_callbacks):
        callback()
