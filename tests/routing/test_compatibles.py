"""Every line of the table builds a right request; what is wrong with a line is told by its name."""

import re
from urllib.parse import urlsplit

import pytest

from billing.catalogue import GENAI_PROVIDERS
from routing.dialects.base import Ask
from routing.dialects.chat import CHAT, CHAT_UNASKED
from routing.dialects.messages import MESSAGES
from routing.egress import url_problem
from routing.providers.base import Call, NotServed, UpstreamRequest
from routing.providers.compatibles import BY_NAME, COMPATIBLES, Compatible
from routing.providers.openai import PATHS
from routing.providers.openai_compatible import PROVIDERS
from routing.snapshot import DeploymentSnapshot

BY_PROVIDER = {provider.name: provider for provider in PROVIDERS}
OWN = "http://127.0.0.1:9999"
EVERY = pytest.mark.parametrize("row", COMPATIBLES, ids=lambda row: row.name)


def built(row: Compatible, operation: str = "chat", base: str = "", key: str = "sk-private", api: str = "") -> UpstreamRequest:
    to = DeploymentSnapshot("1", "d", row.name, "m", base_url=base, secret=key, api=api)
    provider = BY_PROVIDER[row.name]
    dialect = provider.speaks(to, operation)
    assert dialect is not None
    return provider.build(Call(operation, to, dialect, Ask({}, "m", False, 0, 2), "m", "", [], b"{}"))


def test_a_hundred_names_and_none_twice() -> None:
    assert len(COMPATIBLES) >= 100
    assert len(BY_NAME) == len(BY_PROVIDER) == len(COMPATIBLES)
    assert [row.name for row in COMPATIBLES] == sorted(BY_NAME)


@EVERY
def test_line_is_well_formed(row: Compatible) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]{1,39}", row.name)
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", name) for name in [*row.keys.split(), *row.base_name.split()])
    assert row.keys
    assert row.base == "/" or not row.base.endswith("/")
    assert row.base.startswith(("https://", "/", "http://localhost:", "http://127.0.0.1:"))
    assert row.messages is None or re.fullmatch(r"(/[a-z-]+)*", row.messages)


@EVERY
def test_line_builds_a_request_to_an_address_that_may_be(row: Compatible) -> None:
    base = "" if "://" in row.base else OWN
    request = built(row, base=base)
    parts = urlsplit(request.url)
    assert not url_problem(request.url, is_operators=True)
    assert "//" not in parts.path
    assert request.url == (row.base if not base else OWN + row.base.rstrip("/")) + "/chat/completions"
    expected = (row.header.encode(), b"sk-private") if row.header else (b"authorization", b"Bearer sk-private")
    assert request.headers == [expected]


@EVERY
def test_line_takes_the_administrators_address_with_and_without_its_path(row: Compatible) -> None:
    path = urlsplit(row.base).path.rstrip("/")
    expected = f"{OWN}{path}/embeddings"
    assert built(row, "embeddings", OWN).url == built(row, "embeddings", f"{OWN}{path}/").url == expected
    assert built(row, "completions", f"{OWN}/proxy/v9").url == f"{OWN}/proxy/v9/completions"


@EVERY
def test_line_speaks_what_it_says(row: Compatible) -> None:
    to, asked = DeploymentSnapshot("1", "d", row.name, "m"), DeploymentSnapshot("1", "d", row.name, "m", api="responses")
    speaks = BY_PROVIDER[row.name].speaks
    assert speaks(to, "chat") is (CHAT_UNASKED if row.tells_usage_unasked else CHAT)
    assert (speaks(to, "responses") is not None) is row.has_responses
    assert speaks(asked, "responses") is not None
    assert speaks(to, "messages") is (None if row.messages is None else MESSAGES)
    assert speaks(to, "converse") is None


@pytest.mark.parametrize("row", [row for row in COMPATIBLES if row.messages is not None], ids=lambda row: row.name)
def test_messages_go_to_anthropics_path_on_the_same_host(row: Compatible) -> None:
    request = built(row, "messages", OWN)
    assert request.url == f"{OWN}{row.messages}/v1/messages"
    assert request.headers == [(b"anthropic-version", b"2023-06-01"), (b"authorization", b"Bearer sk-private")]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("deepseek", "https://api.deepseek.com/anthropic/v1/messages"),
        ("zai", "https://api.z.ai/api/anthropic/v1/messages"),
        ("openrouter", "https://openrouter.ai/api/v1/messages"),
        ("ollama", "http://localhost:11434/v1/messages"),
    ],
)
def test_known_addresses_of_messages(name: str, url: str) -> None:
    assert built(BY_NAME[name], "messages").url == url


@pytest.mark.parametrize("row", [row for row in COMPATIBLES if row.base.startswith("/")], ids=lambda row: row.name)
def test_server_that_everybody_has_alone_needs_its_address(row: Compatible) -> None:
    with pytest.raises(NotServed, match=f"{row.name} has no address"):
        built(row)


def test_local_server_without_a_key_is_sent_none() -> None:
    assert built(BY_NAME["ollama"], key="").headers == []


@pytest.mark.parametrize("operation", PATHS)
def test_every_operation_of_openai_can_be_asked_of_a_compatible(operation: str) -> None:
    assert built(BY_NAME["groq"], operation).url == f"https://api.groq.com/openai/v1{PATHS[operation]}"


def test_every_priced_provider_is_one_that_there_is() -> None:
    others = {"anthropic", "azure", "azure_ai", "bedrock", "gemini", "openai", "vertex_ai"}
    assert set(GENAI_PROVIDERS) <= {*BY_NAME, *others}
