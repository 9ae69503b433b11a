"""What this process has seen of each deployment: calls under way, how fast it answers, what it took this minute, whether it cools down.

Figures are this process's own; `now` is passed in, in monotonic seconds. Pure.
"""

from dataclasses import dataclass, field

from routing.cooldown import MINUTE_S, Circuit
from routing.snapshot import DeploymentSnapshot

MOST = 10_000
# The weight of the newest answer in the running latency.
NEWEST = 0.3


@dataclass(slots=True, eq=False)
class Vitals:
    """One deployment's figures. `latency_ms` is 0 before its first answer; requests and tokens are of the minute that began at `since`."""

    in_flight: int = 0
    latency_ms: float = 0.0
    measured_at: float = 0.0
    since: float = 0.0
    requests: int = 0
    tokens: int = 0
    circuit: Circuit = field(default_factory=Circuit)

    def begin(self, now: float, tokens: int) -> bool:
        """A call is sent that may come to `tokens`; True when it is the circuit's probe."""
        self.in_flight += 1
        self._turn(now)
        self.requests += 1
        self.tokens += tokens
        return self.circuit.enter()

    def answered(self, now: float, latency_ms: float, *, is_probe: bool) -> None:
        """The head of a good answer came."""
        self.latency_ms = latency_ms if not self.latency_ms else self.latency_ms + NEWEST * (latency_ms - self.latency_ms)
        self.measured_at = now
        self.circuit.succeed(now, is_probe=is_probe)

    def end(self, now: float, more_tokens: int) -> None:
        """The call is over; `more_tokens` is what it used beyond what was told at its beginning."""
        self.in_flight -= 1
        self._turn(now)
        self.tokens = max(0, self.tokens + more_tokens)

    def has_room(self, deployment: DeploymentSnapshot, now: float) -> bool:
        """Whether the deployment's own requests and tokens a minute leave room for another call."""
        if not (deployment.rpm or deployment.tpm) or now - self.since >= MINUTE_S:
            return True
        return not ((deployment.rpm and self.requests >= deployment.rpm) or (deployment.tpm and self.tokens >= deployment.tpm))

    def used_share(self, deployment: DeploymentSnapshot, now: float) -> float:
        """How much of the tighter of its two capacities is used this minute; 0 where it has none."""
        if now - self.since >= MINUTE_S:
            return 0.0
        by_requests = self.requests / deployment.rpm if deployment.rpm else 0.0
        return max(by_requests, self.tokens / deployment.tpm) if deployment.tpm else by_requests

    def used_tokens(self, now: float) -> int:
        return self.tokens if now - self.since < MINUTE_S else 0

    def _turn(self, now: float) -> None:
        if now - self.since >= MINUTE_S:
            self.since, self.requests, self.tokens = now, 0, 0


UNSEEN = Vitals()


@dataclass(slots=True, eq=False)
class Health:
    """The figures of all deployments by id. Those that were deleted are forgotten once there are many."""

    vitals: dict[str, Vitals] = field(default_factory=dict)

    def of(self, deployment_id: str) -> Vitals:
        found = self.vitals.get(deployment_id)
        if found is None:
            if len(self.vitals) >= MOST:
                self.vitals = {key: one for key, one in self.vitals.items() if one.in_flight}
            found = self.vitals[deployment_id] = Vitals()
        return found

    def is_cooling(self, deployment_id: str, now: float) -> bool:
        found = self.vitals.get(deployment_id)
        return found is not None and found.circuit.is_cooling(now)
