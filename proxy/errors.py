"""Everything that can end a call badly, and how it is told.

    CallError
    ├── ClientError      the caller's side: bad body, key, model, budget
    │   └── NotTranslatable  what this deployment's dialect cannot say; another's may
    ├── GatewayError     our side: no deployment, overloaded, shutting down
    │   ├── NotReady     this deployment cannot be tried; another may
    │   ├── NotOnRecord  the journal cannot be written: nothing was sent
    │   └── LoopError    the call came from ourselves, more than once
    └── ProviderError    the provider's side, before its answer could be passed on
        ├── Unreachable  no connection: nothing was sent, another attempt is safe
        │   └── AddressRefused  where its name leads we may not go; callers hear only that it could not be reached
        ├── Lost         the connection broke after the request went out
        │   ├── Reset    so hard, or so early in the answer, that a part of it may be lost on the way
        │   └── Stale    it had been kept from an earlier call and was gone before this one: the provider never saw it
        └── TooSlow      a time limit passed

An error knows its status, its code, whose side it is on, whether another attempt may help, and when a caller should come back.
A provider's own error answer is no CallError: it passes as it came.
"""

from collections.abc import Mapping
from typing import ClassVar

from keys.authenticate import Refusal
from routing.dialects.litellm_errors import NO_FACTS

STATUS_OF_REFUSAL = {
    "key_missing": 401, "key_invalid": 401, "key_blocked": 403, "key_expired": 403, "ip_not_allowed": 403, "header_required": 403,
    # 401: only then does Claude Code ask its apiKeyHelper for a new token
    "token_invalid": 401, "token_expired": 401, "team_unknown": 403, "user_unknown": 403,
}  # fmt: skip


class CallError(Exception):
    """`facts` are figures that LiteLLM's words for it name; `words_as` is the code that these stand under, where it is another."""

    source: ClassVar[str] = "gateway"
    facts: Mapping[str, object] = NO_FACTS
    words_as: str = ""

    def __init__(self, status: int, code: str, message: str, *, retry_after_s: int | None = None, error_type: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        self.error_type = error_type

    @property
    def retryable(self) -> bool:
        """Whether another deployment may do better."""
        return False

    @property
    def client_may_retry(self) -> bool:
        """Whether the client's own retry makes sense; told in x-should-retry."""
        return self.status >= 500 or (self.status == 429 and self.code != "budget_exceeded")

    @property
    def noted(self) -> tuple[str, str]:
        """Code and message for the administrator, in the attempt's note."""
        return self.code, self.message

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of the error contract, less the request id."""
        listed = [
            (b"x-tallygate-error-source", self.source.encode()),
            (b"x-tallygate-error-code", self.code.encode()),
            (b"x-should-retry", b"true" if self.client_may_retry else b"false"),
        ]
        if self.retry_after_s is not None:
            listed.append((b"retry-after", str(self.retry_after_s).encode()))
        return listed


class ClientError(CallError):
    source = "client"


class NotTranslatable(ClientError):
    @property
    def retryable(self) -> bool:
        return True


class GatewayError(CallError):
    pass


class NotReady(GatewayError):
    @property
    def retryable(self) -> bool:
        return True


class NotOnRecord(GatewayError):
    pass


class LoopError(GatewayError):
    @property
    def client_may_retry(self) -> bool:
        return False


class ProviderError(CallError):
    source = "provider"

    @property
    def retryable(self) -> bool:
        return True


class Unreachable(ProviderError):
    pass


class AddressRefused(Unreachable):
    def __init__(self, told: Unreachable, reason: str) -> None:
        super().__init__(told.status, told.code, told.message)
        self.reason = reason

    @property
    def noted(self) -> tuple[str, str]:
        return "address_refused", self.reason


class Lost(ProviderError):
    pass


class Reset(Lost):
    pass


class Stale(Lost):
    pass


class TooSlow(ProviderError):
    pass


def not_on_record() -> NotOnRecord:
    text = "The call cannot be put on record now, so it is not made. Gateway's side. Ask your administrator to look at its disk."
    return NotOnRecord(503, "journal_unavailable", text, retry_after_s=10)


def of_refusal(refusal: Refusal) -> ClientError:
    return ClientError(STATUS_OF_REFUSAL[refusal.code], refusal.code, refusal.message)
