"""Writes what is wanted, some hundreds of rows in a transaction: new ones, and those of an earlier import that nobody here has changed."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, prefetch_related_objects

from audit.many_rows import add_rows, parts
from audit.rows import ChangeRefused, change_row
from billing.plans import change_plan
from gateway_project.litellm_import.budgets import BudgetWriter
from gateway_project.litellm_import.presence import IMPORT, Kind, removed_ids, rows_here, tokens_elsewhere, touched
from gateway_project.litellm_import.report import Report
from gateway_project.litellm_import.wanted import KEY, PERSON, PLAN, Named, Wanted
from keys.actions import change_user
from keys.models import User

Step = Callable[[int], None]
TAKEN_ELSEWHERE = "another key here has this secret"


@dataclass(slots=True)
class Writer:
    """In a dry run everything is looked up and compared as else, and nothing is written."""

    report: Report
    now: datetime
    is_dry: bool
    budgets: BudgetWriter
    absent: set[Named]

    def write(self, kind: Kind, wanted: Sequence[Wanted], step: Step) -> None:
        gone = removed_ids(kind)
        for part in parts(wanted):
            with nullcontext() if self.is_dry else transaction.atomic():
                self._part(kind, part, gone)
            step(len(part))

    def _part(self, kind: Kind, part: Sequence[Wanted], gone: set[str]) -> None:
        here = rows_here(kind, part)
        elsewhere = tokens_elsewhere(part) if kind.name == KEY else set()
        fresh: list[tuple[Wanted, Model]] = []
        known: list[Wanted] = []
        for one in part:
            if one.id in here:
                known.append(one)
            elif row := self._fresh(kind, one, gone, elsewhere):
                fresh.append((one, row))
        self.report.count(kind.name, "made", len(fresh))
        if not self.is_dry:
            rows = [row for _, row in fresh]
            prefetch_related_objects(rows, *(column.removesuffix("_id") for column in kind.pair))  # the trail names both ends
            add_rows(rows, event=kind.made, actor=IMPORT)
        self._compare(kind, known, here)
        self.budgets.write(kind, [one for one, _ in fresh] + known)

    # ── new rows ──────────────────────────────────────────────────────────────
    def _fresh(self, kind: Kind, one: Wanted, gone: set[str], elsewhere: set[str]) -> Model | None:
        """The row to be, unless something speaks against it."""
        row = _draft(kind, one)
        if one.id in gone:
            self.report.leave(kind.name, one.name, "was removed here since")
        elif reason := self._lacking(one) or (TAKEN_ELSEWHERE if one.id in elsewhere else "") or _problem_with(row):
            self.report.refuse(kind.name, one.name, reason)
        else:
            return row
        self.absent.add((one.kind, one.id))
        return None

    def _lacking(self, one: Wanted) -> str:
        named = next((named for named in one.needs if named in self.absent), None)
        return f"its {named[0]} {named[1]!r} is not here" if named else ""

    # ── rows that are here ────────────────────────────────────────────────────
    def _compare(self, kind: Kind, known: Sequence[Wanted], here: Mapping[str, Any]) -> None:
        differing = {one.id: _differences(one, here[one.id]) for one in known}
        hands = touched(kind.model, [here[name] for name, differences in differing.items() if differences])
        for one in known:
            row, differences = here[one.id], differing[one.id]
            if not differences:
                self.report.count(kind.name, "unchanged")
            elif str(row.pk)[:64] in hands:
                self.report.leave(kind.name, one.name, f"was made or changed here; LiteLLM has another {', '.join(sorted(differences))}")
            elif lacking := self._lacking(one):
                self.report.leave(kind.name, one.name, lacking)
            else:
                self._change(kind, one, row, differences)

    def _change(self, kind: Kind, one: Wanted, row: Any, differences: Mapping[str, Any]) -> None:
        try:
            if not self.is_dry:
                _changes_of(kind)(row, differences)
        except ChangeRefused as error:
            self.report.leave(kind.name, one.name, str(error))
        else:
            self.report.count(kind.name, "changed")


def _draft(kind: Kind, one: Wanted) -> Model:
    own = {} if kind.pair else {"pk": one.id}
    row = kind.model(**own, **one.values, **one.once)
    if isinstance(row, User):
        row.set_unusable_password()
        row.is_staff = row.is_superuser = row.role == User.Role.ADMIN
    return row


def _problem_with(row: Model) -> str:
    """Columns by themselves; names are unique by the mapping, and ids of other systems may hold what usernames may not."""
    skipped = {field.name for field in row._meta.concrete_fields if field.is_relation} | {"username", "password"}
    try:
        row.clean_fields(exclude=skipped)
    except ValidationError as error:
        column, messages = next(iter(error.message_dict.items()))
        return f"{column}: {messages[0]}"
    return ""


def _differences(one: Wanted, row: Any) -> dict[str, Any]:
    return {name: value for name, value in one.values.items() if getattr(row, name) != value}


def _changes_of(kind: Kind) -> Callable[[Any, Mapping[str, Any]], object]:
    """The verb for a row of that kind. People and plans have consequences beyond their row."""
    if kind.name == PERSON:
        return lambda row, changes: change_user(row, changes, actor=IMPORT)
    if kind.name == PLAN:
        return lambda row, changes: change_plan(row, changes, actor=IMPORT)
    return lambda row, changes: change_row(row, changes, event=kind.changed, actor=IMPORT)
