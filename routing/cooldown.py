"""When a deployment is left alone for a while. A state machine without a clock: the time is always told. Pure.

Closed: calls pass. Open: calls go elsewhere first, until the cooldown has passed. Half-open: one call is the probe, and its end decides.
"""

from dataclasses import dataclass

from routing.failures import Reason
from routing.policy import Policy

MINUTE_S = 60.0
# A refused credential does not mend itself within seconds.
CREDENTIAL_S = 30.0
LONGEST_S = 3600.0


@dataclass(slots=True, eq=False)
class Circuit:
    """One deployment's. `until` is 0 while closed; the counts are of the minute that began at `since`."""

    until: float = 0.0
    reason: str = ""
    is_probed: bool = False
    since: float = 0.0
    calls: int = 0
    failures: int = 0
    in_a_row: int = 0

    def is_cooling(self, now: float) -> bool:
        """Whether calls should go elsewhere: it is open, or half-open with its one probe under way."""
        return self.until != 0.0 and (self.is_probed or now < self.until)

    def enter(self) -> bool:
        """A call begins; True when it is the probe: the first after the cooldown, or one that came in spite of it for want of others.

        Whoever was told so must end it by `succeed`, `fail` or `abandon`.
        """
        if self.until == 0.0 or self.is_probed:
            return False
        self.is_probed = True
        return True

    def succeed(self, now: float, *, is_probe: bool) -> None:
        """An answer came. Only the probe's closes the circuit: others may have begun before it opened."""
        self._count(now)
        self.in_a_row = 0
        if is_probe:
            self.until, self.reason, self.is_probed = 0.0, "", False
            self.failures = 0

    def abandon(self, *, is_probe: bool) -> None:
        """The call ended without telling anything of the deployment: the next one may be the probe."""
        if is_probe:
            self.is_probed = False

    def fail(self, now: float, reason: Reason, policy: Policy, *, is_probe: bool, retry_after_s: float | None = None) -> None:
        """A failure that speaks against the deployment; others are passed over."""
        self.abandon(is_probe=is_probe)
        if not reason.counts:
            return
        self._count(now)
        self.failures += 1
        self.in_a_row += 1
        if not policy.cooldown_s:
            self.until = 0.0
            return
        if is_probe or self._is_enough(reason, policy.allowed_fails):
            self._open(now + _length(reason, policy.cooldown_s, retry_after_s), reason)

    def examined(self, now: float, reason: Reason | None, lasts_s: float) -> None:
        """A health check's word: nothing bad closes the circuit, anything else opens it until the next check."""
        if reason is not None:
            self._open(now + lasts_s, reason)
        elif not self.is_probed:
            self.until, self.reason = 0.0, ""

    def _is_enough(self, reason: Reason, allowed: int) -> bool:
        """Limits and keys are plain at once. Else more than the allowed failures: one after the other, or half of the minute's calls.

        While it is open, failures of calls from before say nothing new.
        """
        if reason in {Reason.RATE_LIMITED, Reason.CREDENTIAL_REFUSED}:
            return True
        return self.until == 0.0 and (self.in_a_row > allowed or (self.failures > allowed and self.failures * 2 >= self.calls))

    def _open(self, until: float, reason: Reason) -> None:
        """Never shortens a cooldown: a call that began before it knows less."""
        if until > self.until:
            self.until, self.reason = until, reason.value

    def _count(self, now: float) -> None:
        if now - self.since >= MINUTE_S:
            self.since, self.calls, self.failures, self.in_a_row = now, 0, 0, 0
        self.calls += 1


def _length(reason: Reason, cooldown_s: float, retry_after_s: float | None) -> float:
    """What the provider asks for counts, within reason."""
    least = max(cooldown_s, CREDENTIAL_S) if reason is Reason.CREDENTIAL_REFUSED else cooldown_s
    return min(max(least, retry_after_s or 0.0), LONGEST_S)
