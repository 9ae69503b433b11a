"""What one process of the data plane shares among its calls, and the sweeper that watches their deadlines."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing.bank import Bank
from billing.journal import Journal
from billing.limits import BudgetFinder
from billing.rates import Rates
from keys.snapshot import Network
from proxy.jwt_callers import SignedTokens
from proxy.limits import Limits
from proxy.snapshot import Snapshot
from proxy.upstream import Upstream
from proxy.waiting import keep_awake
from routing.dialects.litellm_errors import CLASSIC, Words
from routing.health import Health
from routing.sticky import Sticky

if TYPE_CHECKING:
    from proxy.exchange import Exchange

logger = logging.getLogger(__name__)

TELL_EVERY_S = 10.0


@dataclass(slots=True)
class Plane:
    """`snapshot` is replaced whole by the refresher; `live` holds the calls under way, `turned_away` counts those there was no room for."""

    journal: Journal
    upstream: Upstream
    bank: Bank
    snapshot: Snapshot = field(default_factory=Snapshot)
    budgets: BudgetFinder = field(default_factory=BudgetFinder)
    rates: Rates = field(default_factory=Rates)
    health: Health = field(default_factory=Health)
    sticky: Sticky = field(default_factory=Sticky)
    limits: Limits = field(default_factory=Limits)
    trusted_proxies: tuple[Network, ...] = ()
    key_header: bytes = b""
    signed_tokens: SignedTokens | None = None
    takes_aws_key_ids: bool = False
    refusals: Mapping[str, Words] = field(default_factory=lambda: CLASSIC)  # for callers of OpenAI's APIs
    takes_test_fields: bool = False
    is_ready: bool = False
    has_database: bool = True  # as the last look at it found
    is_leaving: bool = False  # a stop was asked for: readiness says no, calls are still taken
    live: "set[Exchange]" = field(default_factory=set)
    turned_away: int = 0
    told_at: float = 0.0
    _sweeper: "asyncio.Task[None] | None" = None
    _pings: "set[asyncio.Task[None]]" = field(default_factory=set)

    @property
    def is_full(self) -> bool:
        return 0 < self.limits.in_flight <= len(self.live)

    def start(self) -> None:
        self._sweeper = asyncio.create_task(self._sweep_forever())

    async def stop(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        # A reader that takes nothing can hold up a stopped call's last words; its money must be on record while there is a journal.
        for exchange in list(self.live):
            exchange.close()
        self.upstream.close()
        self.journal.stop()

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(self.limits.sweep_s)
            self.sweep(time.monotonic())

    def sweep(self, now: float) -> None:
        """Stops calls whose deadline has passed; keeps silent streams awake with a ping at an event boundary."""
        for exchange in list(self.live):
            if exchange.deadline and now >= exchange.deadline and exchange.deadline_error is not None:
                exchange.stop(exchange.deadline_error)
            elif exchange.ping_at and now >= exchange.ping_at and exchange.attempts[-1].at_boundary:
                exchange.ping_at = now + self.limits.ping_after_s
                task = asyncio.create_task(keep_awake(exchange))
                self._pings.add(task)
                task.add_done_callback(self._pings.discard)
        if self.turned_away and now - self.told_at >= TELL_EVERY_S:
            logger.warning("calls were turned away: the process has all that it takes", extra={"fields": {"calls": self.turned_away}})
            self.turned_away, self.told_at = 0, now
