"""Anything at all at the door: refused in the dialect or served, never a 5xx of ours, and every call on record once."""

import gzip
import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.limits import Limits
from tests.proxy.door import TRUST, check_refusal, plane, send
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import HEADERS, PATIENCE_S, Player, ask, playing

MESSAGE = b'{"type":"message","model":"claude-played","content":[],"usage":{"input_tokens":1,"output_tokens":1}}'
PLAIN = json.dumps(ask("claude-played")).encode()
fuzzing = settings(
    max_examples=200, derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

BAD_BODIES = {
    "empty": b"",
    "space": b" ",
    "half": PLAIN[:-1],
    "twice": PLAIN * 2,
    "array": b"[]",
    "text": b'"x"',
    "number": b"5",
    "null": b"null",
    "no messages": b'{"model":"claude-played","max_tokens":5}',
    "no model": b'{"max_tokens":5,"messages":[]}',
    "byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "utf-16": PLAIN.decode().encode("utf-16"),
    "not utf-8": PLAIN.replace(b"Hello", b"\xff\xfe"),
    "not utf-8 in a name": PLAIN.replace(b'"content"', b'"\xff"'),
    "not utf-8 in metadata": b'{"metadata":{"user_id":"\xc3"},' + PLAIN[1:],
    "overlong utf-8": PLAIN.replace(b"Hello", b"\xc0\xaf"),
    "surrogate in utf-8": PLAIN.replace(b"Hello", b"\xed\xa0\x80"),
    "lone surrogate": PLAIN.replace(b"Hello", b"\\ud800"),
    "lone low surrogate": PLAIN.replace(b"Hello", b"\\udc00"),
    "NaN": b'{"x":NaN,' + PLAIN[1:],
    "infinity": b'{"x":-Infinity,' + PLAIN[1:],
    "comment": b"/* */" + PLAIN,
    "single quotes": PLAIN.replace(b'"', b"'"),
    "raw newline": PLAIN.replace(b"Hello", b"He\nllo"),
    "deep": b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"," + PLAIN[1:],
    "deep objects": b'{"x":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"," + PLAIN[1:],
    "deep without end": b"[" * 1_000_000,
}
BAD_LIMITS = {
    "none": b'{"model":"claude-played","messages":[]}',
    "long": b'{"max_tokens":' + b"9" * 10_000 + b',"model":"claude-played","messages":[]}',
}
BAD_FIELDS: list[tuple[str, object]] = [
    *product(["max_tokens"], (10**18, -1, 1.5, "9", True, None, [], {}, 1e30)),
    *product(["model"], (5, None, "", [], {}, True, "m" * 5000, "a\0b", "a\nb", "\u202e", "claude-\ud7ff")),
    *product(["stream"], ("true", 1, 0, [], {}, "x")),
]


@pytest.fixture
def rig(house: House) -> Iterator[Rig]:
    """In front of a provider that takes whatever it is sent."""
    rig = house.rig(Limits(sweep_s=0.02, body_bytes=2_000_000))
    with playing(rig, Player([MESSAGE], content_type="application/json")) as model:
        (target,) = plane(rig).snapshot.routes.exact[model].targets
        rig.gateway.route("claude-*", target.deployment)
        rig.gateway.route("fake-*", target.deployment)
        yield rig


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_body_is_refused_in_the_dialect(rig: Rig, name: str, path: str) -> None:
    check_refusal(send(rig, BAD_BODIES[name], path=path), 400, "invalid_request")
    assert len(rig.gateway.closings()) == 1


# R22
@pytest.mark.parametrize("name", BAD_LIMITS)
def test_bad_limit_is_refused_where_it_counts(rig: Rig, name: str) -> None:
    check_refusal(send(rig, BAD_LIMITS[name]), 400, "invalid_request")
    assert send(rig, BAD_LIMITS[name], path="/v1/messages/count_tokens").status_code == 200


@pytest.mark.parametrize(("name", "value"), BAD_FIELDS)
def test_bad_field_is_refused_with_its_name(rig: Rig, name: str, value: object) -> None:
    fields: dict[str, Any] = {"model": "claude-played", name: value}
    answer = send(rig, **fields)
    assert answer.status_code in {400, 403}
    error = check_refusal(answer, answer.status_code, answer.headers["x-tallygate-error-code"])
    assert name in error["message"].lower()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
field_names = st.sampled_from(["model", "messages", "max_tokens", "stream", "metadata", "system", "tools"]) | st.text(max_size=12)
objects = st.dictionaries(field_names, json_values, max_size=5).map(lambda fields: json.dumps({**ask("claude-played"), **fields}).encode())
metadata = json_values.map(lambda value: json.dumps({**ask("claude-played"), "metadata": {"user_id": json.dumps(value)}}).encode())


@st.composite
def scratched(draw: st.DrawFn) -> bytes:
    """A servable body with a piece of it replaced by any bytes."""
    body = draw(objects)
    start = draw(st.integers(0, len(body)))
    return body[:start] + draw(st.binary(max_size=6)) + body[start + draw(st.integers(0, 6)) :]


bodies = st.one_of(st.binary(max_size=300), objects, scratched(), metadata, objects.map(gzip.compress), scratched().map(gzip.compress))
codings = st.sampled_from(["", "", "", "gzip", "deflate", "br", "identity", "gzip, deflate", "\xff"])
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40).map(str.strip)
extra_names = [
    "x-litellm-tags", "x-claude-code-session-id", "user-agent", "anthropic-beta", "accept-encoding", "x-forwarded-for",
    "content-type", "authorization",
]  # fmt: skip
extras = st.dictionaries(st.sampled_from(extra_names), header_values, max_size=3)


def test_no_body_and_no_header_makes_the_gateway_fail(rig: Rig) -> None:
    ids: list[str] = []
    with httpx.Client(base_url=rig.url, verify=TRUST, timeout=PATIENCE_S) as client:

        @fuzzing
        @given(body=bodies, coding=codings, extra=extras, path=st.sampled_from(["/v1/messages", "/v1/messages/count_tokens"]))
        def knock(body: bytes, coding: str, extra: dict[str, str], path: str) -> None:
            fields = {**extra, **HEADERS, "content-encoding": coding}
            raw = [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]
            answer = client.post(path, content=body, headers=raw)
            assert answer.status_code < 500, answer.text
            assert answer.status_code == 200 or answer.json()["type"] == "error"
            ids.append(answer.headers["request-id"])

        knock()
    assert sorted(entry.summary.id for entry in rig.gateway.closings(len(ids))) == sorted(ids)


def test_no_path_and_no_query_makes_the_gateway_fail(rig: Rig) -> None:
    characters = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#")
    paths = st.sampled_from(["/v1/", "/v1/models", "/v1/models/", "/anthropic/", "/v1/messages", "/api/hello"])
    with httpx.Client(base_url=rig.url, verify=TRUST, timeout=PATIENCE_S) as client:

        @fuzzing
        @given(path=paths, rest=st.text(characters, max_size=30), query=st.text(characters, max_size=30))
        def knock(path: str, rest: str, query: str) -> None:
            answer = client.get(f"{path}{rest}?{query}", headers=HEADERS)
            assert answer.status_code < 500, answer.text

        knock()
