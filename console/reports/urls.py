"""Addresses of the reporting API, and its index, which says what there is and how to ask for it."""

from django.urls import path, reverse

from console.reports.base import Report
from console.reports.chargeback import Chargeback
from console.reports.filters import Asked
from console.reports.lists import Budgets, Keys, Ledger, Requests, Teams
from console.reports.sessions import Sessions
from console.reports.spend import Spend
from console.reports.tables import Column, Row, Table

REPORTS: tuple[type[Report], ...] = (Spend, Chargeback, Ledger, Requests, Sessions, Budgets, Keys, Teams)


class Index(Report):
    title = "Reports"
    meaning = (
        "What there is to read. Ask as yourself, signed in or with a virtual key as Authorization: Bearer ... or x-api-key: ...: "
        "administrators and finance read everything, managers their teams, everybody their own. Add format=json, csv or xlsx. "
        "Amounts are US dollars to the last digit, and whole nano-dollars beside them."
    )
    columns = (
        Column("report", "its name"),
        Column("address", "where it is"),
        Column("meaning", "what it tells"),
        Column("filters", "what it can be asked for"),
    )

    def table(self, asked: Asked | None) -> Table:
        rows: list[Row] = [
            {"report": one.title, "address": reverse(f"report_{one.title.lower()}"), "meaning": one.meaning, "filters": _names(one)}
            for one in REPORTS
        ]
        return Table("reports", self.columns, rows)


def _names(report: type[Report]) -> list[str]:
    if report.filters is None:
        return [*report.further]
    return [*report.filters(queryset=report.kind._default_manager.none()).form.fields, *report.further]


urlpatterns = [
    path("", Index.as_view(), name="reports"),
    *(path(f"{report.title.lower()}/", report.as_view(), name=f"report_{report.title.lower()}") for report in REPORTS),
]
