"""`tallygate routes`: names, and what stands behind them."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.trail import SYSTEM
from routing.actions import Target, create_route
from routing.models import Route, RoutingPolicy
from tests.factories import make_credential, make_deployment, make_route

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = StringIO()
    call_command("routes", *words, stdout=out)
    return out.getvalue()


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def make_two() -> None:
    near = make_deployment("near", provider="anthropic", model="claude-sonnet-4-5", credential=make_credential())
    far = make_deployment("far", provider="bedrock", model="no-such-model", region="eu-west-1", is_active=False)
    route = Route(name="claude-sonnet", strategy="least-busy", fallbacks=["claude-haiku"])
    create_route(route, [Target(near, 1, 3), Target(far, 2)], actor=SYSTEM)


def test_every_deployment_is_told_with_what_counts() -> None:
    make_two()
    (row,) = run_json()
    keys = ("name", "provider", "model", "region", "order", "weight", "credential", "is_priced", "is_active")
    assert [tuple(one[key] for key in keys) for one in row["deployments"]] == [
        ("near", "anthropic", "claude-sonnet-4-5", "", 1, 3, "anthropic key", True, True),
        ("far", "bedrock", "no-such-model", "eu-west-1", 2, 1, None, False, False),
    ]


def test_table_has_a_line_for_each_deployment_and_the_fallbacks() -> None:
    make_two()
    lines = run("list").splitlines()
    assert lines[0].split()[:3] == ["name", "strategy", "order"]
    assert lines[1].split()[-3:] == ["key", "yes", "active"]
    assert lines[2].split()[-4:] == ["none", "none", "deployment", "off"]
    assert lines[-1] == "claude-sonnet: falls back to claude-haiku"


def test_policy_counts_where_the_route_says_nothing() -> None:
    RoutingPolicy.objects.create(strategy="cost-based-routing", retries=5, default_fallbacks=["safe"])
    make_route("plain", make_deployment(model="*"))
    (row,) = run_json("list")
    assert (row["strategy"], row["retries"], row["default_fallbacks"]) == ("cost-based-routing", 5, ["safe"])
    assert row["deployments"][0]["is_priced"] is None
    assert "every name falls back to safe" in run()


def test_route_that_is_off_or_empty_says_so() -> None:
    make_route("empty")
    Route.objects.create(name="off", is_active=False)
    assert [line.split()[-1] for line in run().splitlines()[1:]] == ["deployment", "off"]


def test_one_is_shown_with_what_is_set() -> None:
    make_two()
    told = run("show", "claude-sonnet")
    assert told.startswith("name: claude-sonnet\nis_active: True\nstrategy: least-busy\nretries: 2\nfallbacks: claude-haiku\n")
    assert run_json("show", "claude-sonnet") == run_json("list")[0]


def test_no_secret_is_shown() -> None:
    make_two()
    assert "canary" not in run() + run("show", "claude-sonnet", "--json")


def test_option_may_stand_before_the_verb() -> None:
    make_two()
    assert json.loads(run("--json", "list")) == run_json("list")


def test_no_routes_say_what_to_do() -> None:
    assert "apply -f" in run()
    assert run_json() == []


@pytest.mark.parametrize(("name", "hint"), [("claude-next", "Calls for it go to 'claude-*'"), ("gpt", "`routes list` shows all")])
def test_unknown_name_is_one_clear_line(name: str, hint: str) -> None:
    make_route("claude-*", make_deployment())
    with pytest.raises(CommandError, match=r"There is no route") as caught:
        run("show", name)
    assert hint in str(caught.value)
    assert caught.value.returncode == 1
