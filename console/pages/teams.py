"""Teams & people: the teams that the visitor sees, one in full, and what administrators and managers change about it."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from audit.rows import ChangeRefused
from billing.models import Budget
from console.access import administrators_only, page, reach
from console.asker import Overreach
from console.budget_list import rows_of
from console.paging import page_number
from console.team_figures import allowed_names, key_rows, keys_of_team, member_rows, sees_money_of, team_rows
from console.team_forms import MemberForm, TeamForm
from console.team_rules import TeamChange
from console.use_cases import budgets_of
from console.visitor import said, visitor
from keys.access import Reach
from keys.actions import change_team, create_team
from keys.models import Membership, Team, VirtualKey

PAGE = 50


@page()
def team_list(request: HttpRequest) -> HttpResponse:
    known, now, zone = reach(request), timezone.now(), timezone.get_current_timezone()
    search, number = request.GET.get("q", "").replace("\x00", "").strip(), page_number(request.GET.get("page", ""))
    found = known.teams().select_related("organisation").order_by("name", "pk")
    if search:
        found = found.filter(Q(name__icontains=search) | Q(organisation__name__icontains=search) | Q(cost_centre__icontains=search))
    teams = list(found[(number - 1) * PAGE : number * PAGE + 1])
    context = {
        "rows": team_rows(teams[:PAGE], known, now, zone),
        "search": search,
        "number": number,
        "next": number + 1 if len(teams) > PAGE else 0,
        "is_admin": known.is_admin,
        "sees_people": known.sees_money,
        "month": now.astimezone(zone),
        "zone": zone,
    }
    return render(request, "teams/list.html", context)


def seen_team(known: Reach, team_id: str) -> Team:
    """A team of others is as one that there is not."""
    return get_object_or_404(known.teams().select_related("organisation"), pk=team_id.replace("\x00", ""))


@page()
def team_detail(request: HttpRequest, team_id: str) -> HttpResponse:
    known = reach(request)
    return _detail(request, seen_team(known, team_id), _settings(known, seen_team(known, team_id)))


def _settings(known: Reach, team: Team, request: HttpRequest | None = None) -> TeamForm | None:
    """Managers change less than administrators, and what they change is looked at."""
    if not known.manages_team(team.pk):
        return None
    form = TeamForm(request.POST if request else None, instance=team)
    if not known.is_admin:
        form.keep_for_managers()
    return form


def _detail(request: HttpRequest, team: Team, form: TeamForm | None, adding: MemberForm | None = None) -> HttpResponse:
    known, now, zone = reach(request), timezone.now(), timezone.get_current_timezone()
    manages = known.manages_team(team.pk)
    members = member_rows(team, known, now, zone)
    keys = key_rows(keys_of_team(team, known), known, now, zone)
    context = {
        "team": team,
        "names": allowed_names(team.allowed_models),
        "members": members,
        "keys": keys,
        "budgets": rows_of(budgets_of(Budget.Scope.TEAM, team.pk), now),
        "spend_nano": _month_of(team, known),
        "is_whole": sees_money_of(known, team.pk),
        "is_admin": known.is_admin,
        "manages": manages,
        "sees_people": known.sees_money,
        "form": form,
        "adding": adding or MemberForm(),
        "roles": Membership.Role.choices,
        "leaving": _leaving(request, team) if manages else None,
        "month": now.astimezone(zone),
        "zone": zone,
    }
    return render(request, "teams/detail.html", context)


def _month_of(team: Team, known: Reach) -> int:
    [row] = team_rows([team], known, timezone.now(), timezone.get_current_timezone())
    return row.spend_nano


def _leaving(request: HttpRequest, team: Team) -> dict[str, object] | None:
    """Whom the dialog asks about: the URL names them."""
    asked = request.GET.get("remove", "").replace("\x00", "")
    member = team.memberships.select_related("user").filter(user_id=asked).first() if asked else None
    if member is None:
        return None
    return {"member": member, "keys": VirtualKey.objects.filter(team=team, user_id=asked, revoked_at=None).count()}


# ── changing ──────────────────────────────────────────────────────────────────
@require_POST
@page()
def team_change(request: HttpRequest, team_id: str) -> HttpResponse:
    known = reach(request)
    team = managed_team(known, team_id)
    form = _settings(known, team, request)
    if form is None or not (form.is_valid() and _changed(request, team_id, form)):
        return _detail(request, seen_team(known, team_id), form)
    messages.success(request, _("The team is changed."))
    return redirect("team", team_id=team.pk)


def _changed(request: HttpRequest, team_id: str, form: TeamForm) -> bool:
    by = visitor(request)
    team = Team.objects.get(pk=team_id)  # the form has put its values on the other one
    try:
        with transaction.atomic():
            change = TeamChange.of(by, team)
            change_team(team, form.changes(), actor=by.actor)
            change.check(team)
    except ChangeRefused as refusal:
        form.refuse(refusal)
    except Overreach as refusal:
        form.add_error(None, said(refusal))
    return not form.errors


def managed_team(known: Reach, team_id: str) -> Team:
    team = seen_team(known, team_id)
    if not known.manages_team(team.pk):
        raise PermissionDenied(_("Teams are changed by administrators and by their managers."))
    return team


@require_POST
@administrators_only
def team_block(request: HttpRequest, team_id: str) -> HttpResponse:
    is_blocked = request.POST.get("blocked") == "yes"
    team = change_team(seen_team(reach(request), team_id), {"is_blocked": is_blocked}, actor=visitor(request).actor)
    messages.success(request, _("The team is blocked: its keys stop.") if team.is_blocked else _("The team may call again."))
    return redirect("team", team_id=team.pk)


@administrators_only
def team_new(request: HttpRequest) -> HttpResponse:
    form = TeamForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            team = create_team(form.save(commit=False), actor=visitor(request).actor)
        except ChangeRefused as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, _("The team is there. Add its members, then set its budget."))
            return redirect("team", team_id=team.pk)
    return render(request, "teams/new.html", {"form": form})
