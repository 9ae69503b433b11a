import pytest

from keys.secrets import hash_token, last_four, make_token, mask, problem_with


def test_token_has_prefix_and_256_random_bits() -> None:
    assert make_token().startswith("sk-")
    assert len(make_token()) >= 3 + 43


def test_tokens_differ() -> None:
    assert len({make_token() for _ in range(100)}) == 100


def test_hash_covers_the_whole_token() -> None:
    token = make_token()
    assert hash_token(token) != hash_token(token[:-1])
    assert len(hash_token(token)) == 64


def test_mask_shows_only_the_end() -> None:
    assert mask("sk-abcdefghijklmnop") == "sk-...mnop"
    assert last_four("sk-abcdefghijklmnop") == "mnop"


@pytest.mark.parametrize("token", ["", "abc", "sk-", "sk-1", "sk-with space", "sk-ümlaut-1", "sk-\n1234567", "sk-" + "a" * 600])
def test_unfit_token_is_explained(token: str) -> None:
    assert problem_with(token)


def test_made_token_is_fit() -> None:
    assert problem_with(make_token()) == ""
