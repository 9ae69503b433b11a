"""`tallygate import litellm`: everybody's keys go on working, what was spent counts on, a second run changes nothing."""

import base64
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.models import AuditEvent, RollUp
from audit.trail import SYSTEM, first_broken
from billing.actions import BudgetTerms, change_budget, remove_budget
from billing.ledger import prove
from billing.models import Budget, BudgetPlan, LedgerEntry, Window
from gateway_project.litellm_import import sealed
from gateway_project.litellm_import.moving import write
from gateway_project.litellm_import.presence import IMPORT
from gateway_project.litellm_import.report import Report
from keys.actions import block_key, change_team, delete_key, revoke_key
from keys.loading import load_keys
from keys.models import EndUser, Membership, Organisation, Tag, Team, User, VirtualKey
from keys.secrets import hash_token
from routing.models import Deployment, Route
from tests.factories import make_key, make_team
from tests.gateway_project.litellm_rows import HASH, NOW, TOKEN, Rows, alter, everything, litellm_database, litellm_rows, source_of

pytestmark = pytest.mark.django_db
USD = 10**9
SEALED = base64.urlsafe_b64encode(bytes(range(128, 197))).decode()


def move(rows: Rows | None = None, *, is_dry: bool = False, now: datetime = NOW) -> Report:
    return write(source_of(litellm_rows() if rows is None else rows), now, is_dry=is_dry)


def with_key(**values: Any) -> Rows:
    rows = litellm_rows()
    rows["keys"][0] |= values
    return rows


def with_model(**params: Any) -> Rows:
    rows = litellm_rows()
    rows["models"][0]["litellm_params"] = params
    return rows


def budget(scope: str) -> Budget:
    return Budget.objects.get(scope=scope)


def posted(scope: str) -> int:
    return Window.objects.get(budget=budget(scope)).posted_nano


def told(report: Report) -> str:
    return json.dumps(report.as_json())


def test_peoples_keys_go_on_working_with_their_limits() -> None:
    move()
    caller = load_keys("sk-the-master-key", NOW).callers[hash_token(TOKEN)]
    assert (caller.key_name, caller.team_id, caller.user_id, caller.organisation_id) == ("laptop", "team-1", "bob", "org-1")
    assert caller.allows("claude-sonnet")
    assert not caller.allows("claude-opus")


def test_everybody_has_the_id_place_and_role_of_before() -> None:
    move()
    assert Organisation.objects.get(pk="org-1").name == "Acme"
    assert User.objects.get(pk="alice").is_superuser
    assert not User.objects.get(pk="alice").has_usable_password()
    assert dict(Membership.objects.values_list("user_id", "role")) == {"alice": "manager", "bob": "member"}
    assert EndUser.objects.get(pk="customer-7").is_blocked
    assert Tag.objects.get(pk="nightly").description == "night builds"
    assert BudgetPlan.objects.get(pk="plan-1").amount_nano == 50 * USD


def test_budgets_begin_with_what_was_spent_and_end_when_they_did() -> None:
    move()
    assert {one.scope: one.amount_nano // USD for one in Budget.objects.all()} == {
        "organisation": 50, "user": 10, "team": 100, "member": 50, "key": 20, "end_user": 50,
    }  # fmt: skip
    assert (posted("key"), posted("team"), posted("user")) == (4_200_000_000, 33_333_333_333, 2_250_000_000)
    assert Window.objects.get(budget=budget("team")).starts_at == datetime(2026, 3, 13, tzinfo=UTC)
    assert budget("organisation").plan_id == "plan-1"


def test_ledger_windows_and_rollups_still_add_up() -> None:
    move()
    assert prove() == []
    assert set(LedgerEntry.objects.values_list("kind", flat=True)) == {"adjust"}
    assert RollUp.objects.count() == 0


def test_every_row_is_in_the_audit_trail() -> None:
    move()
    assert first_broken() is None
    events = AuditEvent.objects.filter(actor_name=IMPORT.name)
    assert set(events.filter(event="key.issued").values_list("object_id", flat=True)) == {HASH}
    assert events.filter(event="budget.set").count() == 6


def test_second_run_changes_nothing_and_says_so() -> None:
    move()
    events, entries = AuditEvent.objects.count(), LedgerEntry.objects.count()
    report = move(now=NOW + timedelta(hours=1))
    assert report.changes_nothing
    assert report.counts["key"]["unchanged"] == report.counts["model"]["unchanged"] == 1
    assert (AuditEvent.objects.count(), LedgerEntry.objects.count(), report.left) == (events, entries, [])


def test_dry_run_counts_the_same_and_writes_nothing() -> None:
    dry = move(is_dry=True)
    assert (VirtualKey.objects.count(), AuditEvent.objects.count(), Deployment.objects.count()) == (0, 0, 0)
    assert dry.as_json() == move().as_json()


def test_change_over_there_is_taken_where_nobody_here_changed_anything() -> None:
    move()
    report = move(with_key(rpm_limit=99, max_budget=25.0))
    assert (report.counts["key"]["changed"], report.counts["budget"]["changed"]) == (1, 1)
    assert (VirtualKey.objects.get().rpm_limit, budget("key").amount_nano) == (99, 25 * USD)


def test_what_was_changed_here_since_is_left_alone_and_told() -> None:
    move()
    block_key(VirtualKey.objects.get(), actor=SYSTEM)
    change_team(Team.objects.get(), {"name": "Searching"}, actor=SYSTEM)
    report = move()
    assert (VirtualKey.objects.get().is_blocked, Team.objects.get().name) == (True, "Searching")
    assert [(one.kind, one.reason) for one in report.left] == [
        ("team", "was made or changed here; LiteLLM has another name"),
        ("key", "was made or changed here; LiteLLM has another is_blocked"),
    ]


def test_budget_changed_here_is_left_and_told() -> None:
    move()
    change_budget(budget("key"), BudgetTerms(7 * USD, "30d"), actor=SYSTEM)
    report = move(with_key(spend=9.0))
    assert (budget("key").amount_nano, posted("key")) == (7 * USD, 4_200_000_000)
    assert "was changed here: $7.00 here, $20.00 with LiteLLM" in told(report)


def test_what_was_removed_here_is_not_made_again() -> None:
    move()
    remove_budget(budget("team"), actor=SYSTEM)
    delete_key(VirtualKey.objects.get(), actor=SYSTEM)
    report = move()
    assert (VirtualKey.objects.count(), Budget.objects.filter(scope="team").count()) == (0, 0)
    assert [one.reason for one in report.left] == ["was removed here since", "was removed here since"]


def test_revoked_key_stays_revoked() -> None:
    move()
    revoke_key(VirtualKey.objects.get(), actor=SYSTEM)
    assert move().changes_nothing
    assert hash_token(TOKEN) not in load_keys("sk-the-master-key", NOW).callers


def test_spend_of_the_time_between_two_runs_is_added() -> None:
    now = timezone.now()
    move(with_key(budget_reset_at=None), now=now)
    report = move(with_key(budget_reset_at=None, spend=6.0), now=now + timedelta(seconds=1))
    assert (report.counts["budget"]["changed"], posted("key"), prove()) == (1, 6 * USD, [])


def test_scope_with_calls_here_begins_its_period_now() -> None:
    make_team("Search", id="team-1")
    LedgerEntry.objects.create(attempt_id="a", kind="base", request_id="r", at=NOW - timedelta(days=1), amount_nano=5, team_id="team-1")
    move()
    assert budget("team").anchored_at == NOW
    assert budget("key").anchored_at == datetime(2026, 3, 2, tzinfo=UTC)


def test_row_of_ours_with_the_same_id_is_left_and_told() -> None:
    make_team("Ours", id="team-1")
    report = move()
    assert Team.objects.get(pk="team-1").name == "Ours"
    assert "LiteLLM has another allowed_models" in told(report)


def test_secret_of_a_key_here_is_not_taken_twice() -> None:
    key, _ = make_key("ours", token=TOKEN)
    VirtualKey.objects.filter(pk=key.pk).update(id="f" * 64)
    assert "another key here has this secret" in told(move())


def test_key_whose_team_could_not_be_taken_is_refused_with_it() -> None:
    rows = litellm_rows()
    rows["organisations"][0]["organization_id"] = "x" * 65
    report = move(rows)
    assert VirtualKey.objects.count() == 0
    assert {one.kind for one in report.refused} == {"organisation", "team", "team member", "key"}


def test_key_that_litellm_has_no_more_is_told() -> None:
    move()
    report = move(litellm_rows() | {"keys": []})
    assert "LiteLLM has it no more" in told(report)
    assert VirtualKey.objects.get().revoked_at is None


def test_no_secret_is_in_the_report() -> None:
    report = move(with_model(model="openai/gpt-4o", api_key="sk-of-openai-5533"))
    text = told(report) + "\n".join(report.lines())
    assert [one for one in (TOKEN, HASH, "sk-of-openai-5533", "hidden") if one in text] == []


# ── models ────────────────────────────────────────────────────────────────────
def test_model_becomes_a_route_with_its_deployment_and_sealed_key() -> None:
    move()
    [target] = Route.objects.get(name="gpt").targets.all()
    assert (target.deployment.provider, target.deployment.model, target.weight) == ("openai", "gpt-4o", 100)
    assert target.deployment.pk == "0b7d2b16-8a7f-4ab1-9d1e-0d2f3c4b5a69"
    assert target.deployment.credential is not None
    assert "5533" not in target.deployment.credential.secret


def test_model_with_a_sealed_key_is_made_without_it_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "SecretBox", None)
    report = move(with_model(model="openai/gpt-4o", api_key=SEALED))
    assert Deployment.objects.get().model == "gpt-4o"
    assert "made without api_key, sealed with LiteLLM's salt key: it takes env:OPENAI_API_KEY now" in told(report)


def test_model_that_is_sealed_whole_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "SecretBox", None)
    report = move(with_model(model=SEALED, api_key=SEALED))
    assert Deployment.objects.count() == 0
    assert "model gpt" in "\n".join(report.lines())
    assert "sealed with LiteLLM's salt key. Set LITELLM_SALT_KEY" in told(report)


class Box:
    """Opens by the first byte of its key, as the real one would by all of it."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def decrypt(self, text: bytes) -> bytes:
        plain = {SEALED[:8]: b"openai/gpt-4o"}[base64.urlsafe_b64encode(text).decode()[:8]]
        return plain if len(self._key) == 32 else b""


def test_sealed_model_opens_where_pynacl_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "SecretBox", Box)
    monkeypatch.setenv("LITELLM_SALT_KEY", "sk-salt")
    report = move(with_model(model=SEALED, api_key="sk-of-openai-5533"))
    assert (Deployment.objects.get().model, report.counts["model"]["made"]) == ("gpt-4o", 1)


def test_model_with_a_shared_credential_takes_its_key() -> None:
    rows = with_model(model="openai/gpt-4o", litellm_credential_name="shared")
    rows["credentials"] = [{"credential_name": "shared", "credential_values": {"api_key": "sk-of-openai-5533"}}]
    report = move(rows)
    assert Deployment.objects.get().credential is not None
    assert report.refused == []


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"model": "nobody/x", "api_key": "sk-x"}, "provider nobody"),
        ({"model": "openai/local", "api_key": "sk-x", "api_base": "http://127.0.0.1:9000"}, "TALLYGATE_EGRESS_ALLOW"),
    ],
)
def test_model_that_cannot_be_taken_is_named_with_the_reason(params: dict[str, str], reason: str) -> None:
    report = move(with_model(**params))
    assert (Deployment.objects.count(), report.counts["model"]["refused"]) == (0, 1)
    assert reason in told(report)


# ── the command ───────────────────────────────────────────────────────────────
def run(*words: str) -> str:
    out = StringIO()
    call_command("import", "litellm", *words, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_file_alone_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("model_list: [{model_name: gpt, litellm_params: {model: openai/gpt-4o, api_key: sk-x}}]")
    assert "Dry run" in run(str(path), "--dry-run")
    assert not Route.objects.exists()
    assert "+ route gpt" in run(str(path))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "Give `--database-url"),
        (("--database-url", "mysql://x/y"), "--database-url starts with 'mysql'"),
        (("--database-url", "sqlite:///x.db"), "must be LiteLLM's PostgreSQL"),
        (("--database-url", "postgresql://u:hunter2@127.0.0.1:1/x"), "LiteLLM's database cannot be read"),
        (("--database-url", "postgresql://u:hunter2@127.0.0.1:port/x"), "a port that is not a number"),
    ],
)
def test_mistakes_are_told_in_one_line_without_the_password(words: tuple[str, ...], line: str) -> None:
    with pytest.raises(CommandError) as caught:
        run(*words)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.services
def test_litellms_own_database_moves_in() -> None:
    rows = litellm_rows()
    rows["teams"][0]["budget_reset_at"] = None
    with litellm_database(rows) as url:
        dry = json.loads(run("--database-url", url, "--dry-run", "--json"))
        done = json.loads(run("--database-url", url, "--json"))
        assert (dry.pop("dry_run"), done.pop("dry_run"), dry) == (True, False, done)
        assert "Nothing to change." in run("--database-url", url)
    assert VirtualKey.objects.get().pk == HASH
    assert LedgerEntry.objects.filter(budget_id=budget("team").pk).get().amount_nano == 33_333_333_333
    assert prove() == []


@pytest.mark.services
def test_tables_and_columns_of_older_versions_may_be_missing() -> None:
    with litellm_database(litellm_rows()) as url:
        alter('DROP TABLE "LiteLLM_TagTable"', 'ALTER TABLE "LiteLLM_VerificationToken" DROP COLUMN allowed_routes, DROP COLUMN created_at')
        counts = json.loads(run("--database-url", url, "--json"))["counts"]
    assert "tag" not in counts
    assert counts["key"]["made"] == 1


@pytest.mark.services
def test_database_without_litellms_tables_is_told() -> None:
    with litellm_database(litellm_rows()) as url:
        alter('DROP TABLE "LiteLLM_VerificationToken"')
        with pytest.raises(CommandError, match="has no table LiteLLM_VerificationToken"):
            run("--database-url", url)


@pytest.mark.services
def test_litellms_database_is_only_read() -> None:
    with litellm_database(litellm_rows()) as url:
        before = everything()
        run("--database-url", url)
        assert everything() == before
