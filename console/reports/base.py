"""What all reports share: who reads, what was asked and checked, one answer in the form that was asked for."""

from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError as Wrong
from django.db.models import Model, QuerySet
from django.utils.cache import patch_vary_headers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from console.reports.filters import Asked, no_such
from console.reports.keyset import Keyset
from console.reports.readers import reach_of_reader
from console.reports.renderers import SHOWN, ByNameOrAccept, Csv, Json, Page, Xlsx
from console.reports.span import Span
from console.reports.tables import Column, Row, Table
from keys.access import Reach

# Lines of one answer.
USUAL, IN_JSON, IN_FILES = 100, 1000, 50_000
CURRENCY = "USD"
# Of sums: the same days and months are other ones elsewhere.
CUT_IN = ("time_zone",)


class Report(APIView):
    """`filters` are the names it can be asked for. Refusals are JSON, or a page, even where a file was asked for."""

    http_method_names = ["get", "head"]
    content_negotiation_class = ByNameOrAccept
    renderer_classes = [Json, Page, Csv, Xlsx]
    title = ""
    meaning = ""
    kind: type[Model]
    filters: type[Asked] | None = None
    further: tuple[str, ...] = ("format",)

    def get(self, request: Request) -> Response:
        return Response(self.table(self.checked()))

    def table(self, asked: Asked | None) -> Table:
        raise NotImplementedError

    def checked(self) -> Asked | None:
        asked = self._asked()
        if asked is None:
            wrong = {name: [no_such(self.further)] for name in self.request.query_params if name not in self.further}
        else:
            wrong = asked.wrong(self.further)
        if wrong:
            raise ValidationError(wrong)
        return asked

    def _asked(self) -> Asked | None:
        return self.filters(self.request.query_params, queryset=self.kind._default_manager.none()) if self.filters else None

    def form(self) -> forms.Form | None:
        """As the page shows it, with what was asked."""
        asked = self._asked()
        return asked.form if asked else None

    @property
    def reader(self) -> Reach:
        return reach_of_reader(self.request)

    def get_view_name(self) -> str:
        return self.title

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        if response.exception and isinstance(getattr(request, "accepted_renderer", None), Csv | Xlsx):
            request.accepted_renderer, request.accepted_media_type = Json(), Json.media_type
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "private, no-store"
        patch_vary_headers(response, ("Accept", "Authorization", "Cookie", "X-Api-Key"))
        return response


class Listing(Report):
    """A report of rows, page by page: `listed` are those that the reader may see."""

    columns: tuple[Column, ...] = ()
    in_rows: tuple[str, ...] = ()
    order: tuple[str, str] = ("", "")
    further = ("format", "page_size", "cursor")

    def table(self, asked: Asked | None) -> Table:
        span = asked.form.cleaned_data.get("span") if asked else None
        page = self._page(self.narrowed(asked))

        def rows() -> Iterator[Row]:
            for chunk in page.chunks():
                yield from self.describe(chunk, span)

        def following() -> str | None:
            return self.address_behind(page.cursor) if page.cursor else None

        facts = {**(span.facts if span else {}), "currency": CURRENCY}
        return Table(self.title.lower(), self.columns, rows(), facts, following, self.in_rows)

    def address_behind(self, cursor: str) -> str:
        return str(replace_query_param(self.request.build_absolute_uri(), "cursor", cursor))

    def listed(self) -> QuerySet[Any]:
        raise NotImplementedError

    def narrowed(self, asked: Asked | None) -> QuerySet[Any]:
        return asked.rows(self.listed()) if asked else self.listed()

    def describe(self, chunk: Sequence[Any], span: Span | None) -> list[Row]:
        raise NotImplementedError

    def _page(self, rows: QuerySet[Any]) -> Keyset:
        try:
            return Keyset(rows, self.order, self._page_size(), self.request.query_params.get("cursor", ""))
        except Wrong as wrong:
            raise ValidationError({"cursor": wrong.messages}) from wrong

    def _page_size(self) -> int:
        usual, most = _SIZES.get(self.request.accepted_renderer.format, (IN_FILES, IN_FILES))
        text = self.request.query_params.get("page_size") or str(usual)
        if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most):
            raise ValidationError({"page_size": [f"It is a whole number from 1 to {most} for this format."]})
        return int(text)


_SIZES = {"json": (USUAL, IN_JSON), "html": (USUAL, SHOWN)}
