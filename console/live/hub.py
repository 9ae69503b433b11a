"""One process's open Live pages: once a second each scope is worked out once, in a thread, and handed to all who look at it.

A socket holds one message at most: the next takes the place of what was not sent yet. Every few seconds each session is looked at again.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from channels.layers import get_channel_layer
from django.db import DatabaseError, close_old_connections, connection
from redis.exceptions import RedisError

from console.live.desk import Desk
from console.live.ending import end
from console.live.look import Look
from console.live.parts import Parts
from console.live.reports import GROUP, LAYER, Report
from console.live.scope import scope_of
from console.live.visits import reach_of_session
from keys.access import Reach

logger = logging.getLogger(__name__)

TICK_S = 1.0
# With the tick that is under way, less than the five seconds within which somebody who was blocked is gone.
VISIT_S = 2.0
MOST_SOCKETS = 200
MOST_OF_ONE = 6
# The listening goes on this long for a page that is only being reloaded.
LINGER_S = 30.0
HEAR_AGAIN_S = 3.0
# Codes of closing, in the range that is free for applications.
SIGNED_OUT, CHANGED, FAILED = 4401, 4403, 1011

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class Watcher:
    """One socket. `waiting` is what it has not been sent yet, `code` why it is to be closed."""

    session_key: str
    reach: Reach
    look: Look
    code: int = 0
    waiting: Parts | None = None
    _sent: Parts = field(default_factory=dict)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, parts: Parts) -> None:
        self.waiting = parts
        self._woken.set()

    def dismiss(self, code: int) -> None:
        self.code = code
        self._woken.set()

    async def news(self) -> Parts | None:
        """The parts that changed since the last ones; None when it is to be closed."""
        await self._woken.wait()
        self._woken.clear()
        parts, self.waiting = self.waiting or {}, None
        changed = {name: html for name, html in parts.items() if self._sent.get(name) != html}
        self._sent = parts or self._sent
        return None if self.code else changed


class Hub:
    def __init__(self) -> None:
        self.desk = Desk()
        self._watchers: set[Watcher] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")
        self._task: asyncio.Task[None] | None = None

    async def visit(self, session_key: str) -> Reach | None:
        return await self._run(reach_of_session, session_key)

    def join(self, watcher: Watcher) -> bool:
        """False where there are enough already."""
        own = Counter(one.reach.person_id for one in self._watchers)[watcher.reach.person_id]
        if own >= MOST_OF_ONE or len(self._watchers) >= MOST_SOCKETS:
            return False
        self._watchers.add(watcher)
        if self._task is None or self._task.done():
            self._begin()
        return True

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._go_on())
        self._task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Should it ever fail, the pages are told to come back, and the next one to come begins it anew."""
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the live page stopped", exc_info=error)
            for one in self._watchers:
                one.dismiss(FAILED)

    def leave(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)

    async def stop(self) -> None:
        """With the process."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._run(_let_go)

    async def _go_on(self) -> None:
        listening = asyncio.create_task(self._listen())
        left_at = seen_at = time.monotonic()
        try:
            while self._watchers or time.monotonic() - left_at < LINGER_S:
                begun = time.monotonic()
                if self._watchers:
                    left_at = begun
                    is_due = begun - seen_at >= VISIT_S
                    seen_at = begun if is_due else seen_at
                    await self._tick(list(self._watchers), is_due=is_due)
                await asyncio.sleep(max(TICK_S / 2, TICK_S - (time.monotonic() - begun)))
        finally:
            await end(listening)
        # Somebody may have come while this ended.
        self._task = None
        if self._watchers:
            self._begin()

    async def _tick(self, watchers: list[Watcher], *, is_due: bool) -> None:
        try:
            if is_due:
                await self._look_who_is_there(watchers)
            views = {(scope_of(one.reach), one.look) for one in watchers if not one.code}
            shown = await self._run(self._show, views)
        except DatabaseError as error:
            logger.warning("the live page has nothing to show", extra={"fields": {"error": type(error).__name__}})
            return
        for one in watchers:
            if not one.code:
                one.offer(shown[scope_of(one.reach), one.look])

    def _show(self, views: Iterable[tuple[Reach, Look]]) -> dict[tuple[Reach, Look], Parts]:
        now = time.time()
        return {(scope, look): self.desk.parts(scope, look, now) for scope, look in views}

    async def _look_who_is_there(self, watchers: list[Watcher]) -> None:
        """Whoever may see something else than before starts over with a page of its own."""
        for one in watchers:
            reach = await self.visit(one.session_key)
            if reach is None:
                one.dismiss(SIGNED_OUT)
            elif scope_of(reach) != scope_of(one.reach) or reach.person_id != one.reach.person_id:
                one.dismiss(CHANGED)

    async def _listen(self) -> None:
        """To all processes' reports. Without Redis there are none but this one's."""
        layer = get_channel_layer(LAYER)
        while True:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                try:
                    while True:
                        self.desk.reports.hear(Report.read(await layer.receive(channel)), time.time())
                finally:
                    await layer.group_discard(GROUP, channel)
            await asyncio.sleep(HEAR_AGAIN_S)

    async def _run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        def run() -> _T:
            close_old_connections()
            try:
                return work(*args, **kwargs)
            finally:
                close_old_connections()

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)


def _let_go() -> None:
    """`connection` is that of the thread that asks."""
    connection.close()
