"""Models & routes: what may be called and what it costs; for administrators where it leads, how it is and who uses it."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from audit.rows import ChangeRefused
from console.access import administrators_only, page, reach
from console.model_figures import USED_DAYS, ModelRow, model_rows, user_count, users_of
from console.visitor import said, visitor
from keys.access import Reach
from routing import actions
from routing.admin import told
from routing.models import Deployment


def accountants(known: Reach) -> bool:
    return known.sees_money


@page()
def model_list(request: HttpRequest) -> HttpResponse:
    known = reach(request)
    search = request.GET.get("q", "").replace("\x00", "").strip()
    rows = model_rows(known, timezone.now())
    context = {
        "rows": [row for row in rows if search.casefold() in f"{row.name} {row.route.description}".casefold()],
        "search": search,
        "is_admin": known.is_admin,
        "sees_money": known.sees_money,
        "days": USED_DAYS,
    }
    return render(request, "models/list.html", context)


@page(accountants, why=gettext_lazy("This page shows who uses a model, so it opens for administrators and finance."))
def model_detail(request: HttpRequest, route_id: str) -> HttpResponse:
    known, now = reach(request), timezone.now()
    row = _named(known, route_id)
    users = users_of(row.name, known, now)
    context = {
        "row": row,
        "users": users,
        "more_users": max(0, user_count(row.name, known, now) - len(users)),
        "is_admin": known.is_admin,
        "days": USED_DAYS,
    }
    return render(request, "models/detail.html", context)


def _named(known: Reach, route_id: str) -> ModelRow:
    found = next((row for row in model_rows(known, timezone.now()) if row.route.pk == route_id), None)
    if found is None:
        raise Http404
    return found


@require_POST
@administrators_only
def model_test(request: HttpRequest, route_id: str) -> HttpResponse:
    """One tiny real call to one of the route's deployments: audited, and all tests together are limited."""
    of_route = Deployment.objects.filter(targets__route_id=route_id.replace("\x00", "")).select_related("credential")
    deployment = get_object_or_404(of_route, pk=request.POST.get("deployment", "").replace("\x00", ""))
    try:
        outcome = actions.test_deployment(deployment, actor=visitor(request).actor)
    except ChangeRefused as refusal:
        messages.error(request, said(refusal))
    else:
        level = messages.SUCCESS if outcome.ok else messages.ERROR
        messages.add_message(request, level, f"{deployment.name}: {told(outcome)}")
    return redirect("model", route_id=route_id)
