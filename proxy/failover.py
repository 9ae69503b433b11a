"""Step six: tries the deployments in order, then other public names. After the first byte to the caller there is no other attempt."""

import asyncio
import random
import time
from dataclasses import dataclass, field

from proxy.attempts import HOPS, ask, hops
from proxy.choosing import line_up as line_up_of
from proxy.errors import CallError, GatewayError, LoopError, NotReady, ProviderError, Unreachable
from proxy.exchange import Attempt, Exchange
from proxy.upstream import Response
from routing.failures import Reason
from routing.fallbacks import Plan
from routing.snapshot import DeploymentSnapshot, RouteSnapshot

LineUp = tuple[DeploymentSnapshot, ...]

# A call that has come through so many gateways goes round in circles.
MOST_HOPS = 3
# Callers try again themselves, so our own pauses are short: the first, the longest, and all of one call together.
PAUSE_S = 0.25
LONGEST_PAUSE_S = 2.0
ALL_PAUSES_S = 5.0
# What the vendors' SDKs wait for an answer where they say nothing else.
PATIENCE_S = 600.0
LEAST_TIME_S = 1.0


async def send(exchange: Exchange, route: RouteSnapshot, line_up: LineUp) -> Response:
    """The first answer worth passing on: a success, or the refusal or failure that nothing else could mend."""
    if HOPS in exchange.client.headers and hops(exchange) >= MOST_HOPS:
        raise LoopError(508, "loop_detected", "This call goes round in circles between gateways. Gateway's side. Ask your administrator.")
    return await _Search(exchange, route, exchange.ask.model if exchange.ask else "").run(line_up)


@dataclass(slots=True)
class _Search:
    """One call's way from deployment to deployment.

    `failed` and `error` are the newest failure: a refusal that was heard, or that there was none. `may_ask_again`: the provider has done
    nothing yet, and will not keep us waiting.
    """

    exchange: Exchange
    route: RouteSnapshot
    name: str
    plan: Plan | None = None
    failed: Response | None = None
    failed_by: Attempt | None = None
    error: CallError | None = None
    reason: Reason | None = None
    may_ask_again: bool = False
    paused_s: float = 0.0
    cooling: list[tuple[str, DeploymentSnapshot]] = field(default_factory=list)

    async def run(self, line_up: LineUp) -> Response:
        while (answer := await self._among(self._fit(line_up))) is None:
            following = None if self._is_over() else self._next_name()
            if following is None:
                break
            self.route = following
            line_up = line_up_of(self.exchange, following)
        return answer or await self._put_off() or self._told()

    async def _put_off(self) -> Response | None:
        """Those that cool down, now that nothing else has served the call."""
        for name, deployment in self.cooling:
            if self._is_over() or not self._helps_elsewhere():
                return None
            self.name = name
            answer = await self._one(deployment)
            if answer is not None:
                return answer
        return None

    def _fit(self, line_up: LineUp) -> LineUp:
        """Those that cool down wait until other names have been tried, where there are any."""
        health, now = self.exchange.plane.health, time.monotonic()
        others = self.route.fallbacks or self.exchange.snapshot.routes.policy.default_fallbacks
        if not others or not health.is_cooling(line_up[-1].id, now):
            return line_up
        self.cooling += [(self.name, one) for one in line_up if health.is_cooling(one.id, now)]
        return tuple(one for one in line_up if not health.is_cooling(one.id, now))

    async def _among(self, line_up: LineUp) -> Response | None:
        """Each once, then again those where that is safe. None when all have failed, or when none of this route can do better."""
        again: list[tuple[DeploymentSnapshot, float]] = []
        for deployment in line_up:
            answer = await self._one(deployment)
            if answer is not None or self._is_over() or not self._helps_elsewhere():
                return answer
            if self.may_ask_again:
                again.append((deployment, self._asked_s()))
        for number in range(self.route.retries if again else 0):
            deployment, asked_s = again[number % len(again)]
            if not await self._pause(number, asked_s):
                return None
            answer = await self._one(deployment)
            if answer is not None or self._is_over() or not self.may_ask_again:
                return answer
        return None

    async def _one(self, deployment: DeploymentSnapshot) -> Response | None:
        """One deployment's answer where it is good; else None, and the failure is kept."""
        exchange = self.exchange
        if exchange.attempts:
            exchange.let_go(exchange.attempts[-1])
        self.may_ask_again = False
        try:
            answer = await ask(exchange, deployment, self.name)
        except NotReady as error:
            # What a provider said or did is told rather than that another could not be asked.
            self.error = self.error if self.failed is not None or isinstance(self.error, ProviderError) else error
            return None
        except CallError as error:
            if not error.retryable:
                raise
            self._keep(None, error)
            self.may_ask_again = isinstance(error, Unreachable)
            return None
        if answer.status < 400:
            return answer
        self._keep(answer, None)
        says_no = (b"x-should-retry", b"false") in answer.headers
        self.may_ask_again = self.reason is not None and self.reason.is_transient and self._asked_s() <= LONGEST_PAUSE_S and not says_no
        return None

    def _keep(self, failed: Response | None, error: CallError | None) -> None:
        if self.failed is not None:
            self.failed.close()
        self.failed, self.error, self.failed_by = failed, error, self.exchange.attempts[-1]
        self.reason = self.failed_by.reason

    def _asked_s(self) -> float:
        """How long the provider wants to be left alone."""
        return (self.failed_by.retry_after_s if self.failed_by is not None else None) or 0.0

    def _helps_elsewhere(self) -> bool:
        if self.reason is Reason.CREDENTIAL_REFUSED and self.exchange.own_access:
            return False
        return self.reason is None or self.reason.helps_elsewhere

    async def _pause(self, number: int, asked_s: float) -> bool:
        """Waits before asking again; False when the caller's patience does not go so far."""
        pause_s = max(asked_s, min(PAUSE_S * 2**number, LONGEST_PAUSE_S) * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
        self.paused_s += pause_s
        if self.paused_s > ALL_PAUSES_S:
            return False
        await asyncio.sleep(pause_s)
        self.exchange.waited_s += pause_s
        return not self._is_over()

    def _is_over(self) -> bool:
        """Nobody waits for another attempt any more."""
        exchange = self.exchange
        return exchange.client.has_left or exchange.elapsed_ms() / 1000 > _patience_s(exchange) - LEAST_TIME_S

    def _next_name(self) -> RouteSnapshot | None:
        """The next public name that stands in for this one, that leads somewhere, and that this caller may use."""
        exchange = self.exchange
        if self.plan is None:
            self.plan = Plan(self.name, exchange.snapshot.routes.policy.default_fallbacks)
        while name := self.plan.next(self.route, self.reason):
            route = exchange.snapshot.routes.find(name)
            if route is not None and route.targets and exchange.caller.allows(name):
                self.name, self.reason = name, None
                exchange.other_names += 1
                return route
        return None

    def _told(self) -> Response:
        """What the caller gets to see in the end. A refusal passes as it came, unless something else was tried after it."""
        if self.failed is not None and self.failed_by is self.exchange.attempts[-1]:
            return self.failed
        if self.failed is not None and self.failed_by is not None:
            note = self.failed_by.note
            raise ProviderError(note.status, "provider_error", note.error_message or "The provider refused the call. Provider's side.")
        if self.error is not None:
            raise self.error
        raise GatewayError(503, "no_deployment", "No deployment serves this model now. Gateway's side. Ask your administrator.")


def _patience_s(exchange: Exchange) -> float:
    """How long the caller waits for an answer, by its own word."""
    headers = exchange.client.headers
    told = (headers.get(b"x-stainless-timeout") or headers.get(b"x-litellm-timeout") or b"").partition(b".")[0]
    return min(float(told), PATIENCE_S) if told.isdigit() and len(told) < 6 else PATIENCE_S
