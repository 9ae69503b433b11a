"""How a budget stands: one set of figures and one sentence for the refusal, the API and the pages. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

from billing.money import money


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget's present window. `spent_nano` is what calls have cost, posted or on its way to the ledger; `held_nano` what calls under
    way may still cost, in all processes. `age_s`: how old the figures of other processes are; epoch seconds else.
    """

    budget_id: int
    scope: str
    scope_id: str
    model: str
    mode: str
    amount_nano: int
    spent_nano: int
    held_nano: int
    starts_at: float
    resets_at: float | None
    age_s: float = 0.0

    @property
    def left_nano(self) -> int:
        return max(0, self.amount_nano - self.spent_nano - self.held_nano)

    @property
    def used_percent(self) -> int:
        """Of money spent, without what is held; a budget of nothing is used up."""
        return self.spent_nano * 100 // self.amount_nano if self.amount_nano else 100


def sentence(standing: Standing, name: str) -> str:
    """`The budget of team Blue: $1.20 of $2.00 spent, $0.50 held by calls under way. It resets 01 Dec 2026 00:00 UTC.`"""
    whose = "everyone" if standing.scope == "global" else f"{standing.scope.replace('_', ' ')} {name}"
    if standing.model:
        whose += f" for {standing.model}"
    held = f", {money(standing.held_nano)} held by calls under way" if standing.held_nano else ""
    resets = f" It resets {moment(standing.resets_at)}." if standing.resets_at else ""
    used_up = " is used up" if standing.spent_nano >= standing.amount_nano else ""
    return f"The budget of {whose}{used_up}: {money(standing.spent_nano)} of {money(standing.amount_nano)} spent{held}.{resets}"


def moment(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%d %b %Y %H:%M UTC")
