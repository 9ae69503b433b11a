"""/customer/… at LiteLLM's paths, in LiteLLM's shapes, and under their older name /end_user/…. Their customer is our end user."""

from typing import Annotated, Any, Literal

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from billing.models import Budget
from console import use_cases
from console.management.askers import any_administrator
from console.management.auth import actor_by_key
from console.management.customer_rows import REGION, customer_row, customer_rows
from console.management.errors import Refused
from console.management.fields import MoneyByModel, name_ignored
from console.management.key_fields import plain_changes
from console.management.terms import set_money
from console.management.user_fields import Text
from keys.models import EndUser
from keys.people_actions import block_end_user, change_end_user, create_end_user, known_end_user, unblock_end_user

router = Router(tags=["customers"], auth=any_administrator)

LARGEST_PAGE = 1000
# Their field → ours, and what ours is without a value.
PLAIN: dict[str, tuple[str, Any]] = {"alias": ("name", ""), "blocked": ("is_blocked", False), "default_model": ("default_model", "")}
# Kept and shown, with no effect on calls.
NO_EFFECT = ("default_model", REGION)

Row = dict[str, Any]
CustomerId = Annotated[str, Field(min_length=1, max_length=200)]


class CustomerFields(MoneyByModel):
    user_id: CustomerId
    alias: str | None = Field(None, max_length=200)
    blocked: bool | None = None
    default_model: str | None = Field(None, max_length=200)
    allowed_model_region: Literal["eu", "us"] | None = None

    def changes(self, known: EndUser | None = None) -> dict[str, Any]:
        """Only what was sent; null is the field without a value."""
        changes = plain_changes(self, PLAIN)
        if REGION in self.model_fields_set:
            kept = {name: value for name, value in (known.metadata if known else {}).items() if name != REGION}
            changes["metadata"] = kept | ({REGION: self.allowed_model_region} if self.allowed_model_region else {})
        return changes | self.kept(known.extra if known else {})

    def ignored(self) -> dict[str, Any]:
        return super().ignored() | {name: getattr(self, name) for name in NO_EFFECT if getattr(self, name)}


class NamedCustomers(Schema):
    user_ids: list[CustomerId] = Field(min_length=1)


class Listed(Schema):
    page: int = Field(1, ge=1, le=10**6)
    page_size: int = Field(50, ge=1, le=LARGEST_PAGE)
    search: Text = ""


@router.post("/customer/new")
@router.post("/end_user/new", include_in_schema=False)
def new_customer(request: HttpRequest, response: HttpResponse, asked: CustomerFields) -> Row:
    actor = actor_by_key(request)
    if EndUser.objects.filter(pk=asked.user_id).exists():
        raise Refused(f"There is a customer with user_id={asked.user_id} already.", param="user_id")
    with transaction.atomic():
        customer = create_end_user(EndUser(id=asked.user_id, **asked.changes()), actor=actor)
        set_money(Budget.Scope.END_USER, customer.pk, asked, actor=actor)
    name_ignored(response, asked.ignored())
    return customer_row(customer, timezone.now())


@router.post("/customer/update")
@router.post("/end_user/update", include_in_schema=False)
def update_customer(request: HttpRequest, response: HttpResponse, asked: CustomerFields) -> Row:
    """Fields that are not sent stay as they are; null takes a value away."""
    customer, actor = named_customer(asked.user_id), actor_by_key(request)
    with transaction.atomic():
        changed = change_end_user(customer, asked.changes(customer), actor=actor)
        set_money(Budget.Scope.END_USER, changed.pk, asked, actor=actor)
    name_ignored(response, asked.ignored())
    return customer_row(changed, timezone.now())


@router.post("/customer/delete")
@router.post("/end_user/delete", include_in_schema=False)
def delete_customers(request: HttpRequest, asked: NamedCustomers) -> Row:
    """All of them or none, with their budgets. Who was blocked is so no more."""
    customers = [named_customer(user_id) for user_id in dict.fromkeys(asked.user_ids)]
    with transaction.atomic():
        for customer in customers:
            use_cases.delete_end_user_with_budgets(customer, actor=actor_by_key(request))
    names = ", ".join(customer.pk for customer in customers)
    return {"deleted_customers": len(customers), "message": f"Deleted: {names}"}


@router.post("/customer/block")
@router.post("/end_user/block", include_in_schema=False)
def block_customers(request: HttpRequest, asked: NamedCustomers) -> Row:
    """Calls that name them are refused with a 403. Somebody unknown so far gets a row."""
    actor = actor_by_key(request)
    with transaction.atomic():
        blocked = [block_end_user(known_end_user(user_id, actor=actor), actor=actor) for user_id in dict.fromkeys(asked.user_ids)]
    return {"blocked_users": customer_rows(blocked, timezone.now())}


@router.post("/customer/unblock")
@router.post("/end_user/unblock", include_in_schema=False)
def unblock_customers(request: HttpRequest, asked: NamedCustomers) -> Row:
    """Answers who is blocked still. Somebody who was not blocked, or is not known, is not blocked after it either."""
    with transaction.atomic():
        for customer in EndUser.objects.filter(pk__in=asked.user_ids, is_blocked=True):
            unblock_end_user(customer, actor=actor_by_key(request))
    return {"blocked_users": list(EndUser.objects.filter(is_blocked=True).values_list("pk", flat=True))}


@router.get("/customer/info")
@router.get("/end_user/info", include_in_schema=False)
def customer_info(request: HttpRequest, end_user_id: Text) -> Row:
    return customer_row(named_customer(end_user_id), timezone.now())


@router.get("/customer/list")
@router.get("/end_user/list", include_in_schema=False)
def list_customers(request: HttpRequest, asked: Query[Listed]) -> list[Row]:
    found = EndUser.objects.filter(Q(pk__icontains=asked.search) | Q(name__icontains=asked.search))
    return customer_rows(list(found[(asked.page - 1) * asked.page_size : asked.page * asked.page_size]), timezone.now())


def named_customer(user_id: str) -> EndUser:
    found = EndUser.objects.filter(pk=user_id).first()
    if found is None:
        raise Refused(f"Customer not found, passed user_id={user_id}.", type="not_found_error", param="user_id", status=404)
    return found
