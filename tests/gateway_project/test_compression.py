"""Text leaves compressed and of no telling length; everything else as it is."""

import gzip

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

from gateway_project.compression import CompressText

LONG = b"The same words again. " * 200


def through(response: HttpResponseBase, accepted: str = "gzip") -> HttpResponseBase:
    def view(_request: HttpRequest) -> HttpResponseBase:
        return response

    answer = CompressText(view)(RequestFactory().get("/", headers={"Accept-Encoding": accepted}))
    assert isinstance(answer, HttpResponseBase)
    return answer


@pytest.mark.django_db
def test_page_leaves_compressed() -> None:
    response = Client().get("/accounts/login/", headers={"Accept-Encoding": "gzip, br"})
    assert response["Content-Encoding"] == "gzip"
    assert b"Sign in" in gzip.decompress(response.content)
    assert "Accept-Encoding" in response["Vary"]


def test_same_page_has_no_telling_length() -> None:
    answers = [through(HttpResponse(LONG)) for _ in range(40)]
    assert len({answer["Content-Length"] for answer in answers}) > 1


def test_who_accepts_no_compression_gets_none() -> None:
    assert not through(HttpResponse(LONG), accepted="identity").has_header("Content-Encoding")


@pytest.mark.parametrize("kind", ["text/event-stream", "font/woff2", "image/png", "application/octet-stream"])
def test_streams_of_events_and_what_is_compressed_already_stay_as_they_are(kind: str) -> None:
    assert not through(HttpResponse(LONG, content_type=kind)).has_header("Content-Encoding")


def test_part_of_an_answer_stays_as_it_is() -> None:
    assert not through(HttpResponse(LONG, status=206, content_type="text/css")).has_header("Content-Encoding")


def test_streamed_table_leaves_compressed() -> None:
    response = through(StreamingHttpResponse([LONG, LONG], content_type="text/csv; charset=utf-8"))
    assert isinstance(response, StreamingHttpResponse)
    assert gzip.decompress(b"".join(bytes(part) for part in response)) == LONG * 2
