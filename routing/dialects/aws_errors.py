"""How AWS puts errors: a name in a header or a frame, a message in the body; and what they are in Anthropic's words, both ways."""

import re

import msgspec

from routing.dialects.base import UNREADABLE, Fields, Told

ERROR_TYPE = b"x-amzn-errortype"
# What AWS calls it: (status our caller gets, Anthropic's type). What is wrong with our own credential is none of the caller's business.
KINDS = {
    "validation": (400, "invalid_request_error"),
    "servicequotaexceeded": (429, "rate_limit_error"),
    "accessdenied": (403, "permission_error"),
    "unrecognizedclient": (500, "api_error"),
    "expiredtoken": (500, "api_error"),
    "invalidsignature": (500, "api_error"),
    "incompletesignature": (500, "api_error"),
    "missingauthenticationtoken": (500, "api_error"),
    "resourcenotfound": (404, "not_found_error"),
    "modeltimeout": (504, "timeout_error"),
    "modelerror": (500, "api_error"),
    "modelstreamerror": (500, "api_error"),
    "throttling": (429, "rate_limit_error"),
    "modelnotready": (429, "rate_limit_error"),
    "internalserver": (500, "api_error"),
    "serviceunavailable": (529, "overloaded_error"),
}
BY_STATUS = {
    400: (400, "invalid_request_error"),
    401: (500, "api_error"),
    403: (403, "permission_error"),
    404: (404, "not_found_error"),
    408: (504, "timeout_error"),
    413: (413, "request_too_large"),
    424: (500, "api_error"),
    429: (429, "rate_limit_error"),
    503: (529, "overloaded_error"),
    504: (504, "timeout_error"),
    529: (529, "overloaded_error"),
}
# The other way round: what a caller's AWS client is told, by Anthropic's type and, where there is none, by status.
NAMES = {
    "invalid_request_error": "ValidationException",
    "authentication_error": "UnrecognizedClientException",
    "billing_error": "ServiceQuotaExceededException",
    "permission_error": "AccessDeniedException",
    "not_found_error": "ResourceNotFoundException",
    "request_too_large": "ValidationException",
    "rate_limit_error": "ThrottlingException",
    "timeout_error": "ModelTimeoutException",
    "overloaded_error": "ServiceUnavailableException",
    "api_error": "InternalServerException",
}
NAMES_BY_STATUS = {
    401: "UnrecognizedClientException",
    402: "ServiceQuotaExceededException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
    529: "ServiceUnavailableException",
}
VALIDATION = "validationException"
FAULTS = {
    "invalid_request_error": VALIDATION,
    "authentication_error": VALIDATION,
    "billing_error": VALIDATION,
    "permission_error": VALIDATION,
    "not_found_error": VALIDATION,
    "request_too_large": VALIDATION,
    "rate_limit_error": "throttlingException",
    "timeout_error": "modelStreamErrorException",
    "overloaded_error": "serviceUnavailableException",
    "api_error": "internalServerException",
}
# Claude Code compacts its conversation on this phrase.
TOO_LONG = re.compile(r"input is too long for requested model", re.IGNORECASE)
PROMPT_TOO_LONG = "prompt is too long: "


class _Body(msgspec.Struct):
    message: str | None = None
    Message: str | None = None
    type: str | None = msgspec.field(name="__type", default=None)


_body = msgspec.json.Decoder(_Body)


def read_error(status: int, headers: Fields, body: bytes) -> Told:
    """A refusal in AWS's shape. A body that is something else is told by its status."""
    try:
        found = _body.decode(body)
    except UNREADABLE:
        found = _Body()
    named = next((value.decode("latin-1") for name, value in headers if name == ERROR_TYPE), found.type or "")
    name = bare_name(named)
    status, kind = KINDS.get(_key(name)) or BY_STATUS.get(status, (status, "api_error" if status >= 500 else "invalid_request_error"))
    return Told(status, kind, plain_message(found.message or found.Message or ""), code=name)


def bare_name(told: str) -> str:
    """`ThrottlingException` of `ThrottlingException:http://internal/` and of `com.amazonaws.bedrock#ThrottlingException`."""
    return told.partition(":")[0].rpartition("#")[2].strip()[:100]


def _key(name: str) -> str:
    return name.removesuffix("Exception").lower()


def kind_of(name: str) -> str:
    """Anthropic's type for a fault inside a stream."""
    return KINDS.get(_key(name), (500, "api_error"))[1]


def plain_message(message: str) -> str:
    message = message[:1000]
    return PROMPT_TOO_LONG + message if TOO_LONG.search(message) else message


def message_of(payload: bytes) -> str:
    """The text in a fault's frame."""
    try:
        found = _body.decode(payload)
    except UNREADABLE:
        return ""
    return plain_message(found.message or found.Message or "")


def name_for(status: int, kind: str = "") -> str:
    """What AWS calls a refusal of ours."""
    return NAMES.get(kind) or NAMES_BY_STATUS.get(status, "ValidationException" if status < 500 else "InternalServerException")


def fault_for(kind: str, status: int = 500) -> str:
    """The same inside a stream. Of a name that is not among these AWS's clients do not even read the message."""
    return FAULTS.get(kind) or FAULTS.get(BY_STATUS.get(status, (0, ""))[1]) or (VALIDATION if status < 500 else "internalServerException")
