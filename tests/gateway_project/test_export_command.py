"""`tallygate export`: what it writes is read back to the same rows, and no secret is in it."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from audit.trail import COMMAND_LINE, SYSTEM, Actor
from gateway_project.config_file import load_config
from gateway_project.file_rows import apply_config
from gateway_project.file_summary import Summary
from routing.actions import Target, create_credential, create_route
from routing.credentials import decrypt
from routing.models import Credential, Deployment, Origin, Route, RoutingPolicy
from tests.factories import make_credential, make_deployment, make_route

pytestmark = pytest.mark.django_db

FILE = Actor("config-file", name="config.yaml")
NAMES = (
    "ANTHROPIC_API_KEY ANTHROPIC_API_BASE AWS_BEDROCK_RUNTIME_ENDPOINT"
    " AWS_REGION_NAME AWS_REGION AWS_DEFAULT_REGION AWS_BEARER_TOKEN_BEDROCK AZURE_API_BASE AZURE_AI_API_BASE"
    " AZURE_API_VERSION OPENAI_API_BASE OPENAI_BASE_URL VERTEXAI_LOCATION VERTEXAI_PROJECT GOOGLE_CLOUD_PROJECT VLLM_API_KEY"
)
CONFIG = """
model_list:
  - model_name: claude-sonnet
    litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: os.environ/SOME_KEY, rpm: 60, tpm: 9000, weight: 3, timeout: 30}
  - model_name: claude-sonnet
    litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: os.environ/OTHER_KEY, order: 2, stream_timeout: 1.5}
  - model_name: claude-sonnet
    litellm_params: {model: bedrock/converse/us.anthropic.claude-sonnet-4-5-v1:0, aws_region_name: eu-west-1,
                     aws_access_key_id: os.environ/ID, aws_secret_access_key: "vault:secret/aws#key"}
  - model_name: bought
    litellm_params: {model: "bedrock/arn:aws:bedrock:us-east-1:1:provisioned-model/abc", aws_region_name: us-east-1}
    model_info: {base_model: anthropic.claude-haiku-4-5}
  - model_name: gpt
    litellm_params: {model: azure/ours, api_base: "https://r.openai.azure.com", api_version: "2024-10-21", api_key: "file:/etc/keys/azure"}
    model_info: {base_model: gpt-5}
  - model_name: gpt-own
    litellm_params: {model: openai/gpt-5, api_key: os.environ/OPENAI, organization: os.environ/ORG, weight: 0}
  - model_name: gemini
    litellm_params: {model: vertex_ai/gemini-3-pro, vertex_project: p, vertex_location: global, vertex_credentials: os.environ/GOOGLE}
  - model_name: near
    litellm_params: {model: hosted_vllm/llama, api_base: "http://llama:8000/v1"}
    model_info: {supported_endpoints: [/v1/responses]}
  - {model_name: "anthropic/*", litellm_params: {model: "anthropic/*", api_key: os.environ/SOME_KEY}}
  - {model_name: "123", litellm_params: {model: demo/on}}
router_settings:
  routing_strategy: least-busy
  num_retries: 0
  allowed_fails: 7
  disable_cooldowns: true
  default_fallbacks: ["123"]
  fallbacks: [{claude-sonnet: [gpt, gemini]}, {sonnet: []}]
  context_window_fallbacks: [{gpt: [gemini]}]
  content_policy_fallbacks: [{claude-sonnet: [gpt]}]
  model_group_alias: {sonnet: claude-sonnet, a-gpt: gpt}
"""


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES.split():
        monkeypatch.delenv(name, raising=False)


def run(*words: str) -> str:
    out = StringIO()
    call_command("export", *words, stdout=out, stderr=out)
    return out.getvalue()


def notes() -> list[str]:
    return list(json.loads(run("--json"))["notes"])


def apply(path: Path, text: str) -> Summary:
    path.write_text(text)
    return apply_config(load_config(path), FILE)


def empty() -> None:
    for model in (RoutingPolicy, Route, Deployment, Credential):
        model._default_manager.all().delete()


def rows(*left_out: str) -> dict[str, Any]:
    """All that was said, without what each row is given when it is made, and `left_out`."""
    unsaid = {"id", "origin", "created_at", "credential_id", "secret", *left_out}
    found: dict[str, Any] = {"policy": [said(row, unsaid) for row in RoutingPolicy.objects.all()]}
    for route in Route.objects.all():
        targets = route.targets.select_related("deployment__credential")
        found[route.name] = (
            said(route, unsaid),
            sorted(str((said(one.deployment, unsaid), one.order, one.weight, secret(one.deployment.credential))) for one in targets),
        )
    return found


def said(row: Any, unsaid: set[str]) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.attname not in unsaid}


def secret(credential: Credential | None) -> str:
    text = credential.secret if credential else ""
    return decrypt(text, str(credential.pk if credential else "")) if text.startswith("fernet:") else text


def test_own_export_of_a_file_changes_nothing(tmp_path: Path) -> None:
    apply(tmp_path / "config.yaml", CONFIG)
    before = rows()
    assert notes() == []
    summary = apply(tmp_path / "config.yaml", run())
    assert (summary, rows()) == (Summary(), before)


def test_empty_installation_gets_the_same_rows(tmp_path: Path) -> None:
    apply(tmp_path / "config.yaml", CONFIG)
    before, text = rows(), run()
    empty()
    assert apply(tmp_path / "config.yaml", text).left == ()
    assert rows() == before
    assert run() == text


def make_by_hand() -> None:
    key = create_credential(Credential(name="ours", provider="anthropic"), "env:ANTHROPIC_API_KEY", actor=COMMAND_LINE)
    near = make_deployment("near", provider="anthropic", model="claude-sonnet-4-5", credential=key, rpm_limit=5)
    far = make_deployment("far", provider="bedrock", model="anthropic.claude-x", region="eu-west-1", idle_timeout_s=9.5)
    for name in ("claude-sonnet", "a-second-name"):
        create_route(Route(name=name, fallbacks=["demo"]), [Target(near, 1, 4), Target(far, 2)], actor=COMMAND_LINE)
    create_route(Route(name="demo"), [Target(make_deployment("own"))], actor=COMMAND_LINE)
    RoutingPolicy.objects.create(retries=1, cooldown_s=2.5)


def test_rows_made_by_hand_come_back_as_rows_of_the_file(tmp_path: Path) -> None:
    make_by_hand()
    before, text = rows("name"), run()
    assert notes() == []
    empty()
    apply(tmp_path / "config.yaml", text)
    assert rows("name") == before
    assert set(Route.objects.values_list("origin", flat=True)) == {Origin.FILE}


def test_rows_made_by_hand_become_the_files_own_on_the_same_installation(tmp_path: Path) -> None:
    make_by_hand()
    before, text = rows(), run()
    summary = apply(tmp_path / "config.yaml", text)
    assert (summary.created, summary.removed, summary.left) == ((), (), ())
    assert all(line.endswith("origin 'page' -> 'file'") for line in summary.changed)
    assert (rows(), run()) == (before, text)
    assert set(Deployment.objects.values_list("origin", flat=True)) == {Origin.FILE}


def test_sealed_secret_is_never_written_but_named(tmp_path: Path) -> None:
    make_route("claude", make_deployment(provider="anthropic", model="claude-x", credential=make_credential()))
    values = json.dumps({"aws_access_key_id": "env:AWS_ID", "aws_secret_access_key": "canary"})
    aws = create_credential(Credential(name="aws", provider="bedrock"), values, actor=SYSTEM)
    make_route("far", make_deployment("far", provider="bedrock", model="anthropic.claude-x", region="eu-west-1", credential=aws))
    text = run()
    assert "canary" not in text
    assert "fernet" not in text
    params = [row["litellm_params"] for row in yaml.safe_load(text)["model_list"]]
    assert params[0]["api_key"] == "os.environ/SECRET_OF_ANTHROPIC_KEY"
    assert params[1]["aws_access_key_id"] == "os.environ/AWS_ID"
    assert params[1]["aws_secret_access_key"] == "os.environ/SECRET_OF_AWS_AWS_SECRET_ACCESS_KEY"
    assert "# * the secret of credential anthropic key (anthropic) is sealed here and not written: set SECRET_OF_ANTHROPIC_KEY" in text
    (tmp_path / "config.yaml").write_text(text)
    assert load_config(tmp_path / "config.yaml").not_honoured == ()


def test_two_sealed_secrets_never_share_a_name() -> None:
    for name in ("our key", "our-key"):
        make_route(name, make_deployment(name, provider="anthropic", model="claude-x", credential=make_credential(name)))
    keys = [row["litellm_params"]["api_key"] for row in yaml.safe_load(run())["model_list"]]
    assert keys == ["os.environ/SECRET_OF_OUR_KEY", "os.environ/SECRET_OF_OUR_KEY_2"]


def test_what_a_file_cannot_say_is_told() -> None:
    off, near = make_deployment("off", is_active=False), make_deployment("near", connect_timeout_s=1)
    create_route(Route(name="a", description="ours", retries=3), [Target(near), Target(off)], actor=SYSTEM)
    create_route(Route(name="b"), [Target(near, 2)], actor=SYSTEM)
    create_route(Route(name="c"), [Target(off)], actor=SYSTEM)
    Route.objects.create(name="d", is_active=False)
    make_deployment("spare")
    make_credential("spare key")
    RoutingPolicy.objects.create(is_sticky=False)
    assert notes() == [
        "route c leads to no active deployment and is left out",
        "route d is switched off and left out",
        "deployment near: connect_timeout_s cannot be said in this file",
        "deployment off of route a is switched off and left out",
        "route a: description, retries cannot be said in this file",
        "routing policy: is_sticky cannot be said in this file",
        "deployment spare is behind no route and left out",
        "credential spare key opens nothing here and is left out",
    ]


def test_what_would_be_read_otherwise_here_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    make_route("far", make_deployment("far", provider="bedrock", model="anthropic.claude-x"))
    make_route("open", make_deployment("open", provider="anthropic", model="claude-x"))
    assert notes() == [
        "far (bedrock/anthropic.claude-x) would be read differently here: region '' as 'eu-north-1'",
        "open (anthropic/claude-x) would be read differently here: reference",
    ]


def test_names_cannot_break_out_of_a_comment(tmp_path: Path) -> None:
    Deployment.objects.create(name="x\nmodel_list: []", provider="demo", model="demo-x")
    make_route("demo", make_deployment())
    assert len(yaml.safe_load(run())["model_list"]) == 1


def test_file_is_written_and_notes_are_told_beside_it(tmp_path: Path) -> None:
    make_route("demo", make_deployment())
    make_deployment("spare")
    path = tmp_path / "config.yaml"
    assert run("--output", str(path)).splitlines() == [
        f"{path}: 1 deployment. `apply -f {path} --dry-run` shows what it would change.",
        "! deployment spare is behind no route and left out",
    ]
    assert path.read_text() == run()
    assert json.loads(run("--output", str(path), "--json"))["file"] == str(path)


def test_nothing_is_exported_as_an_empty_list(tmp_path: Path) -> None:
    assert yaml.safe_load(run()) == {"model_list": []}


def test_folder_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"config.yaml cannot be written: No such file or directory\.") as caught:
        run("--output", str(tmp_path / "nowhere" / "config.yaml"))
    assert caught.value.returncode == 1
