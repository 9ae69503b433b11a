"""Estimates of output held against recorded streams: what passed is never counted for less than the provider counted."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.meter import Meter

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


def streams() -> Iterator[bytes]:
    for one in json.loads((CORPUS / "index.json").read_text()):
        if (one["provider"], one["format"], one["status"]) == ("anthropic", "sse", 200):
            yield (CORPUS / one["response"]).read_bytes()


# R20
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the recorded traffic is not beside this checkout")
def test_output_guessed_from_bytes_is_at_least_what_the_provider_counted() -> None:
    """R20."""
    pairs = []
    for stream in streams():
        meter = Meter()
        meter.feed(stream)
        pairs.append((meter.output_guess, meter.usage().output_tokens))
    assert len(pairs) > 10
    assert [pair for pair in pairs if pair[0] < pair[1]] == []
