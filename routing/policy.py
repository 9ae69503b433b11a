"""What holds for every route that says nothing else, as the data plane sees it: frozen data without Django."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """A cooldown of 0 seconds means that nothing ever cools down."""

    allowed_fails: int = 3
    cooldown_s: float = 5
    is_sticky: bool = True
    default_fallbacks: tuple[str, ...] = ()
    has_health_checks: bool = False
    health_check_interval_s: float = 300


DEFAULT_POLICY = Policy()
