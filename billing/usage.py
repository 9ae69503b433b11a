"""Usage: what a call consumed, in tokens by kind, and how Anthropic's usage objects merge into it.

`input_tokens` is uncached input; cache reads and writes stand apart; `output_tokens` includes thinking.
The merger only watches: a field that makes no sense is passed over, nothing it meets can fail a call.
"""

import msgspec

# More than any call can use; a larger figure is garbage and would swallow every budget.
MAX_COUNT = 10**9
MAX_ITERATIONS = 1000
MAX_TEXT = 200

INPUT, CACHE_READ, CACHE_WRITE, OUTPUT = "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"
WRITE_5M, WRITE_1H, THINKING = "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "thinking_tokens"
SEARCHES, FETCHES = "web_search_requests", "web_fetch_requests"
BILLED = (INPUT, CACHE_READ, CACHE_WRITE, OUTPUT)
NESTED = {"cache_creation": (WRITE_5M, WRITE_1H), "output_tokens_details": (THINKING,), "server_tool_use": (SEARCHES, FETCHES)}
_billed = frozenset(BILLED)
TEXTS = frozenset({"service_tier", "speed", "inference_geo", "model"})


class Usage(msgspec.Struct, frozen=True):
    """`iterations`, when set, are the billed parts, each at its own model; the counts of the whole are then for display."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    web_search_requests: int = 0
    web_fetch_requests: int = 0
    service_tier: str = ""
    speed: str = ""
    inference_geo: str = ""
    model: str = ""
    iterations: "tuple[Usage, ...]" = ()
    estimated: bool = False

    @property
    def prompt_tokens(self) -> int:
        """All input, cached or not: what price bands are chosen by."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens


class UsageMerger:
    """Merges message_start's usage with every message_delta's: a later value replaces an earlier one, nothing is added up."""

    __slots__ = ("_counts", "_iterations", "_texts")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._texts: dict[str, str] = {}
        self._iterations: list[object] = []

    def start(self, usage: object) -> None:
        """The usage of message_start, or of a whole message."""
        self._counts, self._texts, self._iterations = {}, {}, []
        self.delta(usage)

    def delta(self, usage: object) -> None:
        if not isinstance(usage, dict):
            return
        _read(usage, self._counts, self._texts)
        iterations = usage.get("iterations")
        if isinstance(iterations, list):
            self._iterations = iterations

    def result(self, *, estimated: bool = False) -> Usage:
        counts, texts = self._counts, self._texts
        short, long = _split(counts, counts)
        return Usage(
            counts.get(INPUT, 0),
            counts.get(CACHE_READ, 0),
            short,
            long,
            counts.get(OUTPUT, 0),
            counts.get(THINKING, 0),
            counts.get(SEARCHES, 0),
            counts.get(FETCHES, 0),
            texts.get("service_tier", ""),
            texts.get("speed", ""),
            texts.get("inference_geo", ""),
            iterations=self._parts() if self._iterations else (),
            estimated=estimated,
        )

    def _parts(self) -> tuple[Usage, ...]:
        """The iterations, of every type. Parts that come to less than the whole are not believed: then the whole is billed."""
        seen: list[tuple[dict[str, int], str]] = []
        for part in self._iterations[:MAX_ITERATIONS]:
            if isinstance(part, dict):
                counts: dict[str, int] = {}
                texts: dict[str, str] = {}
                _read(part, counts, texts)
                seen.append((counts, texts.get("model", "")))
        if any(sum(_amount(counts, name) for counts, _ in seen) < _amount(self._counts, name) for name in BILLED):
            return ()
        return tuple(self._part(counts, model) for counts, model in seen)

    def _part(self, counts: dict[str, int], model: str) -> Usage:
        short, long = _split(counts, counts if WRITE_5M in counts or WRITE_1H in counts else self._counts)
        return Usage(counts.get(INPUT, 0), counts.get(CACHE_READ, 0), short, long, counts.get(OUTPUT, 0), model=model)


def _read(usage: dict[str, object], counts: dict[str, int], texts: dict[str, str]) -> None:
    """Takes over what makes sense in one usage object, in one pass: this runs for every call."""
    for name, value in usage.items():
        if type(value) is int:
            if name in _billed and 0 <= value <= MAX_COUNT:
                counts[name] = value
        elif type(value) is str:
            if name in TEXTS:
                texts[name] = value[:MAX_TEXT]
        elif type(value) is dict and name in NESTED:
            for inner in NESTED[name]:
                told = value.get(inner)
                if type(told) is int and 0 <= told <= MAX_COUNT:
                    counts[inner] = told


def _amount(counts: dict[str, int], name: str) -> int:
    """A count; all cache writes together where only their split is told."""
    if name == CACHE_WRITE and name not in counts:
        return counts.get(WRITE_5M, 0) + counts.get(WRITE_1H, 0)
    return counts.get(name, 0)


def _split(counts: dict[str, int], ratio: dict[str, int]) -> tuple[int, int]:
    """Cache writes for five minutes and for an hour. The split stands only in the start; a later total is divided in its ratio."""
    written = _amount(counts, CACHE_WRITE)
    short, long = ratio.get(WRITE_5M, 0), ratio.get(WRITE_1H, 0)
    if not written or not long:
        return written, 0
    for_an_hour = written * long // (short + long)
    return written - for_an_hour, for_an_hour
