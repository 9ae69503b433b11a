"""LiteLLM's words for our refusals, in both manners."""

from string import Formatter

import pytest

from routing.dialects.litellm_errors import CLASSIC, CURRENT, TABLES, Words

FACTS = dict.fromkeys(("model", "models", "scope", "name", "kind", "limit", "remaining"), "x") | {"spent": 1, "amount": 2}


@pytest.mark.parametrize(
    ("code", "classic", "current"),
    [
        ("key_missing", (401, "auth_error", "None"), (401, "auth_error", "None")),
        ("key_invalid", (401, "token_not_found_in_db", "key"), (401, "auth_error", "None")),
        ("key_expired", (401, "expired_key", "key"), (401, "expired_key", "key")),
        ("key_blocked", (401, "auth_error", "None"), (401, "auth_error", "None")),
        ("model_not_allowed", (401, "key_model_access_denied", "model"), (403, "key_model_access_denied", "model")),
        ("model_unknown", (400, "invalid_request_error", "model"), (400, "invalid_request_error", "model")),
        ("budget_exceeded", (400, "budget_exceeded", "None"), (422, "budget_exceeded", "None")),
        ("no_deployment", (429, "None", "None"), (429, "all_deployments_in_cooldown", "None")),
    ],
)
def test_code_is_told_as_each_version_tells_it(code: str, classic: tuple[int, str, str], current: tuple[int, str, str]) -> None:
    told = [(table[code].status, table[code].type, table[code].param) for table in (CLASSIC, CURRENT)]
    assert told == [classic, current]


def test_code_of_the_object_is_the_status_as_text() -> None:
    assert Words(400, "x", "y", "First.").error("Ours.") == {"message": "First. Ours.", "type": "x", "param": "y", "code": "400"}


def test_figures_are_told_where_they_are_known() -> None:
    words = CLASSIC["model_not_allowed"]
    told = words.message("Ours.", {"model": "gpt-6", "models": "[a, b]"})
    begins = "key not allowed to access model. This key can only access models=[a, b]. Tried to access gpt-6."
    assert told == f"{begins} Ours."
    assert words.message("Ours.") == "key not allowed to access model. Ours."


@pytest.mark.parametrize("manner", TABLES)
def test_figures_name_facts_that_somebody_gives(manner: str) -> None:
    named = {name for words in TABLES[manner].values() for _, name, _, _ in Formatter().parse(words.figures) if name}
    assert named <= FACTS.keys()
    assert all(words.message("Ours.", FACTS).endswith("Ours.") for words in TABLES[manner].values())


def test_both_manners_know_the_same_codes() -> None:
    assert CLASSIC.keys() == CURRENT.keys()
