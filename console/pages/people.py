"""People: everybody with role, teams, last sign-in and spend, for administrators and finance; administrators change roles and block."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from audit.rows import ChangeRefused
from billing.models import Budget
from console.access import administrators_only, page, reach
from console.budget_list import rows_of
from console.people_list import PAGE, STATES, PeopleFilter, people_rows
from console.team_figures import KEYS_SHOWN, key_rows
from console.use_cases import budgets_of
from console.visitor import said, visitor
from keys.access import Reach
from keys.actions import change_user
from keys.models import User, VirtualKey


def accountants(known: Reach) -> bool:
    return known.sees_money


FOR_ACCOUNTANTS = gettext_lazy("This page names everybody, so it opens for administrators and finance.")


@page(accountants, why=FOR_ACCOUNTANTS)
def people_list(request: HttpRequest) -> HttpResponse:
    now, zone = timezone.now(), timezone.get_current_timezone()
    asked = PeopleFilter.read(request.GET)
    found = asked.people()
    people = list(found[(asked.page - 1) * PAGE : asked.page * PAGE + 1])
    context = {
        "asked": asked,
        "rows": people_rows(people[:PAGE], now, zone),
        "total": found.count(),
        "has_next": len(people) > PAGE,
        "roles": User.Role.choices,
        "states": STATES,
        "month": now.astimezone(zone),
        "zone": zone,
    }
    return render(request, "people/list.html", context)


def _named(user_id: str) -> User:
    return get_object_or_404(User, pk=user_id.replace("\x00", ""))


@page(accountants, why=FOR_ACCOUNTANTS)
def person_detail(request: HttpRequest, user_id: str) -> HttpResponse:
    known, now, zone = reach(request), timezone.now(), timezone.get_current_timezone()
    person = _named(user_id)
    [row] = people_rows([person], now, zone)
    keys = VirtualKey.objects.filter(user=person, revoked_at=None).select_related("user").order_by("-created_at")[:KEYS_SHOWN]
    context = {
        "row": row,
        "person": person,
        "keys": key_rows(keys, known, now, zone),
        "budgets": rows_of(budgets_of(Budget.Scope.USER, person.pk), now),
        "is_admin": known.is_admin,
        "is_self": person.pk == known.person_id,
        "roles": User.Role.choices,
        "month": now.astimezone(zone),
        "zone": zone,
    }
    return render(request, "people/detail.html", context)


@require_POST
@administrators_only
def person_role(request: HttpRequest, user_id: str) -> HttpResponse:
    return _change(request, _named(user_id), {"role": request.POST.get("role", "")}, _("The role is changed."))


@require_POST
@administrators_only
def person_block(request: HttpRequest, user_id: str) -> HttpResponse:
    is_blocked = request.POST.get("blocked") == "yes"
    done = _("The person is blocked: their keys stop, and no page opens.") if is_blocked else _("The person may call and sign in again.")
    return _change(request, _named(user_id), {"is_blocked": is_blocked}, done)


def _change(request: HttpRequest, person: User, changes: dict[str, object], done: str) -> HttpResponse:
    try:
        change_user(person, changes, actor=visitor(request).actor)
    except ChangeRefused as refusal:
        messages.error(request, said(refusal))
    else:
        messages.success(request, done)
    return redirect("person", user_id=person.pk)
