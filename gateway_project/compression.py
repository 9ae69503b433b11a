"""Text leaves compressed, the console's pages and scripts first of all: a browser gets a fifth of the bytes.

What a page hides does not show in how long it is (BREACH): Django writes every form's token under a new mask into every answer and adds up
to 100 random bytes to each compressed one, and a key's secret stands only in the answer to a form that another site cannot send.
"""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

# Not event streams: they must leave event by event. Not fonts, pictures and workbooks: they are compressed already.
TEXT = frozenset(
    {"text/html", "text/css", "text/csv", "text/plain", "text/javascript", "application/javascript", "application/json", "image/svg+xml"}
)


class CompressText(GZipMiddleware):
    """Whole answers only: of a part (206) the caller counts the bytes."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        kind = response.get("Content-Type", "").partition(";")[0].strip()
        if response.status_code == 206 or kind not in TEXT:
            return response
        return super().process_response(request, response)
