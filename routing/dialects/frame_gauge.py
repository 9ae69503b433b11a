"""How many bytes of a stream's events are not content, learned from its first pieces: every provider wraps them in another way."""

from dataclasses import dataclass, field

# Pieces that are looked at one by one before runs of their kind are taken as they come. Providers pad pieces at random.
LEARNED_FROM = 16
# What a piece says at the least, in bytes of text: no token comes for nothing.
LEAST_TEXT = 3
# What providers charge for the frame of a tool call that only its opening shows, as bytes of text.
CALL_TEXT = 100


@dataclass(slots=True)
class FrameGauge:
    """`frame_bytes` lie around a piece of the newest kind; kinds differ in it. `is_sure` once enough of that kind were seen."""

    frame_bytes: int = 0
    is_sure: bool = False
    _sums: dict[str, int] = field(default_factory=dict)
    _pieces: dict[str, int] = field(default_factory=dict)

    def measure(self, kind: str, event_bytes: int, text_bytes: int) -> None:
        """One piece of content: while we learn its own frame counts, later the mean of those learned."""
        frame, seen = max(0, event_bytes - max(LEAST_TEXT, text_bytes)), self._pieces.get(kind, 0)
        if seen < LEARNED_FROM:
            self._pieces[kind] = seen + 1
            self._sums[kind] = self._sums.get(kind, 0) + frame
        self.is_sure = seen + 1 >= LEARNED_FROM
        self.frame_bytes = round(self._sums[kind] / LEARNED_FROM) if self.is_sure else frame

    def measure_call(self, event_bytes: int, text_bytes: int = 0) -> None:
        """The opening of a tool call; nothing is learned of it."""
        self.frame_bytes, self.is_sure = max(0, event_bytes - CALL_TEXT - text_bytes), False
