"""A health check asks one deployment once, and tells what speaks against it."""

import pytest

from routing.failures import Reason
from routing.probe import Outcome
from routing.tasks import check_deployment, reason_of_outcome
from tests.factories import make_deployment


@pytest.mark.django_db
def test_working_deployment_is_found_well() -> None:
    outcome = check_deployment(make_deployment().pk)
    assert outcome is not None
    assert (outcome.ok, reason_of_outcome(outcome)) == (True, None)


@pytest.mark.django_db
def test_failing_deployment_is_found_out() -> None:
    outcome = check_deployment(make_deployment(model="demo-error-529").pk)
    assert outcome is not None
    assert reason_of_outcome(outcome) is Reason.OVERLOADED


@pytest.mark.django_db
def test_deployment_that_is_gone_or_off_is_not_asked() -> None:
    assert check_deployment("nobody") is None
    assert check_deployment(make_deployment(is_active=False).pk) is None


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (0, "timeout", Reason.PROVIDER_ERROR),
        (0, "dns", Reason.PROVIDER_ERROR),
        (401, "credential_refused", Reason.CREDENTIAL_REFUSED),
        (429, "rate_limited", Reason.RATE_LIMITED),
        (500, "provider_error", Reason.PROVIDER_ERROR),
        (400, "request_refused", None),
        (404, "model_unknown", None),
        (0, "credential_unusable", None),
        (0, "address_refused", None),
        (0, "not_served", None),
    ],
)
def test_only_what_the_deployment_can_help_speaks_against_it(status: int, error: str, expected: Reason | None) -> None:
    assert reason_of_outcome(Outcome(False, status, error, 1)) is expected
