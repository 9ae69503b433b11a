"""Why an attempt came to nothing, in one word, and what follows: for the deployment, and for where the call may still go. Pure."""

import re
from enum import Enum


class Reason(Enum):
    """The value is the word on the request page and in the headers."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    PROVIDER_ERROR = "provider_error"
    CREDENTIAL_REFUSED = "credential_refused"
    MODEL_UNKNOWN = "model_unknown"
    PROMPT_TOO_LONG = "prompt_too_long"
    CONTENT_REFUSED = "content_refused"
    THINKING_REFUSED = "thinking_refused"
    REQUEST_REFUSED = "request_refused"

    @property
    def is_transient(self) -> bool:
        """Nothing was made and nothing is billed, and a moment later the same deployment may do better."""
        return self in _TRANSIENT

    @property
    def helps_elsewhere(self) -> bool:
        """Whether another deployment of the same model may do better."""
        return self in _TRANSIENT or self in {Reason.CREDENTIAL_REFUSED, Reason.MODEL_UNKNOWN}

    @property
    def counts(self) -> bool:
        """Whether it speaks against the deployment. What the caller's own request brought about does not."""
        return self in _TRANSIENT or self is Reason.CREDENTIAL_REFUSED


_TRANSIENT = frozenset({Reason.RATE_LIMITED, Reason.OVERLOADED, Reason.PROVIDER_ERROR})
_BY_STATUS = {
    401: Reason.CREDENTIAL_REFUSED,
    402: Reason.CREDENTIAL_REFUSED,
    403: Reason.CREDENTIAL_REFUSED,
    404: Reason.MODEL_UNKNOWN,
    408: Reason.PROVIDER_ERROR,
    424: Reason.PROVIDER_ERROR,  # how Bedrock says that a model failed
    429: Reason.RATE_LIMITED,
    503: Reason.OVERLOADED,
    529: Reason.OVERLOADED,
}
# Providers say these things under 400, 413 and 422 alike, so the words decide. Gaps are bounded: the text is not ours.
_TOO_LONG = re.compile(
    r"prompt is too long|input is too long|context_length_exceeded|contextwindowexceeded|maximum context length|max(?:imum)? input tokens"
    r"|exceed\w*.{0,60}context|context.{0,60}exceed|token count.{0,60}exceed|reduce the length of the (?:messages|prompt|input)",
    re.IGNORECASE,
)
_CONTENT = re.compile(
    r"content_filter|content_policy|responsibleaipolicyviolation|content (?:filter|polic|management|safety)|safety system|usage polic"
    r"|guardrail.{0,40}(?:interven|block)|prohibited_content",
    re.IGNORECASE,
)
_THINKING = re.compile(r"signature.{0,40}thinking|thinking.{0,80}bound to a different", re.IGNORECASE)
_EMPTY_ACCOUNT = re.compile(r"credit balance is too low|spend limit|insufficient_quota", re.IGNORECASE)
_IN_WORDS = (
    (_TOO_LONG, Reason.PROMPT_TOO_LONG),
    (_THINKING, Reason.THINKING_REFUSED),
    (_CONTENT, Reason.CONTENT_REFUSED),
    (_EMPTY_ACCOUNT, Reason.CREDENTIAL_REFUSED),
)
_WORDY = frozenset({400, 413, 422})
_LONGEST_TEXT = 2000


def reason_of(status: int, message: str = "", code: str = "") -> Reason:
    """What a provider's refusal (400 and above) means; `message` and `code` are its own words."""
    if status in _WORDY:
        text = f"{code} {message[:_LONGEST_TEXT]}"
        return next((reason for words, reason in _IN_WORDS if words.search(text)), Reason.REQUEST_REFUSED)
    return _BY_STATUS.get(status, Reason.PROVIDER_ERROR if status >= 500 and status not in _LASTING else Reason.REQUEST_REFUSED)


# Not implemented, and our own word for a call that goes round in circles.
_LASTING = frozenset({501, 508})
