"""What all dialects of Bedrock have in common: AWS's way of telling errors, its frames, the model in the path. Pure."""

import msgspec

from routing.dialects import aws_errors
from routing.dialects.base import EVENTSTREAM, NOTHING, Ask, Dialect, Fields, PathAsk, Told
from routing.dialects.body import Raws
from routing.dialects.messages import checked_model, top_level
from routing.dialects.pieces import Body, object_of
from routing.wire import eventstream

_encoder = msgspec.json.Encoder()


class AwsSide(Dialect):
    """How AWS's clients are told of errors, and its errors are read; for every dialect of Bedrock."""

    errors = "aws"
    framing = EVENTSTREAM
    statuses = {529: 503}  # what AWS has no status for
    stream_type = b"application/vnd.amazon.eventstream"
    id_header = b"x-amzn-requestid"
    ping = b""

    def error_body(self, status: int, message: str, request_id: str, *, error_type: str = "", code: str = "") -> bytes:
        return _encoder.encode({"message": message})

    def error_headers(self, status: int, error_type: str = "") -> list[tuple[bytes, bytes]]:
        return [(b"content-type", b"application/json"), (aws_errors.ERROR_TYPE, aws_errors.name_for(status, error_type).encode())]

    def error_event(self, status: int, message: str, request_id: str, *, error_type: str = "", code: str = "") -> bytes:
        return eventstream.exception(aws_errors.fault_for(error_type, status), message)

    def read_error(self, status: int, headers: Fields, body: bytes) -> Told:
        return aws_errors.read_error(status, headers, body)


class OwnBody(AwsSide):
    """A body that is the model's or the operation's own, and goes on as it came."""

    def most_output(self, fields: Raws) -> int:
        """What `Ask.max_tokens` is; raises BadBody."""
        raise NotImplementedError

    def read(self, body: bytes, path: PathAsk = NOTHING, *, counts_only: bool = False) -> Ask:
        fields = top_level(body)
        return Ask(fields, checked_model(path.model), bool(path.is_stream), 0 if counts_only else self.most_output(fields), len(body))

    def write(self, ask: Ask, model: str) -> Body:
        return object_of(ask.fields, ask.size)
