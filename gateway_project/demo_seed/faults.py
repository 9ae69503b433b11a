"""What went wrong, and on whose side: a few calls any day, an afternoon when Anthropic was overloaded, hours with an expired key."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from billing.usage import Usage
from gateway_project.demo_seed.calls import FINE, Call, Fault
from gateway_project.demo_seed.cast import CODER, HAIKU, OPUS, house_of
from gateway_project.demo_seed.routes import NAMED

OVERLOADED = (529, "overloaded", "Overloaded")
THROTTLED = (429, "rate_limited", "Too many tokens, please wait before trying again.")
EXPIRED = (401, "credential_refused", "Request had invalid authentication credentials.")
TOO_LONG = (400, "prompt_too_long", "prompt is too long: 212408 tokens > 200000 maximum")
WRONG = (400, "request_refused", "messages.4: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_01C9.")
SURVIVED = Fault(reasons=(OVERLOADED,), is_survived=True)
LOST = Fault("failed", 429, "provider", "provider_error", THROTTLED[2], (OVERLOADED, THROTTLED))
REFUSED_KEY = Fault("failed", 401, "provider", "provider_error", EXPIRED[2], (EXPIRED,))
CUT = Fault("truncated", 200, "provider", "upstream_truncated", "The provider's answer ended before its end.", is_survived=True)
LEFT = Fault("client_left", 200, "client", "client_left", is_survived=True)
OUTAGE_DAYS_AGO, EXPIRY_DAYS_AGO = 9, 23
SATURDAY = 5
NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class Span:
    """A bad time of one provider, in epoch seconds."""

    start: float
    end: float

    def holds(self, at: float) -> bool:
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Weather:
    """When Anthropic was overloaded, and when the key for Vertex AI was not accepted."""

    outage: Span
    expiry: Span

    @classmethod
    def before(cls, now: datetime) -> "Weather":
        return cls(_span(now, OUTAGE_DAYS_AGO, 12, 4.5), _span(now, EXPIRY_DAYS_AGO, 8, 3.0))


def _span(now: datetime, days_ago: int, hour: int, hours: float) -> Span:
    """On a working day."""
    day = now - timedelta(days=days_ago)
    while day.weekday() >= SATURDAY:
        day -= timedelta(days=1)
    start = day.replace(hour=hour, minute=10, second=0, microsecond=0)
    return Span(start.timestamp(), (start + timedelta(hours=hours)).timestamp())


def befallen(call: Call, rng: Random, weather: Weather) -> Call:
    """The call as it ended."""
    fault = _fault(call, rng, weather)
    if fault is FINE:
        return call
    call.fault = fault
    if not fault.is_survived:
        call.usage, call.ran_ms, call.tools, call.stop_reason = NOTHING, 0.0, [], ""
        call.wait_ms = 0.0
    elif fault in (CUT, LEFT):
        part = rng.uniform(0.1, 0.8)
        call.usage = _cut(call.usage, part)
        call.ran_ms, call.stop_reason = call.ran_ms * part, ""
    return call


def _cut(usage: Usage, part: float) -> Usage:
    return Usage(
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        max(1, round(usage.output_tokens * part)),
    )


def _fault(call: Call, rng: Random, weather: Weather) -> Fault:
    asked_first = NAMED[call.route].served[0].provider
    luck = rng.random()
    if weather.outage.holds(call.at) and asked_first == "anthropic" and luck < 0.9:
        return LOST if luck < 0.13 else SURVIVED
    if weather.expiry.holds(call.at) and len(NAMED[call.route].served) == 1:
        return REFUSED_KEY
    return _everyday(call, rng, luck)


def _everyday(call: Call, rng: Random, luck: float) -> Fault:
    """Of any thousand calls some eighteen do not go as they were meant to."""
    has_other = len(NAMED[call.route].served) > 1
    if luck < 0.006:
        return SURVIVED if has_other else FINE
    if luck < 0.0075:
        return LOST if has_other else FINE
    if luck < 0.012:
        return LEFT if call.is_stream else FINE
    if luck < 0.0125:
        return CUT
    if luck < 0.0145 and call.key.habit == CODER:
        return _said_by_provider(TOO_LONG if rng.random() < 0.5 else WRONG)
    if luck < 0.019 and call.key.rpm_limit:
        return _limited(call)
    if luck < 0.021 and call.key.allowed:
        return _not_open(call)
    return FINE


def _said_by_provider(reason: tuple[int, str, str]) -> Fault:
    return Fault("failed", reason[0], "provider", "provider_error", reason[2], (reason,))


def _limited(call: Call) -> Fault:
    limit = call.key.rpm_limit
    text = (
        f"The rate limit of key {call.key.name} is reached: {limit} of {limit} requests per minute used. "
        "Your side. Try again in 17 s, or ask for the limit to be raised."
    )
    return Fault("refused", 429, "client", "rate_limited", text)


def _not_open(call: Call) -> Fault:
    wanted, listed = (OPUS if HAIKU in call.key.allowed else HAIKU), ", ".join(call.key.allowed)
    text = f"Model {wanted} is not open to key {call.key.name}. Your side. Choose one of: {listed}."
    call.route = wanted
    return Fault("refused", 403, "client", "model_not_allowed", text)


def network_of(call: Call) -> str:
    """An address in the network of the key's organisation."""
    last = sum(call.key.name.encode()) % 200 + 20
    return f"{house_of(call.key).network}.4.{last}"
