"""How the management API reads and writes JSON: whatever the content type says, and money as exact numbers."""

from decimal import Decimal
from typing import Any

import msgspec
from django.http import HttpRequest
from ninja.parser import Parser
from ninja.renderers import BaseRenderer

from billing import money
from console.management.errors import Refused

_encoder = msgspec.json.Encoder(decimal_format="number")


class JsonParser(Parser):
    """`curl -d` without a header calls its JSON a form; we read JSON all the same."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        try:
            body = msgspec.json.decode(request.body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Refused("The request body is not valid JSON.", type="invalid_request_error", param="request_body") from error
        if not isinstance(body, dict):
            raise Refused("The request body must be a JSON object.", type="invalid_request_error", param="request_body")
        if b"\\u0000" in request.body:
            raise Refused(
                "The request body holds a NUL character, which cannot be stored.", type="invalid_request_error", param="request_body"
            )
        return body


class JsonRenderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return _encoder.encode(data)


def usd(nano: int | None) -> Decimal | None:
    """Nano-USD as the dollars that scripts read, without trailing zeros."""
    if nano is None:
        return None
    dollars = money.usd(nano).normalize()
    return dollars.quantize(Decimal(1)) if dollars == dollars.to_integral() else dollars
