"""From how a try ended to what is wrong and what to do about it."""

import socket
import ssl

import httpx
import pytest

from routing.diagnosis import SENTENCES, of_answer, of_failure
from routing.dialects.base import Told


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(("error", "kind"), [
    (socket.gaierror(-2, "Name or service not known"), "dns"),
    (caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError("self-signed certificate")), "tls"),
    (httpx.ConnectTimeout("slow"), "timeout"),
    (httpx.ReadTimeout("slow"), "timeout"),
    (TimeoutError(), "timeout"),
    (ConnectionRefusedError(), "unreachable"),
    (httpx.RemoteProtocolError("garbage"), "unreachable"),
])  # fmt: skip
def test_try_without_an_answer(error: Exception, kind: str) -> None:
    assert of_failure(error) == kind


@pytest.mark.parametrize(("told", "kind"), [
    (Told(401, "authentication_error", "invalid x-api-key"), "credential_refused"),
    (Told(403, "permission_error", "The security token included in the request is invalid."), "credential_refused"),
    (Told(403, "permission_error", "You don't have access to the model with the specified model ID."), "model_access"),
    (Told(403, "permission_error", "Permission 'aiplatform.endpoints.predict' denied on resource '//...'"), "model_access"),
    (Told(400, "invalid_request_error", "Invocation of model ID x with on-demand throughput isn't supported."), "region"),
    (Told(400, "invalid_request_error", "The provided model identifier is invalid."), "model_unknown"),
    (Told(404, "not_found_error", "model: claude-x"), "model_unknown"),
    (Told(404, "not_found_error", "The API deployment for this resource does not exist.", "DeploymentNotFound"), "model_unknown"),
    (Told(429, "rate_limit_error", "You exceeded your current quota", "insufficient_quota"), "quota"),
    (Told(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."), "quota"),
    (Told(402, "billing_error", "Pay."), "quota"),
    (Told(429, "rate_limit_error", "Slow down."), "rate_limited"),
    (Told(529, "overloaded_error", "Overloaded"), "overloaded"),
    (Told(503, "api_error", ""), "overloaded"),
    (Told(500, "api_error", ""), "provider_error"),
    (Told(302, "", ""), "provider_error"),
    (Told(400, "invalid_request_error", "max_tokens: too small"), "request_refused"),
])  # fmt: skip
def test_refusal(told: Told, kind: str) -> None:
    assert of_answer(told) == kind


def test_every_sentence_says_what_to_do_or_that_nothing_is_to_be_done() -> None:
    assert all(text.endswith(".") for text in SENTENCES.values())
