"""Rows → KeySnapshot: the only bridge from the ORM to the data plane for who may call."""

import hashlib
from datetime import datetime
from ipaddress import ip_network

from keys.models import VirtualKey
from keys.snapshot import Caller, KeySnapshot, ModelList

EVERYTHING = frozenset({"all-proxy-models"})
INHERIT = frozenset({"all-team-models"})


def load_keys(master_key: str, now: datetime) -> KeySnapshot:
    """Every live token. A rotated key's old token stays as its own entry until its overlap ends."""
    callers = {hashlib.sha256(master_key.encode()).hexdigest(): Caller(key_id="master", key_name="master key", is_master=True)}
    rows = VirtualKey.objects.filter(revoked_at=None).select_related("team__organisation", "user", "organisation")
    for key in rows.iterator(chunk_size=2000):
        callers[key.token_hash] = _caller(key, key.expires_at)
        if key.previous_hash and key.previous_valid_until and key.previous_valid_until > now:
            callers[key.previous_hash] = _caller(key, min(filter(None, (key.expires_at, key.previous_valid_until))))
    return KeySnapshot(callers)


def _caller(key: VirtualKey, expires_at: datetime | None) -> Caller:
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
    )


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
