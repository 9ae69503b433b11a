"""Medians, spreads and ratios of what was measured."""

import statistics
from collections.abc import Iterable

# target -> figure -> one value per round
Samples = dict[str, dict[str, list[float]]]

_UNITS = {
    "cpu_us": "CPU us per call",
    "per_s": "calls per second",
    "p50_ms": "latency p50, ms",
    "p99_ms": "latency p99, ms",
    "first_p50_ms": "first token p50, ms",
    "first_p99_ms": "first token p99, ms",
    "delay_p50_ms": "chunk delay p50, ms",
    "delay_p99_ms": "chunk delay p99, ms",
    "before_mb": "memory at start, MB",
    "added_mb": "memory added, MB",
}
_CELL_TITLES = {"idle": "2,000 idle streams", "stream": "200 streams x 20/s", "latency": "1 connection, 1 KB"}
_COMPARED = (
    ("tallygate", "baseline"),
    ("plain", "baseline"),
    ("tallygate", "plain"),
    ("postgres", "baseline"),
    ("postgres", "baseline-pair"),
    ("postgres-plain", "baseline-pair"),
    ("postgres", "postgres-plain"),
    ("tallygate", "nginx"),
    ("baseline", "nginx"),
)
_ADDABLE = ("p50_ms", "p99_ms", "first_p50_ms", "first_p99_ms")


def with_added(samples: Samples) -> Samples:
    """Adds what each target adds to going direct, round by round."""
    base = samples.get("direct", {})
    result: Samples = {}
    for target, figures in samples.items():
        result[target] = dict(figures)
        for name, values in figures.items():
            if target != "direct" and name in base and name.partition(".")[2] in _ADDABLE:
                pairs = zip(values, base[name], strict=False)
                result[target][f"{name}.added"] = [value - direct for value, direct in pairs]
    return result


def title(name: str) -> str:
    cell, figure, *added = name.split(".")
    # A chunk is a "call" of the stream load: us per chunk is ms per 1,000 chunks.
    unit = "CPU ms per 1,000 chunks" if name == "stream.cpu_us" else _UNITS[figure]
    return f"{_CELL_TITLES.get(cell, f'{cell} bodies')}: {unit}{' (added)' if added else ''}"


def medians(samples: Samples) -> dict[str, dict[str, float]]:
    return {target: {name: statistics.median(values) for name, values in figures.items()} for target, figures in samples.items()}


def _ratio(middle: dict[str, dict[str, float]], name: str, target: str, base: str) -> str:
    value, other = middle.get(target, {}).get(name), middle.get(base, {}).get(name)
    return f"{value / other:.2f}x" if value is not None and other else "-"


def _cell(values: list[float] | None) -> str:
    if not values:
        return "-"
    digits = 0 if statistics.median(values) >= 100 else 2
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


def _lines(rows: list[list[str]]) -> Iterable[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def table(samples: Samples) -> str:
    """Median (min-max) for each target, then ratios of the medians."""
    if not samples:
        return "nothing was measured"
    middle = medians(samples)
    targets = list(samples)
    names = list(dict.fromkeys(name for figures in samples.values() for name in figures))
    pairs = [(one, base) for one, base in _COMPARED if {one, base} <= set(targets)]
    rows = [["", *targets, *(f"{one}/{base}" for one, base in pairs)]]
    for name in sorted(names, key=lambda name: name.partition(".")[0]):
        cells = [_cell(samples[target].get(name)) for target in targets]
        rows.append([title(name), *cells, *(_ratio(middle, name, one, base) for one, base in pairs)])
    return "\n".join(_lines(rows))
