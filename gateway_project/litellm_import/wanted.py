"""What a row of LiteLLM's is to become here, as plain data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ORGANISATION, PLAN, PERSON, TEAM = "organisation", "plan", "user", "team"
MEMBER, ORGANISATION_MEMBER = "team member", "organisation member"
KEY, END_USER, TAG, MODEL, BUDGET = "key", "end user", "tag", "model", "budget"
KINDS = (ORGANISATION, PLAN, PERSON, TEAM, MEMBER, ORGANISATION_MEMBER, KEY, END_USER, TAG, MODEL, BUDGET)
HASH_SHOWN = 12

# (kind, id)
Named = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Terms:
    """One budget of a row. `resets_at` and `spent_nano` are those of the period that runs over there."""

    amount_nano: int
    period: str = ""
    is_soft: bool = False
    model: str = ""
    resets_at: datetime | None = None
    spent_nano: int = 0
    plan: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`values` are columns that are kept as they are over there; `once` only those that a new row begins with.

    `needs` are rows without which this one cannot be.
    """

    kind: str
    id: str
    name: str
    values: Mapping[str, Any]
    once: Mapping[str, Any] = field(default_factory=dict, repr=False)
    needs: tuple[Named, ...] = ()
    terms: tuple[Terms, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """Something that a person should know of one row. Never a secret: a key goes by its alias and the start of its hash."""

    kind: str
    name: str
    reason: str


@dataclass(slots=True)
class Mapped:
    """`absent` are the rows that were refused: what needs them cannot be taken either."""

    absent: set[Named] = field(default_factory=set)
    rows: dict[str, list[Wanted]] = field(default_factory=dict)
    refused: list[Told] = field(default_factory=list)
    notes: list[Told] = field(default_factory=list)

    def of(self, kind: str) -> list[Wanted]:
        return self.rows.get(kind, [])


@dataclass(slots=True)
class Names:
    """Names that only one row may have. Who comes second gets the beginning of its id behind the name."""

    owners: dict[str, str]

    @classmethod
    def taken(cls, pairs: Iterable[tuple[str, str]]) -> "Names":
        return cls({name: owner for name, owner in pairs if name})

    def claim(self, name: str, owner: str, longest: int = 200) -> str:
        mark = f" ({owner[:8]})"
        cut = name[:longest]
        free = next((text for text in (cut, cut[: longest - len(mark)] + mark) if self.owners.get(text, owner) == owner), owner[:longest])
        self.owners[free] = owner
        return free


@dataclass(slots=True)
class Taken:
    """Names that rows here have already, and the hash of the master key, which is nobody's key."""

    keys: Names
    organisations: Names
    usernames: Names
    emails: Names
    master_hash: str = ""
