"""Exchange: one call from its first header to its last ledger line. Owns the caller, the attempts, the usage; always closed, exactly once.

Closing is synchronous (one journal line, the purses), so nothing that cancels a handler can stop it.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from audit.requests import AttemptNote
from billing.estimate import HoldRates, input_tokens_guess
from billing.holds import Hold
from billing.limits import Applying
from billing.pricing import Cost, cost
from billing.rates import Slot
from billing.usage import Usage
from keys.snapshot import Caller
from proxy import vital_signs
from proxy.client import Client
from proxy.endpoints import Endpoint
from proxy.errors import CallError, GatewayError
from proxy.meter import Meter
from proxy.plane import Plane
from proxy.rates import tokens_of
from proxy.record import Charge, entry, opened
from proxy.snapshot import Snapshot
from routing.dialects.base import CONVERSATION, NOTHING, Ask, Dialect, Filter, PathAsk
from routing.dialects.messages import MESSAGES
from routing.failures import Reason
from routing.health import Vitals
from routing.providers.base import Provider
from routing.snapshot import DeploymentSnapshot, RouteSnapshot
from routing.sticky import Stay, Who
from routing.translation import Answer

if TYPE_CHECKING:
    from proxy.mocks import Mocks

NOBODY = Caller(key_id="", key_name="")


@dataclass(slots=True)
class Attempt:
    """One try at one deployment. `was_sent` from the moment its request may have reached the provider, `lost_sight` when that may have
    made more than we saw.

    `spoken` is the dialect that the deployment is addressed in; `turn` turns its answer into the caller's, `filter` takes out of it what
    only we asked for.

    `vitals` are its deployment's as long as it is under way; `reason` is why the provider refused it; what other accounts thought in the
    conversation's first `foreign_turns` turns was kept from it.

    `grant` is how many tokens of output it may make as yet, `hold` the money for it, `asked` the request for more; at `enough` bytes they
    are looked at again.
    """

    note: AttemptNote
    deployment: DeploymentSnapshot
    provider: Provider
    model: str
    meter: Meter
    spoken: Dialect = MESSAGES
    turn: Answer | None = None
    filter: Filter | None = None
    was_sent: bool = False
    is_free: bool = False
    grant: int = 0
    rates: HoldRates | None = None
    hold: Hold | None = None
    is_strict: bool = False
    is_tuned: bool = False
    lost_sight: bool = False
    asked: "asyncio.Task[bool] | None" = None
    enough: float = -1.0
    vitals: Vitals | None = None
    is_probe: bool = False
    counted_tokens: int = 0
    reason: Reason | None = None
    retry_after_s: float | None = None
    foreign_turns: int = 0
    charge: tuple[Usage, Cost] | None = None

    @property
    def priced_model(self) -> str:
        """The name that its price stands under."""
        return self.deployment.base_model or self.model

    @property
    def at_boundary(self) -> bool:
        """Whether what the caller has got ends with a whole event. What is turned round is passed on in whole events."""
        return self.meter.at_boundary or (self.turn is not None and not self.meter.is_coded)


def new_request_id() -> str:
    """`req_` and 28 hex digits that sort by time."""
    return f"req_{time.time_ns() // 1_000_000:012x}{random.getrandbits(64):016x}"


@dataclass(slots=True, eq=False)
class Exchange:
    """State of one call. Deadlines are looked at by the plane's sweeper, so a wait costs two assignments and no timer."""

    plane: Plane
    endpoint: Endpoint
    client: Client
    client_ip: str
    dialect: Dialect = field(init=False)
    request_id: str = field(default_factory=new_request_id)
    received_at: float = field(init=False)
    started: float = field(default_factory=time.perf_counter)
    snapshot: Snapshot = field(init=False)
    task: "asyncio.Task[object] | None" = field(init=False)
    caller: Caller = NOBODY
    path_ask: PathAsk = NOTHING
    mocks: "Mocks | None" = None
    own_access: bytes = b""
    ask: Ask | None = None
    route: RouteSnapshot | None = None
    request_bytes: int = 0
    slot: Slot | None = None
    applying: tuple[Applying, ...] = ()
    clamped_to: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    who: Who | None = None
    stay: Stay | None = None
    other_names: int = 0
    status: int = 0
    outcome: str = ""
    error: CallError | None = None
    error_source: str = ""
    error_code: str = ""
    error_message: str = ""
    first_byte: float | None = None
    waited_s: float = 0.0
    deadline: float = 0.0
    deadline_error: CallError | None = None
    ping_at: float = 0.0
    stopped: CallError | None = None
    _is_closed: bool = False

    def __post_init__(self) -> None:
        self.received_at = time.time() + self.plane.bank.clock_offset_s
        self.snapshot = self.plane.snapshot
        self.dialect = self.endpoint.dialect
        self.task = asyncio.current_task()
        self.plane.live.add(self)

    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self.started) * 1000

    def stop(self, error: CallError) -> None:
        """Ends whatever the walk waits for; it then raises `error`."""
        if self.stopped is None and self.task is not None:
            self.stopped = error
            self.task.cancel()

    def client_left(self) -> None:
        """The caller is gone: cancel what stops the bill when cancelled, else read on to the end for exact figures."""
        if self._is_closed:
            return
        self.note_leaving()
        current = self.attempts[-1] if self.attempts else None
        if current is None or current.provider.cancel_stops_billing or not current.was_sent:
            self.stop(GatewayError(499, "client_left", "The caller closed the connection."))
        else:
            self.deadline = time.monotonic() + self.plane.limits.drain_s
            self.deadline_error = GatewayError(499, "client_left", "The caller closed the connection.")

    @property
    def has_whole_answer(self) -> bool:
        """The provider's answer has passed to its own end, though the connection may not know it yet."""
        return self.client.has_started and bool(self.attempts) and self.attempts[-1].meter.has_ended

    @property
    def is_providers_fault(self) -> bool:
        return (self.error.source if self.error else self.error_source) == "provider"

    def note_leaving(self) -> None:
        """A caller that leaves with the whole answer in hand has not been let down."""
        if self.outcome:
            return
        self.outcome = "ok" if self.has_whole_answer else "client_left"
        if self.outcome == "client_left":
            self.error_source, self.error_code = "client", "client_left"

    def open_attempt(self, attempt: Attempt) -> None:
        """Has the attempt put on record, at its estimated cost: `Upstream.send` sees to it that this is done before a byte leaves."""
        self.attempts.append(attempt)
        attempt.is_free = not self.endpoint.is_billed
        if not attempt.is_free:
            self.plane.journal.open(attempt.note.id, opened(self, attempt))

    def let_go(self, attempt: Attempt) -> None:
        """The attempt has ended and costs nothing: its money is there for others, and should we die before the call ends, it stays free."""
        if not attempt.is_free and self._used(attempt) is None:
            attempt.is_free = True
            if attempt.hold is not None:
                attempt.hold.release()
            self.plane.journal.free(attempt.note.id)

    def forget_conversation(self) -> None:
        """Nobody else is asked once an answer has begun: a stream of many minutes need not keep megabytes of what was said to it.

        What else it asked for is copied, for each field is a view of the body and would keep all of it.
        """
        if self.ask is not None:
            self.ask.fields = {name: raw.copy() for name, raw in self.ask.fields.items() if name not in CONVERSATION}

    @property
    def windows(self) -> list[tuple[int, float]]:
        """The budget windows that the call counts in."""
        return [one.key for one in self.applying]

    def guess(self, output_tokens: int) -> Usage:
        """An estimate from the size of the request, where nobody told us the usage."""
        return Usage(input_tokens=input_tokens_guess(self.request_bytes), output_tokens=output_tokens, estimated=True)

    def price(self, attempt: Attempt, usage: Usage) -> Cost:
        return cost(self.snapshot.prices, attempt.provider.name, attempt.priced_model, usage, self.received_at)

    def close(self) -> None:
        """Settles: the usage seen becomes cost, money out of purses and one journal line. Nobody's calls leave no record."""
        if self._is_closed:
            return
        self._is_closed = True
        self.plane.live.discard(self)
        if self.caller is NOBODY:
            return
        self._end_last_note()
        charges: list[Charge] = []
        # the purses first: a journal that cannot be written must not make calls free
        for attempt in self.attempts:
            if attempt.asked is not None:
                attempt.asked.cancel()
            charge = self.charge_of(attempt)
            vital_signs.end(self, attempt, tokens_of(charge[0]) if charge is not None else 0)
            if charge is not None:
                charges.append((attempt, *charge))
                if attempt.hold is not None:
                    attempt.hold.settle(charge[1].amount_nano)
            elif attempt.hold is not None:
                attempt.hold.release()
        if self.slot is not None:
            self._leave(self.slot, charges)
        self.plane.journal.close(self.request_id, entry(self, charges))

    def charge_of(self, attempt: Attempt) -> tuple[Usage, Cost] | None:
        """What an attempt used and costs, reckoned once; None when it costs nothing. Asked for when nothing can change it any more."""
        if attempt.charge is None and (used := self._used(attempt)) is not None:
            attempt.charge = used, self.price(attempt, used)
        return attempt.charge

    def _leave(self, slot: Slot, charges: list[Charge]) -> None:
        """A call that was refused after all counts under no rate limit."""
        if not self.attempts:
            slot.undo()
            return
        slot.settle(sum(tokens_of(used) for _, used, _ in charges), time.monotonic())
        slot.leave()

    def _end_last_note(self) -> None:
        note = self.attempts[-1].note if self.attempts else None
        if note is not None and not note.outcome:
            note.outcome = self.outcome or "failed"
            note.duration_ms = self.elapsed_ms() - note.started_ms

    def _used(self, attempt: Attempt) -> Usage | None:
        """What an attempt used; None when the provider cannot have charged for it."""
        if attempt.is_free or not attempt.was_sent or attempt.note.status >= 400:
            return None
        meter, most = attempt.meter, max(1, self.ask.max_tokens if self.ask else 0)
        # What a provider made after we lost sight of it, nobody can tell: then the estimate of the opening stands.
        lost_sight = attempt.lost_sight or not attempt.provider.cancel_stops_billing
        least = min(most, attempt.grant) if lost_sight and not meter.has_ended else 0
        if not meter.has_started:
            return self.guess(max(min(meter.output_guess, most), least))
        usage = meter.usage()
        if not usage.estimated:
            return usage
        input_tokens = usage.input_tokens if usage.prompt_tokens else self.guess(0).input_tokens
        return msgspec.structs.replace(usage, input_tokens=input_tokens, output_tokens=max(min(usage.output_tokens, most), least))
