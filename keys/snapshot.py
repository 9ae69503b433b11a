"""Who may call, as the data plane sees it: frozen data without Django, looked up by the SHA-256 of the token."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class ModelList:
    """One level's list of allowed model names; `prefix/*` and `*` match families."""

    names: frozenset[str]
    prefixes: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: list[str]) -> "ModelList":
        families = tuple(name[:-1] for name in names if name.endswith("*"))
        return cls(frozenset(name for name in names if not name.endswith("*")), families)

    def allows(self, name: str) -> bool:
        return name in self.names or any(name.startswith(prefix) for prefix in self.prefixes)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call: one token with everything that decides what it may do. Times are epoch seconds."""

    key_id: str
    key_name: str
    user_id: str = ""
    user_name: str = ""
    team_id: str = ""
    team_name: str = ""
    organisation_id: str = ""
    cost_centre: str = ""
    tags: tuple[str, ...] = ()
    model_lists: tuple[ModelList, ...] = ()
    blocked: str = ""
    expires_at: float | None = None
    networks: tuple[Network, ...] = ()
    is_master: bool = False

    def allows(self, model: str) -> bool:
        """Every level that lists models must list this one."""
        return all(level.allows(model) for level in self.model_lists)


@dataclass(frozen=True, slots=True)
class KeySnapshot:
    """All tokens. `callers` maps the hex SHA-256 of a whole token to its Caller."""

    callers: Mapping[str, Caller] = field(default_factory=dict)

    def find(self, digest: str) -> Caller | None:
        return self.callers.get(digest)
