"""Health checks of this process, where the policy wants them: each deployment is asked in turn, and a bad one cools down until it is
asked again.
"""

import asyncio
import contextlib
import logging
import time

from django.db import DatabaseError

from proxy.plane import Plane
from routing.policy import Policy
from routing.tasks import check_apart, reason_of_outcome

logger = logging.getLogger(__name__)

LOOK_AGAIN_S = 5.0
# A bad deployment stays away until it has been asked again, with time for the others to be asked before it.
MARGIN = 1.5


class Checkup:
    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._forever())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _forever(self) -> None:
        while True:
            policy = self._plane.snapshot.routes.policy
            if policy.has_health_checks:
                await self.go_round(policy)
            await asyncio.sleep(policy.health_check_interval_s if policy.has_health_checks else LOOK_AGAIN_S)

    async def go_round(self, policy: Policy) -> None:
        """Asks every deployment that a route leads to."""
        for deployment_id in self._plane.snapshot.routes.deployment_ids():
            try:
                outcome = await asyncio.to_thread(check_apart, deployment_id)
            except DatabaseError as error:
                logger.warning("a deployment could not be checked", extra={"fields": {"error": type(error).__name__}})
                return
            if outcome is not None:
                circuit = self._plane.health.of(deployment_id).circuit
                circuit.examined(time.monotonic(), reason_of_outcome(outcome), policy.health_check_interval_s * MARGIN)
