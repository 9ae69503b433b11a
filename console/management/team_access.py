"""Teams by those who do not see everything: which a script may name, and what it is told of them. What is theirs to give: team_rules."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from console.asker import Asker
from console.management.errors import forbidden
from console.management.team_fields import named_team
from console.management.team_rows import membership_rows
from keys.models import Team

NOT_YOURS = "this team is not known, or not yours."


def managed_team(by: Asker, team_id: str | None) -> Team:
    """Who does not see everything learns the same of a team of others as of none."""
    if team_id and not by.reach.manages_team(team_id):
        raise forbidden(NOT_YOURS)
    return named_team(team_id)


def seen_team(by: Asker, team_id: str) -> Team:
    if team_id and not by.reach.sees_team(team_id):
        raise forbidden(NOT_YOURS)
    return named_team(team_id)


def refuse_others_person(by: Asker, user_id: str) -> None:
    if not by.reach.sees_person(user_id):
        raise forbidden("this person is not known, or in none of your teams.")


def seen_memberships(by: Asker, teams: Sequence[Team], now: datetime) -> dict[str, list[dict[str, Any]]]:
    """By team id. Members see what they spent themselves; managers and finance see everybody's."""
    found = membership_rows(teams, now)
    return {team_id: rows if by.reach.sees_money or by.reach.manages_team(team_id) else _own(by, rows) for team_id, rows in found.items()}


def _own(by: Asker, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["user_id"] == by.reach.person_id]
