"""A report as JSON, CSV, XLSX or a page of our own: DRF's page wants inline scripts and styles, which our content policy forbids."""

import json
from collections.abc import Mapping
from itertools import islice
from shlex import quote
from typing import Any

from django.urls import reverse
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer
from rest_framework.utils.urls import remove_query_param, replace_query_param

from console.connect_blocks import address_of
from console.reports.cells import as_csv, as_xlsx
from console.reports.tables import Table, json_of, text_of

# A page shows no more lines than somebody looks through; files hold all.
SHOWN = 500
# How the names of columns end that are set to the right.
NUMBERS = ("_usd", "_nano", "_tokens", "requests", "_ms", "_percent")
Context = Mapping[str, Any]


class Json(BaseRenderer):
    media_type, format, charset = "application/json", "json", None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Context | None = None) -> bytes:
        body = _body(data) if isinstance(data, Table) else data
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() if data is not None else b""


class Csv(BaseRenderer):
    media_type, format, charset = "text/csv", "csv", "utf-8"

    def render(self, data: Table, accepted_media_type: str | None = None, renderer_context: Context | None = None) -> bytes:
        return _named(as_csv(data), data, self.format, renderer_context or {})


class Xlsx(BaseRenderer):
    media_type, format, charset = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx", None
    render_style = "binary"

    def render(self, data: Table, accepted_media_type: str | None = None, renderer_context: Context | None = None) -> bytes:
        return _named(as_xlsx(data), data, self.format, renderer_context or {})


class Page(BrowsableAPIRenderer):
    """For people in a browser: the report as a table, its filters as a form, the ways to take it along."""

    format, template = "html", "reports/report.html"

    def get_context(self, data: Any, accepted_media_type: str, renderer_context: Context) -> dict[str, Any]:
        request, response, view = (renderer_context[name] for name in ("request", "response", "view"))
        address = remove_query_param(request.get_full_path(), "format")
        context = {
            "title": view.get_view_name(), "meaning": view.meaning, "status": response.status_code,
            "asked": None if response.status_code == 401 else view.form(),
            "frame": "base.html" if request.user and request.user.is_authenticated else "entrance.html",
            "formats": [(one.upper(), replace_query_param(address, "format", one)) for one in ("json", "csv", "xlsx")],
            "command": f'curl -H "x-api-key: $TALLYGATE_KEY" {quote(address_of(request) + address)}',
            "is_index": request.path == reverse("reports"), "login": f"{reverse('account_login')}?next={request.path}",
        }  # fmt: skip
        return context | (_shown(data) if isinstance(data, Table) else {"problems": _problems(data)})


class ByNameOrAccept(DefaultContentNegotiation):
    def filter_renderers(self, renderers: list[Any], format: str) -> list[Any]:
        found = [one for one in renderers if one.format == format]
        if not found:
            raise ValidationError({"format": [f"{format!r} is none of: {', '.join(one.format for one in renderers)}."]})
        return found


def _body(table: Table) -> dict[str, Any]:
    results = [{name: json_of(row.get(name)) for name in table.names} for row in table.rows]
    facts = {name: _fact(value) for name, value in table.facts.items()}
    return {"report": table.report, **facts, "next": table.following(), "results": results}


def _fact(value: Any) -> Any:
    return {name: json_of(one) for name, one in value.items()} if isinstance(value, dict) else value


def _named(body: bytes, table: Table, ending: str, context: Context) -> bytes:
    """The file's name, and where the next one is if it could not hold all."""
    response = context["response"]
    day = "_".join(str(table.facts[name])[:10] for name in ("from", "until") if name in table.facts)
    response["Content-Disposition"] = f'attachment; filename="{"_".join(filter(None, ("tallygate", table.report, day)))}.{ending}"'
    if following := table.following():
        response["Link"] = f'<{following}>; rel="next"'
    return body


def _shown(table: Table) -> dict[str, Any]:
    columns = [(column, column.name.endswith(NUMBERS)) for column in table.columns]
    rows = [[(text_of(row.get(one.name)), is_number) for one, is_number in columns] for row in islice(table.rows, SHOWN + 1)]
    facts = [(name, value) for name, value in table.facts.items() if not isinstance(value, dict)]
    return {
        "columns": columns, "rows": rows[:SHOWN], "is_cut": len(rows) > SHOWN, "shown": SHOWN,
        "facts": facts, "following": table.following(),
    }  # fmt: skip


def _problems(data: Any) -> list[tuple[str, str]]:
    if not isinstance(data, dict):
        return [("", text_of(data))]
    return [("" if name == "detail" else name, " ".join(texts) if isinstance(texts, list) else str(texts)) for name, texts in data.items()]
