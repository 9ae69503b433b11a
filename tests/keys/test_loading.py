"""Rows → limits of a caller: what key, user and team set, the default of keys, and limits for models, the closest first."""

import hashlib
from datetime import UTC, datetime

import pytest

from keys.loading import load_keys
from keys.models import Team, User
from keys.snapshot import Caller, Limit
from tests.factories import make_key, make_team, make_user

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MASTER = "sk-master-of-all"


def loaded(token: str, default_parallel: int = 100) -> Caller:
    caller = load_keys(MASTER, NOW, default_parallel).find(hashlib.sha256(token.encode()).hexdigest())
    assert caller is not None
    return caller


@pytest.mark.django_db
def test_limits_of_key_user_and_team_are_the_callers() -> None:
    user, team = make_user(), make_team(tpm_limit=4000, parallel_limit=3)
    User.objects.filter(id=user.id).update(rpm_limit=20)
    key, token = make_key(user=user, team=team, rpm_limit=10, tpm_limit=0, parallel_limit=2)
    assert loaded(token).limits == (
        *Limit.of("key", key.id, {"rpm": 10, "tpm": 0, "parallel": 2}),
        *Limit.of("user", user.id, {"rpm": 20}),
        *Limit.of("team", team.id, {"tpm": 4000, "parallel": 3}),
    )


@pytest.mark.django_db
def test_key_without_a_parallel_limit_has_the_default_in_each_process() -> None:
    key, token = make_key(team=make_team(parallel_limit=500))
    assert loaded(token).limits[0] == Limit("parallel", "key", key.id, "", 100, is_shared=False)
    assert loaded(MASTER).limits == (Limit("parallel", "key", "master", "", 100, is_shared=False),)


@pytest.mark.django_db
def test_default_can_be_turned_off() -> None:
    _, token = make_key()
    assert loaded(token, default_parallel=0).limits == loaded(MASTER, default_parallel=0).limits == ()


@pytest.mark.django_db
def test_limits_for_models_come_closest_first() -> None:
    team = make_team()
    Team.objects.filter(id=team.id).update(model_limits={"*": {"rpm": 1}, "claude-opus-5": {"tpm": 2}})
    key, token = make_key(team=team, model_limits={"claude-*": {"rpm": 3}, "claude-opus*": {"parallel": 4}})
    assert loaded(token).model_limits == (
        Limit("tpm", "team", team.id, "claude-opus-5", 2),
        Limit("parallel", "key", key.id, "claude-opus*", 4),
        Limit("rpm", "key", key.id, "claude-*", 3),
        Limit("rpm", "team", team.id, "*", 1),
    )
