"""Public model names: exact before families, longer families before shorter ones, letters as they are."""

import pytest

from routing.snapshot import DeploymentSnapshot, RouteSnapshot, RouteTable

TABLE = RouteTable.of([RouteSnapshot(name, ()) for name in ("claude-*", "claude-opus-5", "claude-opus-*", "anthropic/*", "exact")])


@pytest.mark.parametrize(("model", "route"), [
    ("claude-opus-5", "claude-opus-5"),
    ("claude-opus-5-5", "claude-opus-*"),
    ("claude-opus-", "claude-opus-*"),
    ("claude-opus", "claude-*"),
    ("claude-", "claude-*"),
    ("anthropic/claude-opus-5", "anthropic/*"),
    ("exact", "exact"),
])  # fmt: skip
def test_name_finds_its_route(model: str, route: str) -> None:
    found = TABLE.find(model)
    assert found is not None and found.name == route


@pytest.mark.parametrize(
    "model", ["", "claude", "Claude-opus-5", "exact ", " exact", "exactly", "anthropic", "*", "x/claude-opus-5", "\uff45xact"]
)
def test_other_names_find_nothing(model: str) -> None:
    assert TABLE.find(model) is None


def test_star_alone_takes_every_name_that_nobody_else_takes() -> None:
    table = RouteTable.of([RouteSnapshot("*", ()), RouteSnapshot("exact", ())])
    assert [found.name for found in (table.find("exact"), table.find("other")) if found] == ["exact", "*"]


def test_family_as_written_is_no_exact_name() -> None:
    found = TABLE.find("claude-*")
    assert found is not None and found.name == "claude-*"
    assert "claude-*" not in TABLE.exact


def test_secret_of_a_deployment_is_not_printed() -> None:
    assert "hidden" not in repr(DeploymentSnapshot("1", "d", "anthropic", "*", secret="hidden"))


@pytest.mark.parametrize(("names", "asked", "told"), [
    (["claude-*"], "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929"),
    (["*"], "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    (["gpt-*"], "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    (["claude-*"], "claude-x", "claude-x"),
])  # fmt: skip
def test_clouds_id_is_told_by_its_plain_name_where_a_family_takes_that(names: list[str], asked: str, told: str) -> None:
    assert RouteTable.of([RouteSnapshot(name, ()) for name in names]).public_name(asked) == told
