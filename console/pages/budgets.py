"""Budgets: all that the visitor may see, the riskiest first; one in full, changed with a reason; a new one."""

from dataclasses import replace

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.rows import ChangeRefused
from billing.actions import BudgetTerms
from billing.models import Budget
from billing.standing import sentence
from console.access import page, reach
from console.asker import Overreach
from console.budget_forms import NewBudgetForm, TermsForm
from console.budget_list import MODES, PAGE, STATES, BudgetFilter, rows_of
from console.budget_rules import change_by, changes, gives, make_by, seen_budgets
from console.budget_subjects import subjects_of
from console.budget_trail import percents, trail_of
from console.visitor import said, visitor

LISTED_TEAMS = 500


@page()
def budget_list(request: HttpRequest) -> HttpResponse:
    known, now = reach(request), timezone.now()
    asked = BudgetFilter.read(request.GET)
    rows = asked.rows(known, now)
    start = (asked.page - 1) * PAGE
    context = {
        "asked": asked,
        "rows": rows[start : start + PAGE],
        "total": len(rows),
        "used_up": len([row for row in rows if row.is_used_up]),
        "running_out": len([row for row in rows if row.state == "runs-out"]),
        "has_next": len(rows) > start + PAGE,
        "scopes": Budget.Scope.choices,
        "modes": MODES,
        "states": STATES,
        "teams": known.teams().order_by("name").values_list("pk", "name")[:LISTED_TEAMS],
        "gives": gives(known),
        "is_own": not known.sees_money and not known.managed,
        "zone": timezone.get_current_timezone(),
    }
    return render(request, "budgets/list.html", context)


@page()
def budget_detail(request: HttpRequest, budget_id: int) -> HttpResponse:
    known = reach(request)
    budget = get_object_or_404(seen_budgets(known), pk=budget_id)
    is_changeable = changes(known, budget)
    if request.method == "POST" and not is_changeable:
        raise PermissionDenied(_("This budget is changed by administrators and the managers of its team."))
    form = _terms_form(request, budget) if is_changeable else None
    if form and request.method == "POST" and _changed(request, form, budget):
        return redirect("budget", budget_id=budget.pk)
    budget.refresh_from_db()
    [row] = rows_of([budget], timezone.now())
    context = {
        "row": row,
        "told": sentence(row.shown.standing, row.name),
        "alerts": percents(budget.thresholds),
        "form": form,
        "trail": trail_of(budget) if is_changeable or known.sees_money else [],
        "zone": timezone.get_current_timezone(),
    }
    return render(request, "budgets/detail.html", context)


def _terms_form(request: HttpRequest, budget: Budget) -> TermsForm:
    initial = {"amount": budget.amount_nano, "period": budget.period, "mode": budget.mode}
    form = TermsForm(request.POST if request.method == "POST" else None, initial=initial)
    form.offer_period(budget.period)
    return form


def _changed(request: HttpRequest, form: TermsForm, budget: Budget) -> bool:
    """Whether the change was made; else the form says why not."""
    if not form.is_valid():
        return False
    terms = replace(BudgetTerms.of(budget), **form.changes())
    if terms == BudgetTerms.of(budget):
        messages.info(request, _("Nothing differs, so nothing was changed."))
        return True
    try:
        change_by(visitor(request, reason=form.cleaned_data["reason"]), budget, terms)
    except ChangeRefused as refusal:
        form.refuse(refusal)
    except Overreach as refusal:
        form.add_error(None, said(refusal))
    else:
        messages.success(request, _("The budget is changed. Calls are counted against it within a second."))
    return not form.errors


@page(lambda known: bool(gives(known)), why=gettext_lazy("Budgets are made by administrators and by managers of teams."))
def budget_new(request: HttpRequest) -> HttpResponse:
    known = reach(request)
    offered = gives(known)
    wanted = request.POST.get("scope") or request.GET.get("scope", "")
    scope = wanted if wanted in offered else (Budget.Scope.TEAM if known.is_admin else offered[0])
    posted = request.POST if request.method == "POST" else None
    form = NewBudgetForm(posted, subjects=subjects_of(known, scope), scope=scope, initial={"subject": request.GET.get("for", "")})
    if posted is not None and form.is_valid() and (made := _made(request, form, scope)):
        messages.success(request, _("The budget is set."))
        return redirect("budget", budget_id=made.pk)
    scopes = [choice for choice in Budget.Scope.choices if choice[0] in offered]
    return render(request, "budgets/new.html", {"form": form, "scope": scope, "scopes": scopes})


def _made(request: HttpRequest, form: NewBudgetForm, scope: str) -> Budget | None:
    by = visitor(request, reason=form.cleaned_data["reason"])
    try:
        return make_by(by, scope, form.cleaned_data.get("subject", ""), form.terms())
    except ChangeRefused as refusal:
        form.refuse(refusal)
    except Overreach as refusal:
        form.add_error(None, said(refusal))
    return None
