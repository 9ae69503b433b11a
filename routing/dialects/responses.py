"""OpenAI's Responses."""

from typing import ClassVar

from routing.dialects import openai_errors
from routing.dialects.base import BadBody
from routing.dialects.body import Raws
from routing.dialects.openai_body import encode, flag
from routing.dialects.openai_family import OpenAIDialect
from routing.dialects.responses_reader import ResponsesReader


class Responses(OpenAIDialect):
    name = family = "responses"
    caps: ClassVar[tuple[str, ...]] = ("max_output_tokens",)
    deciding = frozenset({"model", "stream", "background", *caps})

    def check(self, fields: Raws) -> None:
        if flag(fields, "background"):
            raise BadBody("Invalid 'background': answers made in the background are not served here, for nothing would tell their cost.")

    def error_event(self, status: int, message: str, request_id: str, *, error_type: str = "", code: str = "") -> bytes:
        error = openai_errors.body(status, message, error_type, code)
        told = {"type": "error", "code": error["code"], "message": message, "param": None, "sequence_number": 0, "error": error}
        return b"event: error\ndata: " + encode(told) + b"\n\n"

    def reader(self) -> ResponsesReader:
        return ResponsesReader()


RESPONSES = Responses()
