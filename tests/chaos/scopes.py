"""Who calls in the rig, and the budgets over them: tight and wide ones, some that reset during the run, some that are soon spent."""

from dataclasses import dataclass

ORGANISATION = "acme"
TEAMS = ("blue", "green")
CENT = 10_000_000


@dataclass(frozen=True, slots=True)
class Key:
    """`rpm` is its limit on requests a minute, where it has one."""

    name: str
    team: str
    rpm: int | None = None

    @property
    def token(self) -> str:
        return f"sk-chaos-{self.name}"


@dataclass(frozen=True, slots=True)
class Limit:
    """A budget; `name` is that of the key, team or organisation."""

    scope: str
    name: str
    amount_nano: int
    period: str = ""
    mode: str = "hard"


@dataclass(frozen=True, slots=True)
class Cast:
    keys: tuple[Key, ...]
    limits: tuple[Limit, ...] = ()


CROWD = Cast(
    (Key("tight", "blue"), Key("strict", "blue"), Key("spent", "green"), Key("wide", "green"), Key("free", "green")),
    (
        Limit("key", "tight", 30 * CENT, "5s"),
        Limit("key", "strict", 60 * CENT, "8s", "strict"),
        Limit("key", "spent", 8 * CENT),
        Limit("key", "wide", 2000 * CENT, "15s"),
        Limit("team", "blue", 150 * CENT, "10s"),
        Limit("team", "green", 1500 * CENT, "12s"),
        Limit("organisation", ORGANISATION, 3000 * CENT, "20s"),
        Limit("global", "", 200_000 * CENT),
    ),
)
