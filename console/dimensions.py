"""What requests and money are grouped and narrowed by: how each is called in an address, in a roll-up and in a request record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from keys.access import Reach
from keys.models import Membership, Team, User, VirtualKey

# In an address: what has no team, no user, no tag …
NOTHING = "-"
# One value of a group: an id or a name, a day, or an hour.
Value = str | date | datetime


@dataclass(frozen=True, slots=True)
class Dimension:
    """`column` is the roll-up's; of `recorded`, columns of the request record, one must be equal."""

    key: str
    label: Promise
    plural: Promise
    nothing: Promise
    column: str
    recorded: tuple[str, ...]


_ALL = (
    Dimension("team", _("Team"), _("teams"), _("no team"), "team_id", ("team_name", "team_id")),
    Dimension("user", _("User"), _("users"), _("nobody named"), "user_id", ("user_name", "user_id")),
    Dimension("key", _("Key"), _("keys"), _("no key"), "key_id", ("key_name", "key_id")),
    Dimension("model", _("Model"), _("models"), _("no model named"), "route", ("route", "served_model")),
    Dimension("provider", _("Provider"), _("providers"), _("answered by none"), "provider", ("provider",)),
    Dimension("client", _("Client"), _("clients"), _("unknown client"), "client", ("client",)),
    Dimension("centre", _("Cost centre"), _("cost centres"), _("no cost centre"), "cost_centre", ("cost_centre",)),
    Dimension("tag", _("Tag"), _("tags"), _("no tag"), "tag", ()),
)
DIMENSIONS = {one.key: one for one in _ALL}
TIMES: dict[str, Promise] = {"day": _("Day"), "hour": _("Hour")}
# Roll-ups of tags know these besides the time.
BESIDE_TAGS = frozenset({"team", "model", "tag"})


def label(key: str) -> Promise:
    return TIMES[key] if key in TIMES else DIMENSIONS[key].label


def rolled_up(key: str, value: str) -> Q:
    """Roll-ups of an id, or of everything that goes by that name."""
    dimension = DIMENSIONS[key]
    if value == NOTHING:
        return Q((dimension.column, ""))
    return Q((f"{dimension.column}__in", [value, *_ids(key, value)]))


def _ids(key: str, name: str) -> Iterable[str]:
    if key == "team":
        return Team.objects.filter(name=name).values_list("pk", flat=True)
    if key == "user":
        return User.objects.filter(username=name).values_list("pk", flat=True)
    return VirtualKey.objects.filter(name=name).values_list("pk", flat=True) if key == "key" else ()


def names(key: str, values: Iterable[Value]) -> dict[Value, str]:
    """How people call what stands in roll-ups by its id; what has been deleted goes by the id. Times as files write them."""
    wanted = list(values)
    known = _names(key, [value for value in wanted if isinstance(value, str)])
    return {value: known.get(value, "") or _written(key, value) for value in wanted}


def _written(key: str, value: Value) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return str(value) or str(DIMENSIONS[key].nothing)


def _names(key: str, ids: list[str]) -> Mapping[Value, str]:
    if key == "team":
        return dict(Team.objects.filter(pk__in=ids).values_list("pk", "name"))
    if key == "user":
        return dict(User.objects.filter(pk__in=ids).values_list("pk", "username"))
    if key == "key":
        return {one.pk: str(one) for one in VirtualKey.objects.filter(pk__in=ids).only("pk", "name", "last_four")}
    return {}


def shown(known: Reach, key: str, value: str) -> str:
    """A value out of an address, by its name if the visitor may know it."""
    if value == NOTHING and key in DIMENSIONS:
        return str(DIMENSIONS[key].nothing)
    return names(key, [value])[value] if _may_know(known, key, value) else value


def _may_know(known: Reach, key: str, value: str) -> bool:
    if known.sees_money or key not in {"team", "user", "key"}:
        return True
    if key == "key":
        return known.keys().filter(pk=value).exists()
    return known.sees_team(value) if key == "team" else known.sees_person(value)


def people(known: Reach) -> QuerySet[User, str]:
    """Names of those whose traffic the visitor may see."""
    if known.sees_money:
        return User.objects.order_by("username").values_list("username", flat=True)
    led = Membership.objects.filter(team_id__in=known.managed).values("user_id")
    return User.objects.filter(Q(pk=known.person_id) | Q(pk__in=led)).order_by("username").values_list("username", flat=True)
