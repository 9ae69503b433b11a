"""What is wrong with a deployment, in one line: from how a try ended to a class of failure and what to do about it. Pure.

The sentences never hold what a provider wrote: whoever may press a test button need not be who may read its answers.
"""

import re
import socket
import ssl

from routing.dialects.base import Told

SENTENCES = {
    "": "It answers.",
    "dns": "The name of its address is not known. Check the address, the region and the resolver of this machine.",
    "unreachable": "No connection to its address. Check the address, and firewalls on the way.",
    "tls": "Its certificate is not trusted, or it speaks no TLS. Check the address; a private authority goes into SSL_CERT_FILE.",
    "timeout": "It does not answer in time. Check the address and the network.",
    "address_refused": "Its address lies in a private or reserved range. The operator can allow that range in TALLYGATE_EGRESS_ALLOW.",
    "credential_unusable": "Its key cannot be read. Enter it again, or set what the reference names.",
    "credential_refused": "The provider does not accept the key. It may be wrong, expired or of another account.",
    "model_access": "The key is good, but may not use this model. Ask for access in the provider's console.",
    "model_unknown": "The provider does not know this model under this name. Check the model id and the region.",
    "region": "The model is not served this way in this region. Try an inference profile (us., eu., global.) or another region.",
    "quota": "The account has no credit or no quota left. See the provider's billing page.",
    "rate_limited": "The provider limits the rate of calls now. Its key works.",
    "overloaded": "The provider is overloaded now. Its key works.",
    "request_refused": "The provider refuses the smallest call there is. Check the model and the way (api) it is called.",
    "not_served": "This deployment cannot be called as it is set up: a part of its address is missing or malformed.",
    "provider_error": "The provider failed. Try again later.",
}
_region = re.compile(
    r"on-demand throughput isn.t supported|not (?:available|supported) in (?:this|your|the) (?:region|location)|inference profile",
    re.IGNORECASE,
)
_access = re.compile(
    r"access to (?:the|this) model|model access|not have access|not authorized to (?:perform|invoke)|permission .* denied on resource",
    re.IGNORECASE,
)
_model = re.compile(
    r"model identifier is invalid"
    r"|(?:model|deployment).{0,120}(?:not found|not exist|unknown|not supported)",
    re.IGNORECASE,
)
_quota = re.compile(r"insufficient_quota|exceeded your current quota|credit balance|billing|payment", re.IGNORECASE)


def of_failure(error: BaseException) -> str:
    """The class of a try that got no answer."""
    causes = list(_chain(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "dns"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "tls"
    if any(isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__ for cause in causes):
        return "timeout"
    return "unreachable"


def of_answer(told: Told) -> str:
    """The class of a refusal, as its dialect reads it."""
    text = f"{told.code} {told.kind} {told.message}"
    for pattern, kinds, kind in (
        (_quota, {400, 402, 403, 429}, "quota"),
        (_region, {400, 403, 404}, "region"),
        (_access, {400, 403, 404}, "model_access"),
        (_model, {400, 404}, "model_unknown"),
    ):
        if told.status in kinds and pattern.search(text):
            return kind
    return _BY_STATUS.get(told.status, "provider_error" if not 400 <= told.status < 500 else "request_refused")


_BY_STATUS = {
    401: "credential_refused",
    402: "quota",
    403: "credential_refused",
    404: "model_unknown",
    429: "rate_limited",
    503: "overloaded",
    529: "overloaded",
}


def _chain(error: BaseException | None) -> "list[BaseException]":
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
