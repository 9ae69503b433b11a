"""Messages calls in Converse's words: golden files, what cannot be said, and AWS's own model of the interface as the judge."""

import itertools
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.dialects.base import BadBody
from routing.translation.converse_parts import Unsayable, tool_name
from routing.translation.messages_to_converse import Converse, is_claude, tool_names, translate

GOLDEN = Path(__file__).parents[1] / "golden" / "messages_converse"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
CLAUDE, NOVA = "global.anthropic.claude-sonnet-5", "us.amazon.nova-micro-v1:0"
CASES = [("full", CLAUDE), ("other_model", NOVA)]
BETA = "context-management-2025-06-27"
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
CALLED: list[Any] = [
    {"role": "user", "content": "Look."},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "seen"}]},
]
LOOK = {"name": "look", "input_schema": {"type": "object"}}
RUNTIME = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime")
SHAPE = RUNTIME.operation_model("Converse").input_shape
quick = settings(derandomize=True, deadline=None, database=None, max_examples=100)


def said(model: str = CLAUDE, betas: tuple[str, ...] = (), **fields: Any) -> Converse:
    body = {"max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]} | fields
    return translate(msgspec.json.decode(msgspec.json.encode(body), type=dict[str, msgspec.Raw]), model, betas)


def body(model: str = CLAUDE, **fields: Any) -> Any:
    return json.loads(said(model, **fields).body)


def content(*blocks: Any, model: str = CLAUDE) -> Any:
    return body(model, messages=[{"role": "user", "content": list(blocks)}])["messages"][0]["content"]


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def faults(converse: bytes) -> str:
    """What boto3 would refuse before sending."""
    report: str = ParamValidator().validate({"modelId": "m", **json.loads(converse)}, SHAPE).generate_report()
    return report


@pytest.mark.parametrize(("case", "model"), CASES)
def test_golden_call_is_said_byte_for_byte(case: str, model: str) -> None:
    fields = msgspec.json.decode(golden(f"{case}.request.json"), type=dict[str, msgspec.Raw])
    converse = translate(fields, model, [BETA])
    assert msgspec.json.format(converse.body, indent=1) + b"\n" == golden(f"{case}.converse.json")
    assert list(converse.lost) == json.loads(golden(f"{case}.lost.json"))


@pytest.mark.parametrize(("case", "model"), CASES)
def test_golden_call_is_one_that_aws_takes(case: str, model: str) -> None:
    assert faults(golden(f"{case}.converse.json")) == ""


def test_translating_leaves_the_call_as_it_was() -> None:
    fields = msgspec.json.decode(golden("full.request.json"), type=dict[str, msgspec.Raw])
    before = msgspec.json.encode(fields)
    assert translate(fields, CLAUDE).body == translate(fields, CLAUDE).body
    assert msgspec.json.encode(fields) == before


text = st.text(max_size=20)
marks = st.sampled_from([{}, {"cache_control": {"type": "ephemeral"}}, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}])
words = text.map(lambda value: {"type": "text", "text": value})
image = st.just({"type": "image", "source": PNG})
document = text.map(lambda title: {"type": "document", "title": title, "source": {"type": "text", "media_type": "text/plain", "data": "x"}})
names = st.text(min_size=1, max_size=128)
tool_use = st.builds(lambda name, id: {"type": "tool_use", "id": id, "name": name, "input": {"a": 1.0}}, names, names)
result = st.builds(
    lambda id, inner, failed: {"type": "tool_result", "tool_use_id": id, "content": inner, "is_error": failed},
    names, text | st.lists(words | image | document, max_size=3), st.none() | st.booleans(),
)  # fmt: skip
thinking = st.builds(lambda words, sign: {"type": "thinking", "thinking": words, "signature": sign}, text, text)
redacted = text.map(lambda data: {"type": "redacted_thinking", "data": data})
blocks = st.lists(st.builds(lambda block, mark: block | mark, words | image | document | tool_use | result | thinking | redacted, marks))
turn = st.builds(lambda role, said: {"role": role, "content": said}, st.sampled_from(["user", "assistant"]), text | blocks)
tools = st.lists(st.builds(lambda name, mark: {"name": name, "input_schema": {}} | mark, names, marks), max_size=3)
choices = st.sampled_from(["auto", "any", "tool", "none"]).flatmap(
    lambda kind: st.booleans().map(lambda alone: {"type": kind, "name": "look", "disable_parallel_tool_use": alone})
)
models = st.sampled_from([CLAUDE, NOVA])


@quick
@given(models, st.lists(turn, max_size=5), tools, st.none() | choices, text | st.lists(words))
def test_any_conversation_is_one_that_aws_takes(model: str, messages: Any, tools: Any, choice: Any, system: Any) -> None:
    converse = said(model, messages=messages, tools=tools, tool_choice=choice, system=system)
    roles = [message["role"] for message in json.loads(converse.body).get("messages", [])]
    assert faults(converse.body) == ""
    assert all(before != after for before, after in itertools.pairwise(roles))


LONG = {"type": "document", "title": "of many words " * 30, "source": {"type": "text", "media_type": "text/plain", "data": "x"}}


@quick
@given(st.lists(document | st.just(LONG), max_size=6))
def test_documents_of_a_conversation_have_names_of_their_own(documents: Any) -> None:
    found = [block["document"]["name"] for block in content(*documents, {"type": "text", "text": "x"})[:-1]]
    assert len(set(found)) == len(documents)
    assert all(0 < len(name) <= 200 for name in found)


@quick
@given(st.sets(names, max_size=8))
def test_every_tool_name_fits_and_finds_its_way_back(asked: set[str]) -> None:
    fields = {"tools": msgspec.Raw(msgspec.json.encode([{"name": name} for name in asked]))}
    back = tool_names(fields)
    sent = body(tools=[{"name": name, "input_schema": {}} for name in asked]).get("toolConfig", {"tools": []})["tools"]
    assert {back.get(tool["toolSpec"]["name"], tool["toolSpec"]["name"]) for tool in sent} == asked


@pytest.mark.parametrize("tools", [b"null", b"{}", b"[1]", b'[{"name":1}]', b"[{}]"])
def test_malformed_tools_have_no_names(tools: bytes) -> None:
    assert tool_names({"tools": msgspec.Raw(tools)}).keys() <= {tool_name("")}


BLOCKS: list[tuple[Any, str]] = [
    ({"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}, "images as base64"),
    ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "images as base64"),
    ({"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}}, "documents as base64"),
    ({"type": "document", "source": {"type": "file", "file_id": "f"}}, "documents as base64"),
    ({"type": "container_upload", "file_id": "f"}, "container_upload"),
    ({"type": "compaction", "content": "c"}, "compaction"),
    ({"type": "of_tomorrow"}, "of_tomorrow"),
    ({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "browser_state"}]}, "browser_state"),
]
FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 0}, "max_tokens"),
    ({"mcp_servers": [{"url": "https://example.org"}]}, "mcp_servers"),
    ({"container": "c"}, "container"),
    ({"inference_geo": "us"}, "inference_geo"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "web_search_20250305"),
    ({"output_config": {"format": {"type": "grammar"}}}, "json_schema"),
]


@pytest.mark.parametrize(("block", "words"), BLOCKS)
def test_block_without_words_in_converse_is_told(block: Any, words: str) -> None:
    with pytest.raises(Unsayable, match=words):
        content(block)


@pytest.mark.parametrize(("fields", "words"), FIELDS)
def test_field_without_words_in_converse_is_told(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(Unsayable, match=words):
        said(**fields)


def test_tool_of_claudes_own_kind_is_not_for_other_models() -> None:
    with pytest.raises(Unsayable, match="bash_20250124"):
        said(NOVA, tools=[{"type": "bash_20250124", "name": "bash"}])


MALFORMED: list[dict[str, Any]] = [
    {"messages": "none"}, {"messages": [1]}, {"messages": [{"role": "user", "content": 1}]}, {"messages": [{"content": "x"}]},
    {"messages": [{"role": "user"}]}, {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}, {"messages": [{"role": "user", "content": ["x"]}]},
    {"messages": [{"role": "user", "content": [{"type": "tool_result", "is_error": "no"}]}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "citations": 1}]}]},
    {"max_tokens": "many"}, {"tools": {}}, {"tools": [{"name": "x"}]}, {"tool_choice": {"type": "perhaps"}}, {"system": 1},
    {"output_config": []}, {"anthropic_beta": "x"}, {"messages": None},
]  # fmt: skip


@pytest.mark.parametrize("fields", MALFORMED)
def test_malformed_call_is_the_callers_fault(fields: dict[str, Any]) -> None:
    with pytest.raises(BadBody) as caught:
        said(**fields)
    assert type(caught.value) is BadBody


def test_no_tool_may_be_called_where_none_was() -> None:
    assert "toolConfig" not in body(tools=[LOOK], tool_choice={"type": "none"})


def test_no_tool_may_be_called_is_lost_where_one_was() -> None:
    converse = said(messages=CALLED, tools=[LOOK], tool_choice={"type": "none"})
    assert "toolChoice" not in json.loads(converse.body)["toolConfig"]
    assert converse.lost == ("tool_choice.none",)


def test_called_tools_are_declared_where_the_call_names_none() -> None:
    assert [tool["toolSpec"]["name"] for tool in body(messages=CALLED)["toolConfig"]["tools"]] == ["look"]


def test_a_tool_is_declared_beside_claudes_own_where_one_was_called() -> None:
    sent = body(messages=CALLED, tools=[{"type": "bash_20250124", "name": "look"}])
    assert [tool["toolSpec"]["name"] for tool in sent["toolConfig"]["tools"]] == ["unused"]


@pytest.mark.parametrize(
    ("kind", "chosen", "extra"),
    [
        ("auto", None, {"type": "auto", "disable_parallel_tool_use": True}),
        ("any", {"any": {}}, {"disable_parallel_tool_use": True}),
    ],
)
def test_one_call_at_a_time_is_said_without_saying_anything_twice(kind: str, chosen: Any, extra: Any) -> None:
    sent = body(tools=[LOOK], tool_choice={"type": kind, "disable_parallel_tool_use": True})
    assert sent["toolConfig"].get("toolChoice") == chosen
    assert sent["additionalModelRequestFields"]["tool_choice"] == extra


def test_context_management_goes_only_with_its_beta() -> None:
    without, with_it = said(context_management={}), said(betas=(BETA,), context_management={})
    assert (without.lost, b"context_management" in without.body) == (("context_management",), False)
    assert json.loads(with_it.body)["additionalModelRequestFields"] == {"context_management": {}, "anthropic_beta": [BETA]}


def test_betas_of_body_and_header_go_once() -> None:
    sent = json.loads(said(betas=("a", "b"), anthropic_beta=["b", "c"]).body)
    assert sent["additionalModelRequestFields"]["anthropic_beta"] == ["a", "b", "c"]


def test_metadata_goes_only_as_aws_allows() -> None:
    assert said(metadata={"user_id": '{"quotes": 1}'}).lost == ("metadata",)
    assert said(metadata={"user_id": "alice"}).lost == ()


def test_mark_for_everything_stands_once() -> None:
    mark = {"type": "ephemeral"}
    marked = [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": mark}]}]
    assert len(body(messages=marked, cache_control=mark)["messages"][0]["content"]) == 2


def test_empty_fields_say_nothing() -> None:
    assert body(system=[], tools=[], metadata=None, tool_choice=None, output_config=None) == {
        "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
        "inferenceConfig": {"maxTokens": 10},
    }


def test_tools_to_be_searched_for_are_all_declared() -> None:
    found = [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "look"}]}]
    search = {"type": "tool_search_tool_bm25_20251119", "name": "search"}
    converse = said(messages=[{"role": "user", "content": found}], tools=[LOOK | {"defer_loading": True}, search])
    assert [tool["toolSpec"]["name"] for tool in json.loads(converse.body)["toolConfig"]["tools"]] == ["look"]
    assert converse.lost == ("tool_reference", "tools.defer_loading", "tools.tool_search")


def test_document_alone_is_introduced() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "x"}
    assert content({"type": "document", "source": source})[1:] == [{"text": "(see the document)"}]


def test_text_in_a_tool_result_loses_its_citations() -> None:
    inner = [{"type": "text", "text": "x", "citations": [{"type": "web_search_result_location", "url": "https://example.org"}]}]
    assert content({"type": "tool_result", "tool_use_id": "t", "content": inner})[0]["toolResult"]["content"] == [{"text": "x"}]


@pytest.mark.parametrize(
    ("model", "claude"), [(CLAUDE, True), (NOVA, False), ("arn:aws:bedrock:us-east-1:1:application-inference-profile/a", True)]
)
def test_claude_is_told_by_its_name(model: str, claude: bool) -> None:
    assert is_claude(model) is claude


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the recorded traffic is not beside this checkout")
def test_recorded_calls_of_messages_are_ones_that_aws_takes() -> None:
    told: list[str] = []
    for one in json.loads((CORPUS / "index.json").read_text()):
        if (one["provider"], one["endpoint"], one["status"]) == ("anthropic", "messages", 200):
            told += _told(json.loads((CORPUS / one["request"]).read_text())["body"])
    assert len(told) >= 9
    assert set(told) == {""}


def _told(recorded: Any) -> list[str]:
    try:
        return [faults(said(**recorded).body)]
    except Unsayable:
        return []
