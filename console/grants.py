"""Nobody gives what they lack: what a key or team may do, and whether one goes beyond another. The master key hands on everything."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from ipaddress import ip_network

from billing.models import Budget
from billing.scopes import member_id
from console.asker import Asker, Overreach
from console.use_cases import budgets_of
from keys.actions import KeySpec
from keys.loading import EVERYTHING, INHERIT
from keys.models import Membership, Organisation, Team, User, VirtualKey
from keys.snapshot import ModelList, Network

OWN = "the key that asks"
KINDS = {"rpm": "rpm_limit", "tpm": "tpm_limit", "parallel": "parallel_limit"}
# What of a grant goes too far → how the refusal calls it.
WORDS = {
    "models": "more models", "expires_at": "a longer life", "doors": "more networks", "limits": "higher limits",
    "budgets": "a higher budget",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Doors:
    """From where: networks, or a header with the secret of which this is the hash. Nothing of both: from anywhere."""

    networks: tuple[Network, ...] = ()
    header: tuple[str, str] = ("", "")

    def within(self, other: "Doors") -> bool:
        if not other.networks and not other.header[0]:
            return True
        inside = all(any(_is_part(mine, theirs) for theirs in other.networks) for mine in self.networks)
        same_header = self.header in (("", ""), other.header)
        return bool(self.networks or self.header[0]) and inside and same_header


@dataclass(frozen=True, slots=True)
class Grant:
    """`limits` by (kind, model), `budgets` as (nano-USD, period) by model, "" for all models. What is not there is not limited."""

    models: tuple[ModelList, ...] = ()
    expires_at: datetime | None = None
    doors: Doors = Doors()
    limits: tuple[tuple[tuple[str, str], int], ...] = ()
    budgets: tuple[tuple[str, tuple[int, str]], ...] = ()

    def beyond(self, other: "Grant") -> frozenset[str]:
        """In which fields this goes further than the other."""
        mine = dict(self.limits)
        lives = other.expires_at is None or (self.expires_at is not None and self.expires_at <= other.expires_at)
        within = {
            "models": all(any(_covers(level, names) for names in self.models) for level in other.models),
            "expires_at": lives,
            "doors": self.doors.within(other.doors),
            "limits": all(name in mine and mine[name] <= size for name, size in other.limits),
            "budgets": all(_fits(dict(self.budgets).get(model), theirs) for model, theirs in other.budgets),
        }
        return frozenset(name for name, fits in within.items() if not fits)

    def differing(self, other: "Grant") -> frozenset[str]:
        return frozenset(item.name for item in fields(self) if getattr(self, item.name) != getattr(other, item.name))


# ── what rows grant ───────────────────────────────────────────────────────────
def grant_of_key(key: VirtualKey) -> Grant:
    team = key.team
    organisation = key.organisation or (team.organisation if team else None)
    return Grant(
        models=_levels(key, team, organisation),
        expires_at=key.expires_at,
        doors=Doors(tuple(ip_network(item, strict=False) for item in key.allowed_ips), (key.required_header, key.required_header_hash)),
        limits=_limits(key),
        budgets=_budgets(Budget.Scope.KEY, key.pk),
    )


def grant_of_team(team: Team) -> Grant:
    return Grant(models=_levels(team, team.organisation), limits=_limits(team), budgets=_budgets(Budget.Scope.TEAM, team.pk))


def grant_of_member(membership: Membership) -> Grant:
    return Grant(budgets=_budgets(Budget.Scope.MEMBER, member_id(membership.team_id, membership.user_id)))


def is_above(grant: Grant, team: Grant) -> bool:
    """By the amount alone: whatever its periods are, no key or member spends more than the team."""
    highest = {model: amount for model, (amount, _) in team.budgets}
    return any(amount > highest.get(model, amount) for model, (amount, _) in grant.budgets)


def own_grant(by: Asker) -> Grant:
    """Of the key that asks; a secret that was rotated away lives only as long as its overlap."""
    if by.caller is None:
        return Grant()
    key = VirtualKey.objects.select_related("team__organisation", "organisation").get(pk=by.caller.key_id)
    own = grant_of_key(key)
    until = by.caller.expires_at
    return own if until is None else replace(own, expires_at=datetime.fromtimestamp(until, key.created_at.tzinfo))


# ── refusing ──────────────────────────────────────────────────────────────────
def refuse(beyond: frozenset[str], whose: str) -> None:
    if beyond:
        words = " and ".join(word for name, word in WORDS.items() if name in beyond)
        raise Overreach(f"{whose} is limited, so nobody is given {words} by it.")


def check_key(by: Asker, spec: KeySpec) -> None:
    """A new key does no more, and lives no longer, than the one that asks for it."""
    refuse(grant_of_key(VirtualKey(**spec.values())).beyond(own_grant(by)), OWN)


def check_role(by: Asker, role: str) -> None:
    if role == User.Role.ADMIN:
        refuse(Grant().beyond(own_grant(by)), OWN)


def covers_names(allowed: list[str], names: list[str]) -> bool:
    """Whether a list of models restricts no less than another; lists that do not restrict fit below any."""
    levels = _lists([allowed])
    return all(_covers(level, wanted) for level in levels for wanted in _lists([names]))


def _levels(*rows: VirtualKey | Team | Organisation | None) -> tuple[ModelList, ...]:
    return _lists([row.allowed_models for row in rows if row])


def _lists(levels: list[list[str]]) -> tuple[ModelList, ...]:
    return tuple(ModelList.of(names) for names in levels if names and not (EVERYTHING | INHERIT) & set(names))


def _limits(row: VirtualKey | Team) -> tuple[tuple[tuple[str, str], int], ...]:
    found = {(kind, ""): getattr(row, column) for kind, column in KINDS.items()}
    found |= {(kind, model): size for model, sizes in row.model_limits.items() for kind, size in sizes.items()}
    return tuple(sorted((name, size) for name, size in found.items() if size is not None))


def _budgets(scope: str, scope_id: str) -> tuple[tuple[str, tuple[int, str]], ...]:
    refusing = budgets_of(scope, scope_id).exclude(mode=Budget.Mode.SOFT)
    return tuple((budget.model, (budget.amount_nano, budget.period)) for budget in reversed(refusing))


def _covers(level: ModelList, names: ModelList) -> bool:
    return all(level.allows(name) for name in names.names) and all(level.allows(f"{prefix}*") for prefix in names.prefixes)


def _fits(mine: tuple[int, str] | None, theirs: tuple[int, str]) -> bool:
    """The same amount in another period may be more, unless it is once and for all."""
    return mine is not None and mine[0] <= theirs[0] and mine[1] in ("", theirs[1])


def _is_part(mine: Network, theirs: Network) -> bool:
    first, last = mine.network_address, mine.broadcast_address
    return mine.version == theirs.version and first in theirs and last in theirs
