"""Whose traffic a board of the Live page shows. People who see the same share one scope, and with it all the work."""

from dataclasses import replace

from keys.access import EVERYTHING, Reach


def scope_of(reach: Reach) -> Reach:
    """The reach without what makes no difference to `console.access.traffic`, so that equals are equal."""
    if reach.is_admin:
        return EVERYTHING
    if reach.sees_money:
        return Reach(sees_money=True)
    return replace(reach, keeps_keys=False, key_id="", bound_to="", joined=frozenset(), organisations=frozenset())


def is_seen(scope: Reach, team_id: str, user_id: str) -> bool:
    """As `console.access.traffic` says of rows, of a call that is at hand."""
    if scope.is_admin or scope.sees_money:
        return True
    return team_id in scope.managed or (bool(scope.person_id) and user_id == scope.person_id)
