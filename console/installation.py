"""What the page of settings is told of the installation, by whoever gives it its address: the console knows nobody who could."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from audit.trail import Actor


class Reading(Protocol):
    """One effective setting. Of a secret `shown` says only whether it is set."""

    @property
    def name(self) -> str: ...
    @property
    def shown(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def meaning(self) -> str: ...


class Finding(Protocol):
    """One thing that the doctor looked at, with the remedy. A note is of something that works and that somebody should know of."""

    @property
    def what(self) -> str: ...
    @property
    def is_ok(self) -> bool: ...
    @property
    def is_note(self) -> bool: ...
    @property
    def text(self) -> str: ...
    @property
    def ms(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration file: where it lies, one line for each reason why keys of it have no effect, and what is wrong with it."""

    path: str
    not_honoured: Sequence[str]
    problems: Sequence[str]


@dataclass(frozen=True, slots=True)
class Version:
    """`number` is empty where it is not known."""

    name: str
    number: str


class Installation(Protocol):
    def readings(self) -> Sequence[Reading]: ...
    def configuration(self) -> Configuration: ...
    def at_hand(self) -> Iterable[Finding]: ...
    def everything(self, actor: Actor) -> Iterable[Finding]: ...
    def versions(self) -> Sequence[Version]: ...
    def notice(self) -> str: ...
