"""Where a call goes when its own deployments cannot serve it: which public names are tried next, each once, and not for ever. Pure."""

from collections import deque
from dataclasses import dataclass, field

from routing.failures import Reason
from routing.snapshot import RouteSnapshot

# Other names that one call may try.
MOST = 5


def names_after(route: RouteSnapshot, reason: Reason | None, default: tuple[str, ...]) -> tuple[str, ...]:
    """What a route names for this reason. A prompt that is too long or refused goes to the list for that, or nowhere; what the caller did
    wrong goes nowhere; `reason` None (no answer, or nobody to ask) and every failure go to the general list.
    """
    if reason is Reason.PROMPT_TOO_LONG:
        return route.context_window_fallbacks
    if reason is Reason.CONTENT_REFUSED:
        return route.content_policy_fallbacks
    if reason is None or reason.helps_elsewhere:
        return route.fallbacks or default
    return ()


@dataclass(slots=True, eq=False)
class Plan:
    """One call's way through other names. Starts at `name`; nothing is tried twice, however the lists point at each other."""

    name: str
    default: tuple[str, ...] = ()
    seen: set[str] = field(default_factory=set)
    waiting: deque[str] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.seen.add(self.name)

    def next(self, route: RouteSnapshot, reason: Reason | None) -> str | None:
        """The next name now that `route` has failed; what it names itself comes before what waits from earlier."""
        named = [name for name in names_after(route, reason, self.default) if name not in self.seen]
        self.waiting.extendleft(reversed(named))
        while self.waiting and len(self.seen) <= MOST:
            name = self.waiting.popleft()
            if name not in self.seen:
                self.seen.add(name)
                return name
        return None
