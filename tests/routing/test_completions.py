"""Completions of old: as many answers as prompts and candidates, sixteen tokens where no cap is given."""

import json

import pytest

from billing.usage import Usage
from routing.dialects.base import BadBody
from routing.dialects.completions import COMPLETIONS


def asking(**fields: object) -> bytes:
    return json.dumps({"model": "m", "prompt": "Once", **fields}).encode()


@pytest.mark.parametrize(("fields", "tokens"), [
    ({}, 16), ({"max_tokens": None}, 16), ({"max_tokens": 0}, 0), ({"max_tokens": 5, "n": 2}, 10),
    ({"max_tokens": 5, "n": 2, "best_of": 4}, 20), ({"max_tokens": 5, "prompt": ["a", "b", "c"]}, 15),
    ({"max_tokens": 5, "prompt": [1, 2, 3]}, 5), ({"max_tokens": 5, "prompt": [[1], [2]], "n": 2}, 20),
    ({"max_tokens": 5, "prompt": []}, 5), ({"max_tokens": 5, "prompt": 7}, 5),
])  # fmt: skip
def test_most_output_is_the_cap_of_everything_that_is_made(fields: dict[str, object], tokens: int) -> None:
    assert COMPLETIONS.read(asking(**fields)).max_tokens == tokens


# R22
@pytest.mark.parametrize("fields", [{"max_tokens": -1}, {"best_of": 0}, {"n": 1.5}, {"max_tokens": 10**9}])
def test_senseless_limit_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(BadBody, match=next(iter(fields))):
        COMPLETIONS.read(asking(**fields))


def test_prompt_is_needed_and_messages_are_not() -> None:
    with pytest.raises(BadBody, match="'prompt'"):
        COMPLETIONS.read(b'{"model":"m","messages":[]}')


def test_cap_is_lowered_for_everything_that_is_made() -> None:
    ask = COMPLETIONS.read(asking(max_tokens=500, prompt=["a", "b"], best_of=2))
    assert COMPLETIONS.lower_max_tokens(ask, 1000)
    assert (ask.max_tokens, bytes(ask.fields["max_tokens"])) == (1000, b"250")


def test_stream_is_asked_for_its_usage_and_the_chunk_is_taken_out() -> None:
    ask = COMPLETIONS.read(asking(stream=True))
    assert json.loads(bytes(COMPLETIONS.write(ask, "m")))["stream_options"] == {"include_usage": True}
    assert COMPLETIONS.answer_filter(ask) is not None


def test_stream_is_read() -> None:
    reader = COMPLETIONS.reader()
    piece = b'{"model":"m-1","choices":[{"text":" upon","index":0,"finish_reason":null,"logprobs":null}],"usage":null}'
    assert reader.see("", piece)
    assert len(piece) + len(b"data: \n\n") - reader.frame_bytes == len(" upon")
    reader.see("", b'{"choices":[{"text":"","index":0,"finish_reason":"length"}],"usage":null}')
    reader.see("", b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":16,"total_tokens":17}}')
    reader.see("", b"[DONE]")
    assert (reader.usage(), reader.stop_reason, reader.has_ended) == (Usage(input_tokens=1, output_tokens=16), "length", True)


def test_whole_answer_is_read() -> None:
    reader, usage = COMPLETIONS.reader(), {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    assert reader.see_whole(json.dumps({"choices": [{"text": "x", "finish_reason": "stop"}], "usage": usage}).encode(), [])
    assert (reader.usage(), reader.stop_reason) == (Usage(input_tokens=1, output_tokens=2), "stop")
