"""What applying a configuration file did, one readable line per row."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Summary:
    """`left` are rows that the file could not make its own, with the reason."""

    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.created or self.changed or self.removed)


@dataclass(slots=True)
class Noted:
    """A summary under way."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def summary(self) -> Summary:
        return Summary(tuple(self.created), tuple(self.changed), tuple(self.removed), tuple(dict.fromkeys(self.left)))


def differences(before: dict[str, Any], after: dict[str, Any]) -> str:
    return ", ".join(f"{name} {before.get(name)!r} -> {after[name]!r}" for name in after if before.get(name) != after[name])
