"""Keys: the list, one key with what it spent, and what its keepers do with it. Only the answer to a rotation ever holds a secret."""

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from audit.rows import ChangeRefused
from billing.models import Budget
from console.access import page, reach, traffic
from console.asker import Overreach
from console.budget_list import rows_of
from console.figures import newest, records
from console.issue_form import ChangeForm
from console.key_figures import DAYS, by_model, history, total
from console.key_form import OVERLAPS
from console.key_issuing import change_by, change_with_budget_by, may_issue, rotate_by
from console.key_list import EVERY, PAGE, KeyFilter, key_rows
from console.key_rules import Allowed, kept, managed
from console.key_states import STATES
from console.pages.key_issue import shown_once
from console.use_cases import budgets_of
from console.visitor import said, visitor
from keys.actions import block_key, revoke_key, unblock_key
from keys.models import VirtualKey

LAST = 10
SUGGESTED = 200
SORT_NAMES = {"newest": gettext_lazy("newest"), "name": gettext_lazy("name"), "expires": gettext_lazy("expiry")}


class OverlapForm(forms.Form):
    overlap = forms.ChoiceField(label=gettext_lazy("The old secret still works for"), choices=OVERLAPS, initial="24")


@page()
def key_list(request: HttpRequest) -> HttpResponse:
    asked, known, now = KeyFilter.read(request.GET), reach(request), timezone.now()
    found = Paginator(asked.rows(known.keys(), now), PAGE).get_page(asked.page)
    context = {
        "asked": asked,
        "rows": key_rows(found.object_list, known, now),
        "found": found,
        "next": asked.at(found.next_page_number()) if found.has_next() else "",
        "previous": asked.at(found.previous_page_number()) if found.has_previous() else "",
        "teams": known.teams().filter(pk__in=known.keys().values("team_id")).values_list("pk", "name")[:SUGGESTED],
        "states": {**STATES, EVERY: _("all")},
        "sorts": SORT_NAMES,
        "may_issue": may_issue(known),
        "sees_money": known.sees_money,
    }
    return render(request, "keys/list.html", context)


@page()
def key_detail(request: HttpRequest, key_id: str) -> HttpResponse:
    key, known, now = _seen(request, key_id), reach(request), timezone.now()
    seen = traffic(known)
    models = by_model(key, now, seen)
    context = {
        "key": key,
        "row": key_rows([key], known, now)[0],
        "budgets": rows_of(budgets_of(Budget.Scope.KEY, key.pk), now),
        "models": models,
        "total": total(models),
        "days": DAYS,
        "last": list(newest(records(seen).filter(key_id=key.pk))[:LAST]),
        "history": history(key),
        "manages": managed(known, key),
        "keeps": kept(known, key),
        "overlaps_until": key.previous_valid_until if key.previous_valid_until and key.previous_valid_until > now else None,
        "zone": timezone.get_current_timezone(),
    }
    return render(request, "keys/detail.html", context)


@sensitive_post_parameters("required_header_value")
@page()
def key_change(request: HttpRequest, key_id: str) -> HttpResponse:
    key = _allowed(request, key_id, managed)
    form = ChangeForm(request.POST if request.method == "POST" else None, key=key)
    if form.is_valid() and _changed(request, key, form):
        return redirect("key", key.pk)
    return render(request, "keys/change.html", {"key": key, "form": form}, status=422 if form.errors else 200)


def _changed(request: HttpRequest, key: VirtualKey, form: ChangeForm) -> bool:
    by = visitor(request)
    try:
        if form.is_budget_changed():
            change_with_budget_by(by, key, form.values(), form.terms())
        else:
            change_by(by, key, form.values())
    except ChangeRefused as refusal:
        form.refuse(refusal)
        return False
    except Overreach as refusal:
        form.add_error(None, said(refusal))
        return False
    messages.success(request, _("Saved."))
    return True


@page()
@require_POST
def key_block(request: HttpRequest, key_id: str) -> HttpResponse:
    """Whoever only owns the key blocks it; letting it work again is for those who manage it: it may have been blocked against them."""
    is_on = request.POST.get("block") == "1"
    key, actor = _allowed(request, key_id, kept if is_on else managed), visitor(request).actor
    key = block_key(key, actor=actor) if is_on else unblock_key(key, actor=actor)
    told = _("Key %s is blocked. Calls with it are refused within seconds.") if is_on else _("Key %s works again.")
    messages.success(request, told % key)
    return redirect("key", key.pk)


@sensitive_variables("token")
@page()
def key_rotate(request: HttpRequest, key_id: str) -> HttpResponse:
    """GET asks, POST makes the new secret and shows it once."""
    key = _allowed(request, key_id, kept)
    form = OverlapForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            token = rotate_by(visitor(request), key, timedelta(hours=int(form.cleaned_data["overlap"])))
        except (ChangeRefused, Overreach) as refusal:
            form.add_error(None, said(refusal))
        else:
            key.refresh_from_db()
            return shown_once(request, key, token, is_new=False)
    return render(request, "keys/rotate.html", {"key": key, "form": form}, status=422 if form.errors else 200)


@page()
def key_revoke(request: HttpRequest, key_id: str) -> HttpResponse:
    """GET asks and names the effect, POST does it."""
    key = _allowed(request, key_id, managed)
    if request.method == "POST":
        revoke_key(key, actor=visitor(request).actor)
        messages.success(request, _("Key %s is revoked for good.") % key)
        return redirect("key", key.pk)
    now, known = timezone.now(), reach(request)
    recent = records(traffic(known)).filter(key_id=key.pk, received_at__gte=now - timedelta(days=1)).count()
    return render(request, "keys/revoke.html", {"key": key, "recent": recent, "row": key_rows([key], known, now)[0]})


def _seen(request: HttpRequest, key_id: str) -> VirtualKey:
    """A key that the visitor may not see is, for them, none."""
    keys = reach(request).keys().select_related("team__organisation", "user", "organisation")
    key = keys.filter(pk=key_id.replace("\x00", "")).first()
    if key is None:
        raise Http404
    return key


def _allowed(request: HttpRequest, key_id: str, allowed: Allowed) -> VirtualKey:
    key = _seen(request, key_id)
    if not allowed(reach(request), key):
        raise PermissionDenied(_("Keys are changed by administrators and by the managers of their team."))
    return key
