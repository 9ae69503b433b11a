"""Pure: what the groups of an identity provider make of somebody: whether they come in, as what, and into which teams."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

# Lowest first: who is in several mapped groups gets the highest.
ROLES = ("viewer", "member", "finance", "admin")
TEAM_ROLES = ("member", "manager")
# What Entra sends by SAML in place of groups that are more than 150.
MICROSOFTS_LINK = "http://schemas.microsoft.com/claims/groups.link"
# Under this name of a person's metadata stands what groups gave them; all else was given by hand.
SSO_MARK = "sso"


class WrongMap(ValueError):
    """A map of groups that cannot be read; the text says what is wrong with it."""


class Why(StrEnum):
    """Why somebody does not come in."""

    NO_EMAIL = "no_email"
    EMAIL_UNVERIFIED = "email_unverified"
    DOMAIN = "domain"
    GROUP = "group"
    TOO_MANY_GROUPS = "too_many_groups"
    GROUPS_UNREAD = "groups_unread"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    EMAIL_OF_SEVERAL = "email_of_several"
    EMAIL_TAKEN = "email_taken"
    LAST_ADMIN = "last_admin"
    UNTRUE = "untrue"


class NotAdmitted(Exception):
    """Somebody whom the identity provider knows and we do not let in."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class Source:
    """An identity provider as an operator set it up; `kind` is oidc, saml or github. Of the last, `api` tells who is in `organisations`."""

    id: str
    name: str
    kind: str
    groups_claim: str = "groups"
    trusts_email: bool = False
    api: str = ""
    organisations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TeamGrant:
    """`team` is an id or a name."""

    group: str
    team: str
    role: str = "member"


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may sign in and what their groups give. `default_role` is for those without a mapped group; empty refuses them."""

    roles: tuple[tuple[str, str], ...] = ()
    teams: tuple[TeamGrant, ...] = ()
    domains: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    default_role: str = ""

    @property
    def decide(self) -> bool:
        """Whether they say who may come in; if not, nobody new does."""
        return bool(self.go_by_groups or self.domains)

    @property
    def go_by_groups(self) -> bool:
        return bool(self.roles or self.teams or self.groups)

    @property
    def named_groups(self) -> frozenset[str]:
        return self.groups | {group for group, _role in self.roles} | {grant.group for grant in self.teams}


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody as an identity provider tells of them. `groups` are None where it left them out because there are too many."""

    provider: str
    uid: str
    email: str = ""
    is_email_verified: bool = False
    groups: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """What somebody's groups give; `is_mapped` says that a group gave the role."""

    role: str
    is_mapped: bool
    teams: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Changes:
    """To the teams of one person, by id; `ours` are those that groups gave, afterwards."""

    add: Mapping[str, str]
    change: Mapping[str, str]
    remove: frozenset[str]
    ours: frozenset[str]


# ── settings ──────────────────────────────────────────────────────────────────
def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """`group:what,group:what`, or as JSON {"group": "what" or ["what", ...]} where names hold commas or colons."""
    if not text.lstrip().startswith("{"):
        for item in filter(None, map(str.strip, text.split(","))):
            group, _, what = item.partition(":")
            yield group.strip(), what.strip()
        return
    try:
        told = json.loads(text)
    except ValueError:
        raise WrongMap("it begins like JSON and is none") from None
    for group, what in told.items():
        for one in what if isinstance(what, list) else [what]:
            yield group, str(one).strip()


def role_map(text: str) -> tuple[tuple[str, str], ...]:
    found = []
    for group, role in _pairs(text):
        if not group or role not in ROLES:
            hint = " A manager is one of a team: use the map of teams." if role == "manager" else ""
            raise WrongMap(f"{group}:{role} is not a group and one of {', '.join(ROLES)}.{hint}")
        found.append((plain(group), role))
    return tuple(found)


def team_map(text: str) -> tuple[TeamGrant, ...]:
    found = []
    for group, what in _pairs(text):
        team, _, role = what.rpartition(":")
        if role not in TEAM_ROLES or not team:
            team, role = what, "member"
        if not group or not team:
            raise WrongMap(f"{group}:{what} is not a group and a team, such as gw-data:Data or gw-data-leads:Data:manager")
        found.append(TeamGrant(plain(group), team, role))
    return tuple(found)


def plain(group: str) -> str:
    """Keycloak writes groups as paths: /admins is the group admins."""
    return group.strip().removeprefix("/")


# ── what a provider says ──────────────────────────────────────────────────────
def groups_in(claims: Mapping[str, object], claim: str) -> frozenset[str] | None:
    """The groups under `claim`, which may be a path such as realm_access.roles; None where they were too many to be told."""
    elsewhere = claims.get("_claim_names")
    is_elsewhere = isinstance(elsewhere, dict) and claim in elsewhere
    if is_elsewhere or claims.get("hasgroups") in (True, "true") or (MICROSOFTS_LINK in claims and claim not in claims):
        return None
    value = claims[claim] if claim in claims else _under(claims, claim)
    named = value if isinstance(value, list) else [value]
    return frozenset(plain(item) for item in named if isinstance(item, str) and plain(item))


def _under(claims: Mapping[str, object], path: str) -> object:
    value: object = claims
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


# ── decisions ─────────────────────────────────────────────────────────────────
def place(rules: Rules, who: Identity) -> Place:
    """What somebody may be here, or NotAdmitted. Only the e-mail that the provider has verified speaks for them."""
    if not who.email:
        raise NotAdmitted(Why.NO_EMAIL)
    if not who.is_email_verified:
        raise NotAdmitted(Why.EMAIL_UNVERIFIED)
    if rules.domains and who.email.rpartition("@")[2].lower() not in rules.domains:
        raise NotAdmitted(Why.DOMAIN)
    if who.groups is None and rules.go_by_groups:
        raise NotAdmitted(Why.TOO_MANY_GROUPS)
    groups = who.groups or frozenset()
    if rules.groups and not rules.groups & groups:
        raise NotAdmitted(Why.GROUP)
    return _given(rules, groups)


def _given(rules: Rules, groups: frozenset[str]) -> Place:
    roles = [ROLES.index(role) for group, role in rules.roles if group in groups]
    teams: dict[str, str] = {}
    for grant in rules.teams:
        if grant.group in groups and teams.get(grant.team) != "manager":
            teams[grant.team] = grant.role
    if roles:
        return Place(ROLES[max(roles)], True, teams)
    if not rules.default_role and not teams:
        raise NotAdmitted(Why.GROUP)
    return Place(rules.default_role or "member", False, teams)


def new_role(given: Place, *, held: str, from_groups: str) -> str:
    """The role from now on: what a group gives, else what was given by hand (`held` is not `from_groups`), else the default."""
    return given.role if given.is_mapped or held == from_groups else held


def membership_changes(wanted: Mapping[str, str], held: Mapping[str, str], ours: frozenset[str]) -> Changes:
    """Makes the memberships in `ours` those that groups give now; what somebody was given by hand stays as it is."""
    add = {team: role for team, role in wanted.items() if team not in held}
    change = {team: role for team, role in wanted.items() if team in ours and team in held and held[team] != role}
    gone = frozenset(team for team in ours if team not in wanted)
    kept = frozenset(team for team in ours if team in wanted and team in held)
    return Changes(add, change, gone & frozenset(held), kept | frozenset(add))
