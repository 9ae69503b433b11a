"""Requests to Vertex AI and to the Gemini API: hosts, paths, what opens them, and what never enters an address."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.pricing import cost
from billing.snapshot import Price, PriceBook, Rates
from routing.dialects.base import Ask
from routing.dialects.gemini import GEMINI, GEMINI_COUNT, GEMINI_EMBED
from routing.dialects.raw_predict import RAW_COUNT, RAW_PREDICT
from routing.providers import gemini, vertex_ai
from routing.providers.base import Call, NotServed, UpstreamRequest
from routing.providers.google_access import open_google
from routing.snapshot import DeploymentSnapshot

quick = settings(derandomize=True, deadline=None, database=None)
FIELDS = {"messages": msgspec.Raw(b"[]"), "max_tokens": msgspec.Raw(b"7")}


class Key:
    """An access with a token in hand."""

    def sign(self, request: UpstreamRequest) -> None:
        request.headers.append((b"authorization", b"Bearer of-the-deployment"))

    def renew(self) -> None:
        raise AssertionError("nothing is due")


CLAUDE = DeploymentSnapshot("1", "d", "vertex_ai", "claude-opus-5-5", region="us-east5", project="acme-42", access=Key())
GEMINI_API = DeploymentSnapshot("2", "g", "gemini", "gemini-2.5-pro", secret="AIza-secret")


def call(deployment: DeploymentSnapshot = CLAUDE, operation: str = "messages", *, is_stream: bool = False, **changes: Any) -> Call:
    dialect = {"messages": RAW_PREDICT, "count_tokens": RAW_COUNT, **vertex_ai.GEMINIS, **gemini.OPENAIS}[operation]
    model = changes.pop("model", deployment.model)
    ask = Ask({**FIELDS, **changes.pop("fields", {})}, "asked", is_stream, 7, 40)
    body = dialect.write(ask, model)
    return Call(operation, deployment, dialect, ask, model, changes.pop("query", ""), changes.pop("headers", []), body, **changes)


def claude(**changes: Any) -> DeploymentSnapshot:
    return replace(CLAUDE, **changes)


def url(deployment: DeploymentSnapshot, operation: str = "messages", *, is_stream: bool = False, **changes: Any) -> str:
    return vertex_ai.build(call(deployment, operation, is_stream=is_stream, **changes)).url


@pytest.mark.parametrize(("location", "host"), [
    ("us-east5", "us-east5-aiplatform.googleapis.com"),
    ("europe-west1", "europe-west1-aiplatform.googleapis.com"),
    ("us", "aiplatform.us.rep.googleapis.com"),
    ("eu", "aiplatform.eu.rep.googleapis.com"),
    ("global", "aiplatform.googleapis.com"),
])  # fmt: skip
def test_location_is_in_the_host_and_in_the_path(location: str, host: str) -> None:
    path = f"/v1/projects/acme-42/locations/{location}/publishers/anthropic/models/claude-opus-5-5:rawPredict"
    assert url(replace(CLAUDE, region=location)) == f"https://{host}{path}"


@pytest.mark.parametrize(("operation", "is_stream", "ending"), [
    ("messages", False, "v1/projects/acme-42/locations/us-east5/publishers/anthropic/models/m@20250929:rawPredict"),
    ("messages", True, "v1/projects/acme-42/locations/us-east5/publishers/anthropic/models/m@20250929:streamRawPredict"),
    ("count_tokens", False, "v1/projects/acme-42/locations/us-east5/publishers/anthropic/models/count-tokens:rawPredict"),
    ("gemini", False, "v1beta1/projects/acme-42/locations/us-east5/publishers/google/models/m@20250929:generateContent"),
    ("gemini", True, "v1beta1/projects/acme-42/locations/us-east5/publishers/google/models/m@20250929:streamGenerateContent?alt=sse"),
    ("gemini_count", False, "v1beta1/projects/acme-42/locations/us-east5/publishers/google/models/m@20250929:countTokens"),
    ("gemini_embed", False, "v1beta1/projects/acme-42/locations/us-east5/publishers/google/models/m@20250929:embedContent"),
])  # fmt: skip
def test_operation_is_the_paths_last_word(operation: str, is_stream: bool, ending: str) -> None:
    assert url(CLAUDE, operation, is_stream=is_stream, model="m@20250929", query="beta=true&key=sk-alice").endswith(f".com/{ending}")


def test_base_url_of_the_administrator_takes_the_hosts_place() -> None:
    path = "/v1/projects/acme-42/locations/us-east5/publishers/anthropic/models/claude-opus-5-5:rawPredict"
    assert {url(replace(CLAUDE, base_url=f"https://psc.example{end}")) for end in ("", "/", "/v1", "/v1/")} == {
        f"https://psc.example{path}"
    }


EVIL = ["x#", "x/", "..", "%2e", "x?a", "x y", "X\n", "x\\y", "x:80", "x@@evil", "é", "a" * 300, "-"]


@pytest.mark.parametrize("part", EVIL)
@pytest.mark.parametrize("name", ["region", "project", "model", "api_version"])
def test_part_that_is_none_never_enters_an_address(name: str, part: str) -> None:
    """R132."""
    deployment = claude(**{name: part})
    with pytest.raises(NotServed) as caught:
        vertex_ai.build(call(deployment, model=deployment.model))
    assert "is of no form" in str(caught.value)


@pytest.mark.parametrize("name", ["region", "project", "api_version"])
def test_part_cannot_bring_a_host_of_its_own(name: str) -> None:
    """R132."""
    with pytest.raises(NotServed):
        vertex_ai.build(call(claude(**{name: "x@evil"})))


@quick
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_address_leads_to_google_whatever_its_parts_are(region: str, project: str, model: str) -> None:
    """R132, R140."""
    deployment = replace(CLAUDE, region=region, project=project)
    try:
        found = url(deployment, model=model)
    except NotServed:
        return
    assert found.startswith(f"https://{vertex_ai.host(region)}/v1/projects/{project}/locations/")
    assert found.count("/") == 12


@pytest.mark.parametrize("project", ["acme-42", "123456789012", "example.com:acme-42"])
def test_project_has_any_of_googles_forms(project: str) -> None:
    assert f"/projects/{project}/" in url(replace(CLAUDE, project=project))


@pytest.mark.parametrize("missing", ["region", "project"])
def test_what_is_not_set_is_named(missing: str) -> None:
    with pytest.raises(NotServed, match="is not set"):
        url(claude(**{missing: ""}))


def test_project_may_be_the_credentials() -> None:
    access = open_google(
        {"google_json": '{"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}'}, CLAUDE
    )
    access.project = "from-the-key"
    assert "/projects/from-the-key/" in vertex_ai.address(call(replace(CLAUDE, project="", access=access)))


def test_messages_client_is_wrapped_with_the_version_of_its_header() -> None:
    request = vertex_ai.build(call(headers=[(b"anthropic-version", b"2026-10-21")]))
    assert request.body == b'{"anthropic_version":"2026-10-21","messages":[],"max_tokens":7}'


def test_betas_of_bedrocks_wrapping_move_into_the_header() -> None:
    fields = {"anthropic_beta": msgspec.Raw(b'["a-1","b-2"]'), "anthropic_version": msgspec.Raw(b'"bedrock-2023-05-31"')}
    request = vertex_ai.build(call(fields=fields))
    assert (b"anthropic-beta", b"a-1,b-2") in request.headers
    assert request.body == b'{"anthropic_version":"vertex-2023-10-16","messages":[],"max_tokens":7}'


def authorizations(request: UpstreamRequest) -> list[bytes]:
    return [value for name, value in request.headers if name == b"authorization"]


def test_deployments_credential_wins_over_the_callers_own() -> None:
    """R136."""
    assert authorizations(vertex_ai.build(call(own_access=b"Bearer ya29.own"))) == [b"Bearer of-the-deployment"]


@pytest.mark.parametrize("access", [None, open_google({}, CLAUDE)], ids=["none", "the machine's"])
def test_callers_own_token_opens_a_deployment_without_a_credential(access: Any) -> None:
    request = vertex_ai.build(call(replace(CLAUDE, access=access), own_access=b"Bearer ya29.own"))
    assert authorizations(request) == [b"Bearer ya29.own"]


@pytest.mark.parametrize("access", [None, open_google({}, CLAUDE)], ids=["none", "no token yet"])
def test_deployment_that_nothing_opens_is_not_served(access: Any) -> None:
    with pytest.raises(NotServed):
        vertex_ai.build(call(replace(CLAUDE, access=access)))


@pytest.mark.parametrize(("model", "operation", "dialect"), [
    ("claude-opus-5-5", "messages", RAW_PREDICT),
    ("claude-opus-5-5", "count_tokens", RAW_COUNT),
    ("claude-opus-5-5", "gemini", None),
    ("gemini-2.5-pro", "gemini", GEMINI),
    ("gemini-2.5-pro", "gemini_count", GEMINI_COUNT),
    ("gemini-2.5-pro", "gemini_embed", GEMINI_EMBED),
    ("gemini-2.5-pro", "messages", None),
    ("*", "messages", RAW_PREDICT),
    ("*", "gemini", GEMINI),
    ("*", "converse", None),
])  # fmt: skip
def test_model_decides_what_a_deployment_takes(model: str, operation: str, dialect: Any) -> None:
    spoken = vertex_ai.speaks(replace(CLAUDE, model=model), operation)
    assert (spoken and spoken.name) == (dialect and dialect.name)


@pytest.mark.parametrize(("location", "version"), [("us-east5", "1+regional"), ("eu", "1+regional"), ("global", "1")])
def test_location_is_told_to_the_price(location: str, version: str) -> None:
    reader = vertex_ai.speaks(replace(CLAUDE, region=location), "messages").reader()  # type: ignore[union-attr]  # it serves Messages
    reader.see_whole(b'{"model":"claude-opus-5-5","usage":{"input_tokens":10,"output_tokens":1,"inference_geo":"not_available"}}', [])
    book = PriceBook({("vertex_ai", "claude-opus-5-5"): (Price("1", (Rates(4_000, 20_000, 0, 0, 0),)),)})
    assert cost(book, "vertex_ai", "claude-opus-5-5", reader.usage(), 0).price_version == version


def test_gemini_api_takes_its_key_in_one_header_and_no_query() -> None:
    request = gemini.build(call(GEMINI_API, "gemini", is_stream=True, query="alt=json&key=sk-alice"))
    assert request.url == "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
    assert request.headers == [(b"x-goog-api-key", b"AIza-secret")]


@pytest.mark.parametrize(("operation", "path"), [("chat", "chat/completions"), ("embeddings", "embeddings")])
def test_gemini_api_also_speaks_openais_tongue(operation: str, path: str) -> None:
    ask = Ask({"model": msgspec.Raw(b'"a"'), "messages": msgspec.Raw(b"[]")}, "a", False, 7, 40)
    request = gemini.build(Call(operation, GEMINI_API, gemini.OPENAIS[operation], ask, "gemini-2.5-pro", "", [], b"{}"))
    assert request.url == f"https://generativelanguage.googleapis.com/v1beta/openai/{path}"
    assert request.headers == [(b"authorization", b"Bearer AIza-secret")]


@pytest.mark.parametrize("changes", [{"secret": ""}, {"api_version": "../x"}, {"model": "a/../b"}])
def test_gemini_deployment_that_is_not_fit_is_not_served(changes: dict[str, str]) -> None:
    """R132."""
    with pytest.raises(NotServed):
        gemini.build(call(replace(GEMINI_API, **changes), "gemini"))  # type: ignore[arg-type]  # tests name real fields
