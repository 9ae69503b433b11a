"""A conversation stays where it is: for its own key only, for a while, and as long as the deployment is fit."""

from dataclasses import replace

import pytest

from routing import sticky as sticky_module
from routing.failures import Reason
from routing.health import Health
from routing.policy import Policy
from routing.snapshot import DeploymentSnapshot
from routing.sticky import LASTS_S, Stay, Sticky, account_of, stay_first

A = DeploymentSnapshot("a", "a", "anthropic", "claude-x", secret="sk-one")
B = DeploymentSnapshot("b", "b", "anthropic", "claude-x", secret="sk-two")
C = DeploymentSnapshot("c", "c", "bedrock", "eu.anthropic.claude-x", credential_id="cred-1")
WHO = ("key-1", "session", "claude")
NOW = 100.0


def at(deployment: DeploymentSnapshot) -> Stay:
    return Stay(deployment.id, account_of(deployment, deployment.model), NOW)


def test_conversation_is_found_again() -> None:
    sticky = Sticky()
    sticky.note(WHO, A, A.model, 0, NOW)
    stay = sticky.find(WHO, NOW + 10)
    assert stay is not None
    assert stay.deployment_id == "a"


@pytest.mark.parametrize("who", [("key-2", *WHO[1:]), (WHO[0], "other", WHO[2]), (*WHO[:2], "haiku")])
def test_other_key_session_or_model_is_another_conversation(who: tuple[str, str, str]) -> None:
    sticky = Sticky()
    sticky.note(WHO, A, A.model, 0, NOW)
    assert sticky.find(who, NOW) is None


def test_old_stay_is_no_longer_known_and_use_keeps_it() -> None:
    sticky = Sticky()
    sticky.note(WHO, A, A.model, 0, NOW)
    sticky.note(WHO, A, A.model, 0, NOW + LASTS_S)
    assert sticky.find(WHO, NOW + 2 * LASTS_S) is not None
    assert sticky.find(WHO, NOW + 2 * LASTS_S + 1) is None


def test_least_recently_used_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sticky_module, "MOST", 3)
    sticky = Sticky()
    for session in ("1", "2", "3", "1", "4"):
        sticky.note(("key", session, "claude"), A, A.model, 0, NOW)
    assert [who[1] for who in sticky.stays] == ["3", "1", "4"]


def test_move_is_remembered_with_the_turns_of_the_other_account() -> None:
    sticky = Sticky()
    sticky.note(WHO, A, A.model, 0, NOW)
    sticky.note(WHO, B, B.model, 7, NOW)
    stay = sticky.find(WHO, NOW)
    assert stay is not None
    assert (stay.deployment_id, stay.account, stay.foreign_turns) == ("b", account_of(B, B.model), 7)


def test_stay_leads_the_line_up() -> None:
    assert stay_first((A, B, C), at(C), Health(), NOW) == (C, A, B)
    assert stay_first((A, B), at(A), Health(), NOW) == (A, B)


def test_stay_at_a_deployment_that_is_gone_changes_nothing() -> None:
    assert stay_first((A, B), at(C), Health(), NOW) == (A, B)


def test_stay_gives_way_while_the_deployment_cools_down() -> None:
    health = Health()
    health.of("b").circuit.fail(NOW, Reason.RATE_LIMITED, Policy(), is_probe=False)
    assert stay_first((A, B), at(B), health, NOW) == (A, B)
    assert stay_first((A, B), at(B), health, NOW + 60) == (B, A)


def test_stay_gives_way_while_the_deployment_is_full() -> None:
    health, full = Health(), replace(B, rpm=1)
    health.of("b").begin(NOW, 0)
    assert stay_first((A, full), at(full), health, NOW) == (A, full)


def test_account_is_told_by_credential_address_and_model_not_by_region() -> None:
    elsewhere = replace(C, id="d", name="d", region="us-east-1")
    assert account_of(C, C.model) == account_of(elsewhere, "us.anthropic.claude-x")
    others = [
        replace(C, credential_id="cred-2"),
        replace(C, base_url="http://x"),
        replace(C, project="p"),
        replace(C, provider="anthropic"),
    ]
    assert all(account_of(other, C.model) != account_of(C, C.model) for other in others)
    assert account_of(C, "eu.anthropic.claude-y") != account_of(C, C.model)


def test_secrets_are_not_shown() -> None:
    assert "sk-one" not in repr(at(A))
