"""What a start leaves in the database: the file's rows, the defaults, the first person."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings

from audit.models import AuditEvent
from audit.trail import SYSTEM, Actor
from gateway_project.bootstrap import FirstPerson, bootstrap, first_words, public_address
from gateway_project.config_file import ConfigFile
from gateway_project.default_rows import PROVIDERS, STAND_IN, make_defaults
from gateway_project.file_rows import apply_config
from gateway_project.model_list import FileDeployment
from keys.models import User, VirtualKey
from routing.actions import Target, change_route, create_route, delete_route
from routing.credentials import resolve
from routing.models import Credential, Deployment, Origin, Route

pytestmark = pytest.mark.django_db(databases=list(settings.DATABASES))

FILE = Actor("config-file", name="config.yaml")
PERSON = Actor("user", id="alice", name="Alice")
SONNET = FileDeployment("claude-sonnet", "anthropic", "claude-sonnet-4-5", reference="env:ANTHROPIC_API_KEY")
WITH_KEY = FileDeployment("claude-sonnet", "anthropic", "claude-sonnet-4-5", api_key="sk-ant-one")


def file_of(*rows: FileDeployment) -> ConfigFile:
    return ConfigFile(Path("config.yaml"), deployments=rows)


def targets(route: str) -> list[tuple[str, int, int]]:
    return [(row.deployment.name, row.order, row.weight) for row in Route.objects.get(name=route).targets.all()]


# ── the file's rows ───────────────────────────────────────────────────────────
def test_file_makes_credential_deployment_and_route() -> None:
    summary = apply_config(file_of(SONNET), FILE)
    deployment = Deployment.objects.get(name="claude-sonnet (anthropic/claude-sonnet-4-5)")
    assert (deployment.provider, deployment.model, deployment.origin) == ("anthropic", "claude-sonnet-4-5", Origin.FILE)
    assert deployment.credential
    assert deployment.credential.secret == "env:ANTHROPIC_API_KEY"
    assert targets("claude-sonnet") == [(deployment.name, 1, 1)]
    assert summary.created == ("credential ANTHROPIC_API_KEY (anthropic)", f"deployment {deployment.name}", "route claude-sonnet")


@pytest.mark.parametrize("row", [SONNET, WITH_KEY])
def test_applying_twice_changes_and_records_nothing(row: FileDeployment) -> None:
    apply_config(file_of(row), FILE)
    before = AuditEvent.objects.count()
    assert apply_config(file_of(row), FILE).is_empty
    assert AuditEvent.objects.count() == before


def test_key_written_in_the_file_is_encrypted() -> None:
    apply_config(file_of(WITH_KEY), FILE)
    credential = Credential.objects.get()
    assert "sk-ant-one" not in credential.secret
    assert resolve(credential) == "sk-ant-one"
    assert "sk-ant-one" not in str(list(AuditEvent.objects.values_list("after", flat=True)))


def test_new_key_in_the_file_replaces_the_old_one() -> None:
    apply_config(file_of(WITH_KEY), FILE)
    summary = apply_config(file_of(replace(WITH_KEY, api_key="sk-ant-two")), FILE)
    assert resolve(Credential.objects.get()) == "sk-ant-two"
    assert summary.changed == ("credential claude-sonnet (anthropic/claude-sonnet-4-5) key: secret",)
    assert AuditEvent.objects.filter(event="credential.changed").count() == 1


def test_two_rows_of_one_name_are_two_targets_of_one_route() -> None:
    apply_config(file_of(WITH_KEY, replace(WITH_KEY, api_key="sk-ant-two", weight=3)), FILE)
    name = "claude-sonnet (anthropic/claude-sonnet-4-5)"
    assert targets("claude-sonnet") == [(f"{name} #2", 1, 3), (name, 1, 1)]
    assert sorted(resolve(row) for row in Credential.objects.all()) == ["sk-ant-one", "sk-ant-two"]


def test_shares_become_whole_weights() -> None:
    apply_config(file_of(replace(SONNET, weight=0.9), replace(SONNET, weight=0.1)), FILE)
    assert [weight for _, _, weight in targets("claude-sonnet")] == [90, 10]


def test_changed_row_changes_its_deployment_and_route_in_place() -> None:
    apply_config(file_of(SONNET), FILE)
    before = Deployment.objects.get().pk
    summary = apply_config(file_of(replace(SONNET, timeout_s=30, order=2)), FILE)
    assert (Deployment.objects.get().pk, Deployment.objects.get().first_byte_timeout_s) == (before, 30)
    assert len(summary.changed) == 2
    assert "first_byte_timeout_s 600.0 -> 30" in summary.changed[0]
    assert "(order 1, weight 1) -> " in summary.changed[1]


def test_rows_that_left_the_file_are_removed() -> None:
    apply_config(file_of(SONNET), FILE)
    summary = apply_config(file_of(), FILE)
    assert len(summary.removed) == 3
    assert not (Route.objects.exists() or Deployment.objects.exists() or Credential.objects.exists())


def test_rows_made_in_pages_are_left_alone() -> None:
    create_route(Route(name="claude-sonnet", description="mine"), actor=PERSON)
    summary = apply_config(file_of(SONNET), FILE)
    assert Route.objects.get(name="claude-sonnet").description == "mine"
    assert targets("claude-sonnet") == []
    assert summary.left[0].startswith("route claude-sonnet was made in a page and stays as it is")


def test_deployment_that_a_page_still_uses_is_switched_off() -> None:
    apply_config(file_of(SONNET), FILE)
    deployment = Deployment.objects.get()
    create_route(Route(name="mine"), [Target(deployment)], actor=PERSON)
    apply_config(file_of(), FILE)
    deployment.refresh_from_db()
    assert not deployment.is_active
    assert apply_config(file_of(), FILE).is_empty


def test_dry_run_tells_everything_and_changes_nothing() -> None:
    summary = apply_config(file_of(SONNET), FILE, dry_run=True)
    assert len(summary.created) == 3
    assert not (Route.objects.exists() or AuditEvent.objects.exists())


def test_one_event_tells_that_the_file_was_applied() -> None:
    apply_config(file_of(SONNET), FILE)
    event = AuditEvent.objects.get(event="config.applied")
    assert (event.actor_kind, event.object_name) == ("config-file", "config.yaml")
    assert "route claude-sonnet" in event.after["created"]


# ── the defaults ──────────────────────────────────────────────────────────────
@pytest.fixture
def provider_key(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def put(value: str) -> None:
        monkeypatch.setenv("ANTHROPIC_API_KEY", value)

    for found in PROVIDERS:
        monkeypatch.delenv(found.names[-1], raising=False)
    put("")
    return put


def test_without_a_key_claude_is_answered_by_the_demo(provider_key: object) -> None:
    make_defaults(has_file_deployments=False)
    assert {row.name for row in Route.objects.all()} == {"demo-opus", "demo-sonnet", "demo-haiku", "demo-*", "claude-*"}
    assert targets("claude-*") == [("demo", 1, 1)]
    assert Route.objects.get(name="claude-*").description == STAND_IN


def test_defaults_are_made_once(provider_key: object) -> None:
    make_defaults(has_file_deployments=False)
    before = AuditEvent.objects.count()
    make_defaults(has_file_deployments=False)
    assert AuditEvent.objects.count() == before


def test_key_that_appears_later_takes_the_demos_place(provider_key: Callable[[str], None]) -> None:
    make_defaults(has_file_deployments=False)
    provider_key("sk-ant-real")
    make_defaults(has_file_deployments=False)
    assert targets("claude-*") == targets("anthropic/*") == [("anthropic", 1, 1)]
    assert Credential.objects.get().secret == "env:ANTHROPIC_API_KEY"


def test_deleted_default_stays_deleted(provider_key: object) -> None:
    make_defaults(has_file_deployments=False)
    delete_route(Route.objects.get(name="claude-*"), actor=PERSON)
    make_defaults(has_file_deployments=False)
    assert not Route.objects.filter(name="claude-*").exists()


def test_default_that_somebody_changed_is_left_alone(provider_key: Callable[[str], None]) -> None:
    make_defaults(has_file_deployments=False)
    change_route(Route.objects.get(name="claude-*"), {"is_active": False}, actor=PERSON)
    provider_key("sk-ant-real")
    make_defaults(has_file_deployments=False)
    assert targets("claude-*") == [("demo", 1, 1)]
    assert targets("anthropic/*") == [("anthropic", 1, 1)]


def test_demo_never_answers_for_claude_beside_a_file(provider_key: object) -> None:
    make_defaults(has_file_deployments=False)
    make_defaults(has_file_deployments=True)
    assert not Route.objects.filter(name="claude-*").exists()


def test_file_takes_over_a_default_that_nobody_touched(provider_key: Callable[[str], None]) -> None:
    provider_key("sk-ant-real")
    make_defaults(has_file_deployments=False)
    apply_config(file_of(replace(SONNET, route="claude-*", model="*")), FILE)
    route = Route.objects.get(name="claude-*")
    assert route.origin == Origin.FILE
    assert targets("claude-*") == [("claude-* (anthropic/*)", 1, 1)]


# ── the first person ──────────────────────────────────────────────────────────
@pytest.fixture
def introduced(monkeypatch: pytest.MonkeyPatch, provider_key: object) -> list[FirstPerson]:
    monkeypatch.setattr("gateway_project.bootstrap.login_link", lambda user: f"{settings.TALLYGATE_PUBLIC_URL}/link/{user.username}")
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)
    return []


def test_first_start_makes_an_administrator_and_a_key(introduced: list[FirstPerson]) -> None:
    assert bootstrap(introduced.append).is_first
    admin = User.objects.get()
    assert (admin.username, admin.role, admin.is_superuser, admin.has_usable_password()) == ("admin", "admin", True, False)
    assert VirtualKey.objects.get().name == "first key"
    assert introduced[0].token.startswith("sk-")


def test_second_start_introduces_nobody(introduced: list[FirstPerson]) -> None:
    bootstrap(introduced.append)
    assert not bootstrap(introduced.append).is_first
    assert len(introduced) == 1


def test_first_person_is_undone_when_the_words_could_not_be_kept(introduced: list[FirstPerson]) -> None:
    def fail(_: FirstPerson) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        bootstrap(fail)
    assert not User.objects.exists()
    assert bootstrap(introduced.append).is_first


def test_first_words_connect_claude_code(introduced: list[FirstPerson]) -> None:
    bootstrap(introduced.append)
    text = first_words(introduced[0], "http://127.0.0.1:4567")
    assert "Sign in once  http://127.0.0.1:4567/link/admin" in text
    assert f"export ANTHROPIC_AUTH_TOKEN={introduced[0].token}\n    claude" in text
    assert "export ANTHROPIC_BASE_URL=http://127.0.0.1:4567\n" in text


def test_first_words_do_not_repeat_a_master_key_that_the_operator_set(introduced: list[FirstPerson]) -> None:
    bootstrap(introduced.append)
    assert settings.TALLYGATE_MASTER_KEY not in first_words(introduced[0], "http://127.0.0.1:4567")


def test_token_of_the_first_key_is_in_no_audit_event(introduced: list[FirstPerson]) -> None:
    bootstrap(introduced.append)
    assert introduced[0].token not in str(list(AuditEvent.objects.values_list("after", "object_name")))
    assert introduced[0].token not in repr(introduced[0])
    assert set(AuditEvent.objects.values_list("actor_kind", flat=True)) == {SYSTEM.kind}


@pytest.mark.parametrize(
    ("host", "is_tls", "expected"),
    [("127.0.0.1", False, "http://127.0.0.1:4001"), ("0.0.0.0", True, "https://127.0.0.1:4001"), ("::1", False, "http://[::1]:4001")],  # noqa: S104  # shown, not bound
)
def test_address_is_where_the_process_listens(host: str, is_tls: bool, expected: str) -> None:
    assert public_address(host, 4001, is_tls=is_tls) == expected
