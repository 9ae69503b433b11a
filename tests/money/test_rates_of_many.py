"""One limit on requests, three real servers on one Redis: together they admit no more than one of them would."""

import time

import pytest

from tests.chaos.scopes import Cast, Key
from tests.chaos.town import ALONE, town
from tests.gateway_project.running import BOUND_S
from tests.money.storm import storm

LIMIT = 40
BOB = Key("bob", "blue", rpm=LIMIT)
AT_ONCE = 30
ASKED = {"model": "chaos-quick", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}


# R41
@pytest.mark.services
def test_minute_of_three_servers_is_one_minute() -> None:
    with town("postgres", Cast((BOB,))) as place:
        with place.serving(ALONE, count=3) as servers:
            begun, served = time.monotonic(), 0
            while served < LIMIT:
                ended = storm([server.url for server in servers], BOB.token, AT_ONCE, ASKED)
                assert set(ended) <= {"200", "rate_limited"}
                served += ended["200"]
                assert time.monotonic() - begun < BOUND_S, f"{served} of {LIMIT} were admitted"
            after = storm([server.url for server in servers], BOB.token, AT_ONCE, ASKED)
            assert time.monotonic() - begun < 60, "places had come free again"
            assert (served, after) == (LIMIT, {"rate_limited": AT_ONCE})
        assert len(place.billed()) == LIMIT
        assert place.disorder() == []
