"""Refusals of the management API in the shape that LiteLLM's scripts read."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja.errors import HttpError

from audit.rows import ChangeRefused
from console.asker import Overreach
from routing.dialects.litellm_errors import TABLES, Words

# Our names of fields and the names that scripts sent them under.
PARAMS = {
    "name": "key_alias",
    "token": "key",
    "team": "team_id",
    "user": "user_id",
    "organisation": "organization_id",
    "allowed_models": "models",
    "parallel_limit": "max_parallel_requests",
    "amount_nano": "max_budget",
    "period": "budget_duration",
    "expires_at": "duration",
    "email": "user_email",
    "first_name": "user_alias",
    "role": "user_role",
    "overlap": "grace_period",
}


# Whatever else keeps a key out.
OTHERWISE = Words(401, "auth_error", phrase="Authentication Error,")


class Refused(Exception):
    def __init__(self, message: str, *, type: str = "bad_request_error", param: str = "None", status: int = 400) -> None:
        super().__init__(message)
        self.body = {"error": {"message": message, "type": type, "param": param, "code": str(status)}}
        self.status = status


def forbidden(text: str) -> Refused:
    return Refused(f"Authentication Error, {text}", type="auth_error", status=403)


def of_refusal(code: str, message: str) -> Refused:
    """A refusal that the data plane knows too, in the words of the LiteLLM that the operator chose."""
    words = TABLES[settings.TALLYGATE_LITELLM_COMPAT].get(code, OTHERWISE)
    return Refused(words.message(message), type=words.type, param=words.param, status=words.status)


def answer_refused(request: HttpRequest, error: Refused) -> HttpResponse:
    return JsonResponse(error.body, status=error.status)


def answer_change_refused(request: HttpRequest, error: ChangeRefused) -> HttpResponse:
    refusal = Refused(str(error), param=PARAMS.get(error.field, error.field or "None"))
    return answer_refused(request, refusal)


def answer_overreach(request: HttpRequest, error: Overreach) -> HttpResponse:
    return answer_refused(request, forbidden(str(error)))


def answer_unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    """ninja wraps whatever the parser raises; our own refusal is its cause."""
    cause = error.__cause__
    refusal = cause if isinstance(cause, Refused) else Refused(str(error), type="invalid_request_error", status=error.status_code)
    return answer_refused(request, refusal)
