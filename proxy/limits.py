"""Time and size limits of the data plane, in one place. Seconds and bytes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    in_flight: int = 2000  # calls of one process at once; 0 for no limit
    body_bytes: int = 32 * 1024 * 1024
    body_idle_s: float = 30
    write_stall_s: float = 60
    ping_after_s: float = 15
    # Claude Code gives up after 300 seconds without a byte.
    first_words_after_s: float = 240
    answer_bytes: int = 64 * 1024 * 1024
    drain_s: float = 600
    sweep_s: float = 0.25
