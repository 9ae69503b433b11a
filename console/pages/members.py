"""Members of a team: added, given a role, removed by its managers and by administrators, as the management API allows."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from audit.rows import ChangeRefused
from console import use_cases
from console.access import page, reach
from console.management.team_fields import MemberFields, person_of
from console.pages.teams import managed_team
from console.team_forms import MemberForm
from console.visitor import said, visitor
from keys.actions import add_member, change_member
from keys.models import Membership, Team


@require_POST
@page()
def member_add(request: HttpRequest, team_id: str) -> HttpResponse:
    """Somebody unknown so far is made without a way to sign in: single sign-on or a link brings them."""
    team, form = managed_team(reach(request), team_id), MemberForm(request.POST)
    if not form.is_valid():
        for name, errors in form.errors.items():
            messages.error(request, f"{form.fields[name].label}: {' '.join(map(str, errors))}")
        return redirect("team", team_id=team.pk)
    try:
        _add(team, form.cleaned_data["email"], form.cleaned_data["role"], request)
    except ChangeRefused as refusal:
        messages.error(request, said(refusal))
    else:
        messages.success(request, _("%(email)s is in the team now.") % {"email": form.cleaned_data["email"]})
    return redirect("team", team_id=team.pk)


def _add(team: Team, email: str, role: str, request: HttpRequest) -> None:
    actor = visitor(request).actor
    if team.memberships.filter(user__email__iexact=email).exists():
        raise ChangeRefused(_("%(email)s is a member of this team already.") % {"email": email})
    person = person_of(MemberFields(user_email=email), actor=actor)
    add_member(Membership(team=team, user=person, role=role), actor=actor)


@require_POST
@page()
def member_change(request: HttpRequest, team_id: str, user_id: str) -> HttpResponse:
    membership, role = _named(request, team_id, user_id), request.POST.get("role", "")
    if role not in Membership.Role.values:
        messages.error(request, _("Choose one of the roles."))
    else:
        change_member(membership, role, actor=visitor(request).actor)
        messages.success(request, _("The role is changed."))
    return redirect("team", team_id=team_id)


@require_POST
@page()
def member_remove(request: HttpRequest, team_id: str, user_id: str) -> HttpResponse:
    membership = _named(request, team_id, user_id)
    use_cases.remove_member_with_budget(membership, actor=visitor(request).actor)
    messages.success(request, _("%(name)s is no longer in the team.") % {"name": membership.user})
    return redirect("teams") if user_id == reach(request).person_id else redirect("team", team_id=team_id)


def _named(request: HttpRequest, team_id: str, user_id: str) -> Membership:
    team = managed_team(reach(request), team_id)
    return get_object_or_404(team.memberships.select_related("user"), user_id=user_id.replace("\x00", ""))
