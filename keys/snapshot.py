"""Who may call, as the data plane sees it: frozen data without Django, looked up by the SHA-256 of the token."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

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


LimitKind = Literal["rpm", "tpm", "parallel"]
LimitScope = Literal["key", "user", "team", "model"]


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of one kind may pass: requests or tokens in any minute, or calls at once, in one scope.

    `model` is a name or a family such as claude-opus*, "" for all models. A limit that is not shared is counted by each process for itself.
    `key` names what is counted: a change of size goes on with the same count.
    """

    kind: LimitKind
    scope: LimitScope
    scope_id: str
    model: str
    size: int
    is_shared: bool = True
    key: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # the length keeps ids apart that contain colons
        name = f"{self.kind}:{self.scope}:{len(self.scope_id)}:{self.scope_id}:{self.model}"
        object.__setattr__(self, "key", name if self.is_shared else f"own:{name}")

    @classmethod
    def of(cls, scope: LimitScope, scope_id: str, sizes: Mapping[LimitKind, int | None], model: str = "") -> "tuple[Limit, ...]":
        """One for each kind that has a size; without one there is no limit."""
        return tuple(cls(kind, scope, scope_id, model, size) for kind, size in sizes.items() if size is not None)

    def covers(self, model: str) -> bool:
        return self.model == model or (self.model[-1:] == "*" and model.startswith(self.model[:-1]))


@dataclass(frozen=True, slots=True)
class RequiredHeader:
    """A header in lower case, and the hex SHA-256 of the value that opens."""

    name: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call: one token with everything that decides what it may do. Times are epoch seconds.

    `limits` hold for all models; of `model_limits` the closest to the model asked hold, so exact names come first, then longer families.
    """

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
    required_header: RequiredHeader | None = None
    is_master: bool = False
    limits: tuple[Limit, ...] = ()
    model_limits: tuple[Limit, ...] = ()

    def allows(self, model: str) -> bool:
        """Every level that lists models must list this one."""
        return all(level.allows(model) for level in self.model_lists)


@dataclass(frozen=True, slots=True)
class Directory:
    """What people and teams bring to a caller who has no key but a signed token, by id; and their ids by user name, e-mail, team's name.

    Names that several have are in none of these. E-mails are in lower case.
    """

    people: Mapping[str, Caller] = field(default_factory=dict)
    teams: Mapping[str, Caller] = field(default_factory=dict)
    usernames: Mapping[str, str] = field(default_factory=dict)
    emails: Mapping[str, str] = field(default_factory=dict)
    team_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeySnapshot:
    """All tokens. `callers` maps the hex SHA-256 of a whole token to its Caller; nobody calls for an end user of `blocked_end_users`."""

    callers: Mapping[str, Caller] = field(default_factory=dict)
    blocked_end_users: frozenset[str] = frozenset()
    directory: Directory = field(default_factory=Directory)

    def find(self, digest: str) -> Caller | None:
        return self.callers.get(digest)
