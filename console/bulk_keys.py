"""Many keys from one table: every line is a key, all of them are issued or none."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from audit.rows import ChangeRefused
from console.asker import Asker, Overreach
from console.issue_form import ALL, SOME, IssueForm, teams_to_issue_in
from console.key_issuing import issue_by
from console.spreadsheets import neutral
from console.visitor import said
from keys.models import VirtualKey

COLUMNS = ("name", "team", "owner", "budget", "period", "models", "expires")
MOST = 500
LONGEST = 1_000_000
_DELIMITERS = ",;\t"
_SPLIT = re.compile(r"[,;|\s]+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class LineError:
    number: int
    text: str


class WrongLines(ValueError):
    """What is wrong, line by line. Nothing was issued."""

    def __init__(self, errors: list[LineError]) -> None:
        super().__init__(f"{len(errors)} lines are wrong")
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    cells: dict[str, str]


@sensitive_variables("issued", "token")
def issue_all(by: Asker, text: str) -> list[tuple[VirtualKey, str]]:
    lines = read_lines(text)
    errors: list[LineError] = []
    issued: list[tuple[VirtualKey, str]] = []
    with transaction.atomic():
        for line in lines:
            found, problems = _issue_one(by, line)
            issued += found
            errors += [LineError(line.number, problem) for problem in problems]
        if errors:
            transaction.set_rollback(True)
    if errors:
        raise WrongLines(errors)
    return issued


def read_lines(text: str) -> list[Line]:
    """The first line names the columns, or they stand in the order of COLUMNS."""
    if len(text) > LONGEST:
        raise WrongLines([LineError(0, _("This is too long: at most 1 MB."))])
    first = text.lstrip("\ufeff\r\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise WrongLines([LineError(reader.line_num, _("This is no table: %s") % error)]) from error
    columns, rows = _columns(rows)
    if not rows:
        raise WrongLines([LineError(0, _("There is no line with a key."))])
    if len(rows) > MOST:
        raise WrongLines([LineError(0, _("At most %d keys at once.") % MOST)])
    too_long = [LineError(number, _("There are more cells than columns.")) for number, row in rows if len(row) > len(columns)]
    if too_long:
        raise WrongLines(too_long)
    return [Line(number, dict(zip(columns, row, strict=False))) for number, row in rows]


def _columns(rows: list[tuple[int, list[str]]]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    if not rows or rows[0][1][0].lower() != COLUMNS[0]:
        return list(COLUMNS), rows
    number, named = rows[0]
    columns = [name.lower() for name in named]
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown or len(set(columns)) < len(columns):
        text = _("The columns are %(columns)s, each once. Unknown: %(unknown)s.")
        raise WrongLines([LineError(number, text % {"columns": ", ".join(COLUMNS), "unknown": ", ".join(unknown) or "–"})])
    return columns, rows[1:]


@sensitive_variables("issued")
def _issue_one(by: Asker, line: Line) -> tuple[list[tuple[VirtualKey, str]], list[str]]:
    """The key with its secret, or what is wrong."""
    try:
        form = IssueForm(_data(by, line.cells), by=by)
        if not form.is_valid():
            return [], [f"{_label(form, name)}{text}" for name, texts in form.errors.items() for text in texts]
        with transaction.atomic():
            issued = issue_by(by, form.spec(), form.terms())
    except (ChangeRefused, Overreach) as refusal:
        return [], [said(refusal)]
    return [issued], []


def _label(form: IssueForm, name: str) -> str:
    return f"{form.fields[name].label}: " if name in form.fields else ""


def _data(by: Asker, cells: dict[str, str]) -> dict[str, str]:
    """A line as the form's fields. Who names no owner's column but themselves needs none."""
    models = [name for name in _SPLIT.split(cells.get("models", "")) if name]
    expires, owner = cells.get("expires", ""), cells.get("owner", "")
    own = {str(by.person.email).lower(), by.person.username} if by.person else set()
    if owner and not by.reach.is_admin and not by.reach.managed and owner.lower() not in own:
        raise Overreach(_("only managers issue keys for others."))
    return {
        "name": cells.get("name", ""),
        "team": _team_id(by, cells.get("team", "")),
        "owner": owner,
        "max_budget": cells.get("budget", "").removeprefix("$"),
        "period": "" if cells.get("period", "") in ("-", "never") else cells.get("period", "") or "month",
        "scope": SOME if models else ALL,
        "models": ",".join(models),
        "expires" if not _DAY.fullmatch(expires) else "expires_on": "" if expires == "never" else expires,
    }


def _team_id(by: Asker, named: str) -> str:
    """By name or id. Without a name, the only team there is to choose, but for administrators."""
    teams = teams_to_issue_in(by)
    found = list((teams.filter(name=named) | teams.filter(pk=named) if named else teams)[:2])
    if not named:
        return found[0].pk if len(found) == 1 and not by.sees_all else ""
    if not found:
        raise Overreach(_("there is no team %r in which you issue keys.") % named)
    if len(found) > 1:
        raise Overreach(_("several teams are named %r. Write the team's id.") % named)
    return found[0].pk


@sensitive_variables("issued", "token", "out")
def as_csv(issued: Iterable[tuple[VirtualKey, str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["name", "secret", "team", "owner", "expires"])
    for key, token in issued:
        expires = timezone.localtime(key.expires_at).isoformat(timespec="minutes") if key.expires_at else ""
        cells = [key.name, token, key.team.name if key.team else "", key.user.username if key.user else "", expires]
        writer.writerow([neutral(cell) for cell in cells])
    return out.getvalue()
