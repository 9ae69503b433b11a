"""Accesses live on from load to load, and everything that ages is renewed in a thread."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from routing.dialects.base import Dialect
from routing.providers.base import Access, Call, NotServed, Provider, UpstreamRequest
from routing.references import Reference, Rules
from routing.renewal import Renewal
from routing.secret_sources import KEPT_S, SecretSources
from routing.snapshot import DeploymentSnapshot

PATIENCE_S = 10
SECRET = "renewal-canary-81"
PLACE = DeploymentSnapshot("d-1", "one", "tokens", "m", region="eu-west-1", credential_id="c-1")
FIELDS = {"client_secret": SECRET}


@dataclass
class Tokens:
    """An Access that counts, and can be made to hang."""

    renewed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    may_go: threading.Event = field(default_factory=threading.Event)
    count: int = 0

    def sign(self, request: UpstreamRequest) -> None:
        """Not asked for here."""

    def renew(self) -> None:
        self.may_go.wait(PATIENCE_S)
        self.count += 1
        self.renewed.release()


def speaks(deployment: DeploymentSnapshot, operation: str) -> Dialect | None:
    return None


def build(call: Call) -> UpstreamRequest:
    raise NotServed("not asked for here")


@dataclass
class Opener:
    """A provider that wants more than a key."""

    opened: list[Tokens] = field(default_factory=list)
    hangs: bool = False

    def open(self, fields: Mapping[str, str], deployment: DeploymentSnapshot) -> Access:
        if not fields:
            raise NotServed("no fields")
        tokens = Tokens()
        if not self.hangs:
            tokens.may_go.set()
        self.opened.append(tokens)
        return tokens

    @property
    def provider(self) -> Provider:
        return Provider("tokens", speaks, build, open=self.open)


@pytest.fixture
def opener() -> Opener:
    return Opener()


def load(renewal: Renewal, opener: Opener, *deployments: DeploymentSnapshot, fields: Mapping[str, str] = FIELDS) -> list[Access | None]:
    found = [renewal.access(opener.provider, fields, deployment) for deployment in deployments]
    renewal.settle()
    return found


def test_reload_gets_the_same_access_and_no_second_first_token(opener: Opener) -> None:
    renewal = Renewal()
    assert load(renewal, opener, PLACE) == load(renewal, opener, PLACE)
    assert [tokens.count for tokens in opener.opened] == [1]


def test_deployments_of_one_account_share_an_access(opener: Opener) -> None:
    other = replace(PLACE, id="d-2", name="two", model="other", rpm=5)
    first, second = load(Renewal(), opener, PLACE, other)
    assert first is second


@pytest.mark.parametrize("need", ["region", "project", "api", "api_version", "base_url", "credential_id"])
def test_other_needs_get_an_access_of_their_own(opener: Opener, need: str) -> None:
    first, second = load(Renewal(), opener, PLACE, replace(PLACE, **{need: "other"}))  # type: ignore[arg-type]  # names of fields of text
    assert first is not second


def test_new_secret_gets_a_new_access_and_the_old_one_is_let_go(opener: Opener) -> None:
    renewal = Renewal()
    load(renewal, opener, PLACE)
    load(renewal, opener, PLACE, fields={"client_secret": "other"})
    renewal.work()
    assert [tokens.count for tokens in opener.opened] == [1, 2]


def test_fields_that_make_no_access_are_told(opener: Opener) -> None:
    with pytest.raises(NotServed, match="no fields"):
        Renewal().access(opener.provider, {}, PLACE)


def test_provider_of_plain_keys_has_none() -> None:
    assert Renewal().access(Provider("plain", speaks, build), {"api_key": "k"}, PLACE) is None


def test_secrets_are_in_no_repr(opener: Opener) -> None:
    renewal = Renewal()
    load(renewal, opener, PLACE)
    assert SECRET not in f"{renewal!r} {vars(renewal)!r}"


def test_load_does_not_wait_for_tokens_that_hang(opener: Opener) -> None:
    opener.hangs = True
    renewal = Renewal(first_tokens_s=0.01)
    load(renewal, opener, PLACE)
    assert opener.opened[0].count == 0
    opener.opened[0].may_go.set()
    assert opener.opened[0].renewed.acquire(timeout=PATIENCE_S)


def test_access_that_hangs_is_asked_once_and_holds_up_no_other(opener: Opener) -> None:
    opener.hangs = True
    renewal = Renewal(first_tokens_s=0.01, round_s=0.01)
    load(renewal, opener, PLACE, replace(PLACE, region="us-east-1"))
    stuck, other = opener.opened
    other.may_go.set()
    assert other.renewed.acquire(timeout=PATIENCE_S)
    for _ in range(3):
        renewal.work()
        assert other.renewed.acquire(timeout=PATIENCE_S)
    stuck.may_go.set()
    assert stuck.renewed.acquire(timeout=PATIENCE_S)
    assert stuck.count == 1


def test_thread_renews_by_itself_until_it_is_stopped(opener: Opener) -> None:
    renewal = Renewal(round_s=0.01)
    load(renewal, opener, PLACE)
    renewal.start(lambda: None)
    for _ in range(3):
        assert opener.opened[0].renewed.acquire(timeout=PATIENCE_S)
    renewal.stop()
    assert renewal._thread is not None
    assert not renewal._thread.is_alive()


@dataclass
class Shelf:
    text: str = "old"
    now: float = 0.0

    def read(self, reference: Reference) -> str:
        return self.text

    def sources(self) -> SecretSources:
        return SecretSources({}, clock=lambda: self.now, stores={"vault": lambda environment: self})


def test_changed_secret_asks_for_a_reload_once() -> None:
    shelf, told = Shelf(), threading.Semaphore(0)
    renewal = Renewal(shelf.sources(), round_s=0.01)
    renewal.sources.read(Reference("vault", "a/b"), Rules(is_operators=True))
    renewal.settle()
    renewal.start(told.release)
    shelf.text, shelf.now = "new", KEPT_S
    assert told.acquire(timeout=PATIENCE_S)
    renewal.stop()
    renewal.work()
    assert not told.acquire(blocking=False)


def test_nothing_is_done_where_nothing_is_open() -> None:
    told: list[str] = []
    renewal = Renewal()
    renewal.start(lambda: told.append("changed"))
    renewal.settle()
    renewal.work()
    renewal.stop()
    assert told == []
