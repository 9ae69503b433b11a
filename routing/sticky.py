"""Where a conversation was served last, so that it goes on there: for the provider's prompt cache, and because thinking is signed for
one account.

Kept per virtual key, since session ids are made by clients. Bounded; this process's own. Pure.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from routing.choose import READY, band
from routing.health import Health
from routing.snapshot import DeploymentSnapshot

MOST = 20_000
LASTS_S = 3600.0

# Virtual key, session id, public model name.
Who = tuple[str, str, str]
Account = tuple[str, ...]


def account_of(deployment: DeploymentSnapshot, model: str) -> Account:
    """Whose thinking is whose: signatures hold for one account and one model. A place in front of a model's name is no other model."""
    family = model.rpartition("anthropic.")[2]
    return (deployment.provider, deployment.credential_id or deployment.secret, deployment.base_url, deployment.project, family)


@dataclass(slots=True, eq=False)
class Stay:
    """`foreign_turns`: the conversation's turns before this one may hold another account's thinking."""

    deployment_id: str
    account: Account = field(repr=False)
    used_at: float
    foreign_turns: int = 0


def stay_first(line_up: tuple[DeploymentSnapshot, ...], stay: Stay, health: Health, now: float) -> tuple[DeploymentSnapshot, ...]:
    """The line-up, led by where the conversation was last as long as that is fit."""
    if line_up[0].id == stay.deployment_id:
        return line_up
    for deployment in line_up:
        if deployment.id == stay.deployment_id and band(deployment, health, now) == READY:
            return (deployment, *(other for other in line_up if other is not deployment))
    return line_up


@dataclass(slots=True, eq=False)
class Sticky:
    stays: "OrderedDict[Who, Stay]" = field(default_factory=OrderedDict)

    def find(self, who: Who, now: float) -> Stay | None:
        stay = self.stays.get(who)
        return stay if stay is not None and now - stay.used_at <= LASTS_S else None

    def note(self, who: Who, deployment: DeploymentSnapshot, model: str, foreign_turns: int, now: float) -> None:
        """The conversation is served here now; thinking in its first `foreign_turns` turns is of other accounts."""
        stay = self.stays.get(who)
        if stay is None:
            self.stays[who] = Stay(deployment.id, account_of(deployment, model), now, foreign_turns)
            if len(self.stays) > MOST:
                self.stays.popitem(last=False)
            return
        if stay.deployment_id != deployment.id:
            stay.deployment_id, stay.account = deployment.id, account_of(deployment, model)
        stay.foreign_turns, stay.used_at = foreign_turns, now
        self.stays.move_to_end(who)
