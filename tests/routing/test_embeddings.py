"""Embeddings: no output, no stream, the body as it came."""

import json

import pytest

from billing.usage import Usage
from routing.dialects.base import BadBody, PathAsk
from routing.dialects.embeddings import EMBEDDINGS


def test_nothing_is_held_for_output_and_nothing_changes_but_the_model() -> None:
    ask = EMBEDDINGS.read(b'{"model":"m","input":[ "a", 1e2 ],"stream":true,"max_tokens":9,"encoding_format":"base64"}')
    assert (ask.model, ask.is_stream, ask.max_tokens) == ("m", False, 0)
    assert EMBEDDINGS.write(ask, "n") == b'{"model":"n","input":[ "a", 1e2 ],"stream":true,"max_tokens":9,"encoding_format":"base64"}'
    assert EMBEDDINGS.answer_filter(ask) is None
    assert not EMBEDDINGS.lower_max_tokens(ask, 5000)


def test_path_may_name_the_model() -> None:
    assert EMBEDDINGS.read(b'{"input":"a"}', PathAsk("deployed")).model == "deployed"


@pytest.mark.parametrize(("body", "missing"), [(b'{"model":"m"}', "input"), (b'{"input":"a"}', "model")])
def test_missing_field_is_named(body: bytes, missing: str) -> None:
    with pytest.raises(BadBody, match=f"Missing required parameter: '{missing}'"):
        EMBEDDINGS.read(body)


@pytest.mark.parametrize("usage", [{"prompt_tokens": 8, "total_tokens": 8}, {"total_tokens": 8}, {"prompt_tokens": 8}])
def test_usage_is_input_alone(usage: dict[str, int]) -> None:
    reader = EMBEDDINGS.reader()
    answer = {"object": "list", "data": [{"embedding": "AAAA"}], "model": "text-embedding-3-small", "usage": usage}
    assert reader.see_whole(json.dumps(answer).encode(), [])
    assert (reader.usage(), reader.model, reader.has_ended, reader.has_final_usage) == (Usage(8), "text-embedding-3-small", True, True)
