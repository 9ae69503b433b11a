"""Tells once a second what only this process knows, to its own Live page and those of all others: calls under way, cooling deployments."""

import asyncio
import time
from collections import Counter

from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from console.live.desk import Desk
from console.live.ending import end
from console.live.reports import GROUP, LAYER, MOST_CALLERS, Cooling, Report
from proxy.plane import Plane

EVERY_S = 1.0
PATIENCE_S = 2.0
# A Redis that is gone is asked less often.
AWAY_S = 5.0


class Herald:
    def __init__(self, plane: Plane, process: str, desk: Desk) -> None:
        self._plane, self._process, self._desk = plane, process, desk
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._forever())

    async def stop(self) -> None:
        if self._task is not None:
            await end(self._task)

    async def _forever(self) -> None:
        layer, quiet_until = get_channel_layer(LAYER), 0.0
        while True:
            told = report(self._plane, self._process, time.monotonic())
            self._desk.reports.hear(told, time.time())
            self._desk.tidy(time.time())
            if time.monotonic() >= quiet_until:
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        await layer.group_send(GROUP, told.message())
                except (RedisError, OSError, TimeoutError):
                    quiet_until = time.monotonic() + AWAY_S
            await asyncio.sleep(EVERY_S)


def report(plane: Plane, process: str, now: float) -> Report:
    """`now` is monotonic, as the circuits' times are."""
    callers = Counter((exchange.caller.team_id, exchange.caller.user_id) for exchange in plane.live)
    rest = sum(count for _, count in callers.most_common()[MOST_CALLERS:])
    known = dict(callers.most_common(MOST_CALLERS))
    if rest:
        known["", ""] = known.get(("", ""), 0) + rest
    cooling = [
        Cooling(deployment_id, vitals.circuit.reason, max(0.0, vitals.circuit.until - now), vitals.circuit.is_probed)
        for deployment_id, vitals in plane.health.vitals.items()
        if vitals.circuit.until
    ]
    return Report(process, known, tuple(cooling))
