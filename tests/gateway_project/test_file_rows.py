"""Rows of clouds in the configuration file: what they become in the database, and what the data plane then sees."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings

from audit.models import AuditEvent
from audit.trail import COMMAND_LINE, Actor
from gateway_project.config_file import ConfigFile, load_config
from gateway_project.file_rows import apply_config
from gateway_project.file_summary import Summary
from gateway_project.model_list import FileDeployment
from routing.actions import Target as RouteTo
from routing.actions import create_credential, create_route
from routing.credentials import resolve_fields
from routing.loading import load_routes
from routing.models import Credential, Deployment, Origin, Route, RoutingPolicy
from tests.factories import make_deployment

pytestmark = pytest.mark.django_db(databases=list(settings.DATABASES))

FILE = Actor("config-file", name="config.yaml")
KEYS = json.dumps({"aws_access_key_id": "env:AWS_ACCESS_KEY_ID", "aws_secret_access_key": "private"})
BEDROCK = FileDeployment("claude", "bedrock", "us.anthropic.claude-x", api_key=KEYS, region="us-east-1", api="converse", rpm=60, tpm=9000)
AZURE = FileDeployment(
    "gpt",
    "azure",
    "ours",
    reference="env:AZURE_API_KEY",
    api_base="https://r.openai.azure.com",
    api_version="2024-10-21",
    base_model="gpt-5",
    stream_timeout_s=20,
)
GROQ = FileDeployment("llama", "groq", "llama-x", reference="env:GROQ_API_KEY")


def applied(*rows: FileDeployment) -> tuple[str, ...]:
    summary = apply_config(ConfigFile(Path("config.yaml"), deployments=rows), FILE)
    return (*summary.created, *summary.changed, *summary.removed)


def test_every_column_that_a_row_names_is_kept() -> None:
    applied(BEDROCK, AZURE)
    bedrock, azure = Deployment.objects.get(provider="bedrock"), Deployment.objects.get(provider="azure")
    assert (bedrock.region, bedrock.api, bedrock.rpm_limit, bedrock.tpm_limit) == ("us-east-1", "converse", 60, 9000)
    assert (azure.api_version, azure.base_model, azure.idle_timeout_s) == ("2024-10-21", "gpt-5", 20)


def test_several_values_are_one_sealed_credential_and_resolve_to_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    applied(BEDROCK)
    credential = Credential.objects.get()
    assert "private" not in credential.secret
    assert resolve_fields(credential) == {"aws_access_key_id": "AKIA", "aws_secret_access_key": "private"}
    assert "private" not in str(list(AuditEvent.objects.values_list("after", flat=True)))


def test_applying_again_changes_nothing_and_what_leaves_the_file_falls_back() -> None:
    applied(BEDROCK, AZURE)
    assert applied(BEDROCK, AZURE) == ()
    assert len(applied(replace(BEDROCK, region="", rpm=None), AZURE)) == 1
    assert Deployment.objects.get(provider="bedrock").rpm_limit is None


def test_row_without_a_key_has_no_credential() -> None:
    applied(replace(BEDROCK, api_key=""))
    assert Deployment.objects.get().credential is None


def test_data_plane_sees_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "gsk-x")
    monkeypatch.setenv("AZURE_API_KEY", "azure-x")
    applied(AZURE, GROQ)
    table = load_routes()
    azure, groq = (table.exact[name].targets[0].deployment for name in ("gpt", "llama"))
    assert (azure.provider, azure.model, azure.api_version, azure.secret, azure.problem) == ("azure", "ours", "2024-10-21", "azure-x", "")
    assert (groq.secret, groq.problem, groq.is_operators) == ("gsk-x", "", True)


POLICY = """
model_list:
  - {model_name: claude-sonnet, litellm_params: {model: anthropic/claude-sonnet-4-5-20250929, api_key: sk-x}}
  - {model_name: claude-haiku, litellm_params: {model: anthropic/claude-haiku-4-5, api_key: sk-x}}
router_settings:
  routing_strategy: least-busy
  num_retries: 1
  timeout: 90
  fallbacks: [{claude-sonnet: [claude-haiku]}]
  model_group_alias: {sonnet: claude-sonnet}
"""


def apply(folder: Path, text: str) -> Summary:
    path = folder / "config.yaml"
    path.write_text(text)
    return apply_config(load_config(path), FILE)


def test_router_settings_become_rows(tmp_path: Path) -> None:
    assert "routing policy" in apply(tmp_path, POLICY).created
    policy = RoutingPolicy.objects.get()
    assert (policy.strategy, policy.retries, policy.origin) == ("least-busy", 1, Origin.FILE)
    assert Route.objects.get(name="claude-sonnet").fallbacks == ["claude-haiku"]
    alias = Route.objects.get(name="sonnet")
    assert [target.deployment.model for target in alias.targets.all()] == ["claude-sonnet-4-5-20250929"]
    assert {row.first_byte_timeout_s for row in Deployment.objects.all()} == {90}


def test_same_router_settings_change_nothing(tmp_path: Path) -> None:
    apply(tmp_path, POLICY)
    assert apply(tmp_path, POLICY).is_empty


def test_policy_that_leaves_the_file_is_as_without_one(tmp_path: Path) -> None:
    apply(tmp_path, POLICY)
    summary = apply(tmp_path, POLICY.partition("router_settings:")[0])
    assert RoutingPolicy.objects.get().strategy == "simple-shuffle"
    assert any(line.startswith("routing policy: strategy") for line in summary.changed)


def test_policy_of_a_page_is_left_alone(tmp_path: Path) -> None:
    RoutingPolicy.objects.create(retries=7)
    assert any("routing policy" in line for line in apply(tmp_path, POLICY).left)
    assert RoutingPolicy.objects.get().retries == 7


# ── rows that the file names ──────────────────────────────────────────────────
def own_row(info: str, params: str = "") -> str:
    return f"model_list:\n  - {{model_name: m, litellm_params: {{model: demo/x{params}}}, model_info: {{{info}}}}}\n"


def test_id_in_the_file_is_the_deployments(tmp_path: Path) -> None:
    apply(tmp_path, own_row("id: our-id"))
    assert load_routes().exact["m"].targets[0].deployment.id == "our-id"
    assert apply(tmp_path, own_row("id: our-id")).is_empty


def test_row_with_an_id_stays_the_same_wherever_it_stands(tmp_path: Path) -> None:
    other = own_row("id: 7").partition("\n")[2]
    apply(tmp_path, own_row("id: our-id") + other)
    assert apply(tmp_path, own_row("id: 7") + own_row("id: our-id").partition("\n")[2]).is_empty
    assert set(Deployment.objects.values_list("pk", flat=True)) == {"our-id", "7"}


def test_second_row_of_an_id_is_left_out_and_told(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(own_row("id: our-id") + own_row("id: our-id").partition("\n")[2])
    assert load_config(tmp_path / "config.yaml").not_honoured == ("model_list[1] (its model_info.id is another row's already)",)


def test_named_row_of_a_page_becomes_the_files_with_its_route(tmp_path: Path) -> None:
    near = make_deployment("near", provider="demo", model="x")
    create_route(Route(name="m", description="ours"), [RouteTo(near)], actor=COMMAND_LINE)
    summary = apply(tmp_path, own_row("tallygate_name: near"))
    assert (summary.left, summary.created) == ((), ())
    route = Route.objects.get()
    assert (route.origin, route.description) == (Origin.FILE, "ours")
    assert Deployment.objects.get().pk == near.pk


def test_route_that_leads_elsewhere_too_stays_the_pages(tmp_path: Path) -> None:
    near, far = make_deployment("near", provider="demo", model="x"), make_deployment("far")
    create_route(Route(name="m"), [RouteTo(near), RouteTo(far, 2)], actor=COMMAND_LINE)
    assert len(apply(tmp_path, own_row("tallygate_name: near")).left) == 1
    assert Route.objects.get().targets.count() == 2


def test_rows_of_two_routes_that_say_one_name_are_one_deployment(tmp_path: Path) -> None:
    text = own_row("tallygate_name: near") + own_row("tallygate_name: near").partition("\n")[2].replace("model_name: m", "model_name: n")
    assert apply(tmp_path, text).left == ()
    assert [target.deployment.name for target in Route.objects.get(name="n").targets.all()] == ["near"]
    assert Deployment.objects.count() == 1


def test_sealed_secret_stays_while_its_stand_in_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credential = create_credential(Credential(name="ours", provider="demo"), "sk-sealed", actor=COMMAND_LINE)
    text = own_row("tallygate_credential: ours", ", api_key: os.environ/SECRET_OF_OURS")
    apply(tmp_path, text)
    credential.refresh_from_db()
    assert (resolve_fields(credential)["api_key"], credential.origin) == ("sk-sealed", Origin.FILE)
    monkeypatch.setenv("SECRET_OF_OURS", "sk-new")
    apply(tmp_path, text)
    credential.refresh_from_db()
    assert credential.secret == "env:SECRET_OF_OURS"
