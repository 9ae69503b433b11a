"""What an import did, or would do: counts by kind, and a line for everything that a person should know of."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway_project.litellm_import.wanted import KINDS, Told
from gateway_project.tables import Table, clean

LINES_SHOWN = 20
COLUMNS = ("made", "changed", "unchanged", "left", "refused")
HEADINGS = {
    "left": "Left as they are here:",
    "refused": "Cannot be taken:",
    "notes": "To know:",
}


@dataclass(slots=True)
class Report:
    """`counts[kind]` has the words of COLUMNS."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    left: list[Told] = field(default_factory=list)
    refused: list[Told] = field(default_factory=list)
    notes: list[Told] = field(default_factory=list)

    def count(self, kind: str, word: str, number: int = 1) -> None:
        self.counts.setdefault(kind, Counter())[word] += number

    def leave(self, kind: str, name: str, reason: str) -> None:
        self.count(kind, "left")
        self.left.append(Told(kind, name, reason))

    def refuse(self, kind: str, name: str, reason: str) -> None:
        self.count(kind, "refused")
        self.refused.append(Told(kind, name, reason))

    def note(self, kind: str, name: str, reason: str) -> None:
        self.notes.append(Told(kind, name, reason))

    @property
    def changes_nothing(self) -> bool:
        return not any(counts[word] for counts in self.counts.values() for word in ("made", "changed"))

    def table(self) -> Table:
        rows = [(kind, *(f"{self.counts[kind][word]:,}" for word in COLUMNS)) for kind in KINDS if kind in self.counts]
        return Table(("", *COLUMNS), rows, COLUMNS)

    def lines(self) -> Iterator[str]:
        for name, heading in HEADINGS.items():
            told: Sequence[Told] = getattr(self, name)
            if told:
                yield heading
                yield from (f"  {one.kind} {clean(one.name)}: {clean(one.reason)}" for one in told[:LINES_SHOWN])
            if len(told) > LINES_SHOWN:
                yield f"  … and {len(told) - LINES_SHOWN:,} more; --json has them all"

    def as_json(self) -> dict[str, Any]:
        counts = {kind: {word: self.counts[kind][word] for word in COLUMNS} for kind in KINDS if kind in self.counts}
        return {"counts": counts} | {name: [asdict(one) for one in getattr(self, name)] for name in HEADINGS}
