"""Who asks for a change, by a page or by a script: a person, a person's key or the master key, each as far as their say goes."""

from dataclasses import dataclass

from audit.trail import Actor
from keys.access import Reach
from keys.models import User
from keys.snapshot import Caller


class Overreach(Exception):
    """Something that is not the asker's to have or to give; the text says what."""


@dataclass(frozen=True, slots=True)
class Asker:
    """`person` is who signed in or owns the key, `caller` the key that asks. The master key has neither and sees everything."""

    actor: Actor
    reach: Reach
    person: User | None = None
    caller: Caller | None = None

    @property
    def sees_all(self) -> bool:
        return self.reach.is_admin

    @property
    def gives_all(self) -> bool:
        """Nothing that they give is looked at: no key of theirs limits it, and every team is theirs."""
        return self.sees_all and self.caller is None
