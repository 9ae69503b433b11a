"""Issuing keys: one by a form, many by a table. Secrets are in the answers to these POSTs and nowhere else."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from audit.rows import ChangeRefused
from console.access import page
from console.asker import Asker, Overreach
from console.bulk_keys import COLUMNS, LONGEST, MOST, LineError, WrongLines, as_csv, issue_all
from console.connect_blocks import address_of, tabs
from console.issue_form import IssueForm, people_to_name, teams_to_issue_in
from console.key_issuing import issue_by, may_issue, models_to_give
from console.visitor import said, visitor
from keys.models import VirtualKey

WHY = _("Keys are issued by administrators, by managers for their teams, and by members for themselves. Ask one of them for a key.")
TOO_LONG = _("This file is too long: at most 1 MB.")
NO_TEXT = _("This file is no text in UTF-8. Save it as CSV (UTF-8).")
SUGGESTED = 200


@sensitive_post_parameters("required_header_value")
@page(may_issue, why=WHY)
def key_new(request: HttpRequest) -> HttpResponse:
    return _many(request) if "bulk" in request.GET else _one(request)


# ── one ───────────────────────────────────────────────────────────────────────
@sensitive_variables("token")
def _one(request: HttpRequest) -> HttpResponse:
    by = visitor(request)
    if request.method != "POST":
        return _form(request, by, IssueForm(by=by, initial=_initial(by, request.GET.get("team", ""))))
    form = IssueForm(request.POST, by=by)
    issued = _issued(by, form) if form.is_valid() else None
    if issued is None:
        return _form(request, by, form)
    key, token = issued
    return shown_once(request, key, token)


@sensitive_variables("issued")
def _issued(by: Asker, form: IssueForm) -> tuple[VirtualKey, str] | None:
    try:
        return issue_by(by, form.spec(), form.terms())
    except ChangeRefused as refusal:
        form.refuse(refusal)
    except Overreach as refusal:
        form.add_error(None, said(refusal))
    return None


def _form(request: HttpRequest, by: Asker, form: IssueForm) -> HttpResponse:
    teams = list(teams_to_issue_in(by)[:SUGGESTED])
    context = {
        "form": form,
        "is_for_self": "owner" not in form.fields,
        "people": people_to_name(by).order_by("username")[:SUGGESTED] if "owner" in form.fields else (),
        "models": models_to_give(by, teams),
        "limits": teams[0] if len(teams) == 1 and not by.sees_all else None,
    }
    return render(request, "keys/new.html", context, status=422 if form.errors else 200)


def _initial(by: Asker, team_id: str) -> dict[str, str]:
    """The team that the address names, or the only one there is to choose."""
    teams = list(teams_to_issue_in(by)[:2])
    only = teams[0].pk if len(teams) == 1 and not by.sees_all else ""
    return {"team": team_id.replace("\x00", "") or only}


@sensitive_variables("token")
def shown_once(request: HttpRequest, key: VirtualKey, token: str, *, is_new: bool = True) -> HttpResponse:
    """The answer to the POST itself holds the secret: nothing that is kept (message, session, address, history) ever does."""
    context = {
        "key": key,
        "token": token,
        "is_new": is_new,
        "tabs": tabs(address_of(request), token, key.allowed_models),
        "overlaps_until": key.previous_valid_until,
    }
    return _never_kept(render(request, "keys/issued.html", context))


def _never_kept(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store, private"
    response["Referrer-Policy"] = "no-referrer"
    return response


# ── many ──────────────────────────────────────────────────────────────────────
@sensitive_variables("issued")
def _many(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _table(request, "", [])
    text, problem = _sent(request)
    if problem:
        return _table(request, text, [LineError(0, problem)])
    try:
        issued = issue_all(visitor(request), text)
    except WrongLines as wrong:
        return _table(request, text, wrong.errors)
    response = HttpResponse(as_csv(issued), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="keys-{timezone.localtime():%Y%m%d-%H%M}.csv"'
    return _never_kept(response)


def _sent(request: HttpRequest) -> tuple[str, str]:
    """The table's text, and why it cannot be read: a file, or what was pasted."""
    file = request.FILES.get("file")
    if file is None:
        return request.POST.get("lines", ""), ""
    if (file.size or 0) > LONGEST:
        return "", str(TOO_LONG)
    try:
        return file.read().decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return "", str(NO_TEXT)


def _table(request: HttpRequest, text: str, errors: list[LineError]) -> HttpResponse:
    by = visitor(request)
    context = {"lines": text, "errors": errors, "columns": COLUMNS, "most": MOST, "teams": teams_to_issue_in(by)[:SUGGESTED]}
    return render(request, "keys/bulk.html", context, status=422 if errors else 200)
