"""Rows → KeySnapshot: the only bridge from the ORM to the data plane for who may call."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_network

from django.db.models import Q

from keys.models import EVERY_MODEL, EndUser, Team, User, VirtualKey
from keys.snapshot import Caller, Directory, KeySnapshot, Limit, LimitScope, ModelList, RequiredHeader

EVERYTHING = frozenset({EVERY_MODEL})
INHERIT = frozenset({"all-team-models"})
# A key without a parallel limit of its own has this one, so that what calls under way can cost is bounded.
DEFAULT_PARALLEL = 100
OWNERS = ("team__organisation", "user", "organisation")


def load_keys(master_key: str, now: datetime, default_parallel: int = DEFAULT_PARALLEL) -> KeySnapshot:
    """Every live token. A rotated key's old token stays as its own entry until its overlap ends. No default limit with 0."""
    master = Caller(key_id="master", key_name="master key", is_master=True, limits=_default("master", default_parallel))
    callers = {hashlib.sha256(master_key.encode()).hexdigest(): master}
    rows = VirtualKey.objects.filter(revoked_at=None).select_related(*OWNERS)
    for key in rows.iterator(chunk_size=2000):
        callers[key.token_hash] = _caller(key, key.expires_at, default_parallel)
        if key.previous_hash and key.previous_valid_until and key.previous_valid_until > now:
            callers[key.previous_hash] = _caller(key, _overlap_end(key), default_parallel)
    blocked = EndUser.objects.filter(is_blocked=True).values_list("pk", flat=True)
    return KeySnapshot(callers, frozenset(blocked))


def load_directory() -> Directory:
    """People and teams as the callers that a key of theirs alone would give, without what keys have by default."""
    users, teams = list(User.objects.all()), list(Team.objects.select_related("organisation"))
    return Directory(
        {user.pk: _caller(VirtualKey(user=user), None, 0) for user in users},
        {team.pk: _caller(VirtualKey(team=team), None, 0) for team in teams},
        {user.username: user.pk for user in users},
        _only_ones((user.email.lower(), user.pk) for user in users if user.email),
        _only_ones((team.name, team.pk) for team in teams),
    )


def _only_ones(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names that one row alone has: of several nobody can say which is meant."""
    found: dict[str, list[str]] = {}
    for name, pk in pairs:
        found.setdefault(name, []).append(pk)
    return {name: pks[0] for name, pks in found.items() if len(pks) == 1}


def load_caller(digest: str, now: datetime) -> Caller | None:
    """One live token's caller as it is in the database now, for addresses that have no snapshot."""
    live = Q(token_hash=digest) | Q(previous_hash=digest, previous_valid_until__gt=now)
    key = VirtualKey.objects.filter(live, revoked_at=None).select_related(*OWNERS).first()
    if key is None:
        return None
    return _caller(key, key.expires_at if key.token_hash == digest else _overlap_end(key), DEFAULT_PARALLEL)


def _overlap_end(key: VirtualKey) -> datetime | None:
    return min(filter(None, (key.expires_at, key.previous_valid_until)), default=None)


def _caller(key: VirtualKey, expires_at: datetime | None, default_parallel: int) -> Caller:
    team, user = key.team, key.user
    organisation = key.organisation or (team.organisation if team else None)
    return Caller(
        key_id=key.id,
        key_name=key.name or key.hint,
        user_id=user.id if user else "",
        user_name=str(user) if user else "",
        team_id=team.id if team else "",
        team_name=team.name if team else "",
        organisation_id=organisation.id if organisation else "",
        cost_centre=key.cost_centre or (team.cost_centre if team else ""),
        tags=tuple(dict.fromkeys([*key.tags, *(team.tags if team else [])])),
        model_lists=_model_lists(
            key.allowed_models, team.allowed_models if team else [], organisation.allowed_models if organisation else []
        ),
        blocked=_blocked(key),
        expires_at=expires_at.timestamp() if expires_at else None,
        networks=tuple(ip_network(item, strict=False) for item in key.allowed_ips),
        required_header=RequiredHeader(key.required_header.lower().encode(), key.required_header_hash) if key.required_header else None,
        limits=(
            *_limits(key, "key"),
            *(_default(key.id, default_parallel) if key.parallel_limit is None else ()),
            *(_limits(user, "user") if user else ()),
            *(_limits(team, "team") if team else ()),
        ),
        model_limits=_model_limits(key, team),
    )


def _limits(row: VirtualKey | User | Team, scope: LimitScope) -> tuple[Limit, ...]:
    """What a level sets for all models together."""
    return Limit.of(scope, row.id, {"rpm": row.rpm_limit, "tpm": row.tpm_limit, "parallel": row.parallel_limit})


def _default(key_id: str, size: int) -> tuple[Limit, ...]:
    return (Limit("parallel", "key", key_id, "", size, is_shared=False),) if size else ()


def _model_limits(key: VirtualKey, team: Team | None) -> tuple[Limit, ...]:
    """Of both levels, the closest first: exact names, then longer families before shorter ones."""
    levels: list[tuple[LimitScope, VirtualKey | Team]] = [("key", key)]
    if team:
        levels.append(("team", team))
    found = [limit for scope, row in levels for model, sizes in row.model_limits.items() for limit in Limit.of(scope, row.id, sizes, model)]
    return tuple(sorted(found, key=lambda limit: (limit.model.endswith("*"), -len(limit.model))))


def _model_lists(*levels: list[str]) -> tuple[ModelList, ...]:
    """Each level that restricts, as LiteLLM reads its lists: empty or `all-…-models` means that this level does not."""
    return tuple(ModelList.of(names) for names in levels if names and not (EVERYTHING | INHERIT) & set(names))


def _blocked(key: VirtualKey) -> str:
    if key.is_blocked:
        return f"Key {key.name or key.hint}"
    if key.user and (key.user.is_blocked or not key.user.is_active):
        return f"User {key.user}"
    if key.team and key.team.is_blocked:
        return f"Team {key.team.name}"
    organisation = key.organisation or (key.team.organisation if key.team else None)
    return f"Organisation {organisation.name}" if organisation and organisation.is_blocked else ""
