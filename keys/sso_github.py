"""GitHub, whose sign-in says nothing of groups: organisations and teams are asked for with its token, which is then forgotten."""

import logging
from typing import Any
from urllib.parse import quote

from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.github.provider import GitHubProvider as AllauthsProvider
from django.http import HttpRequest, HttpResponse

from keys.sso_groups import NotAdmitted, Source, Why

logger = logging.getLogger(__name__)
AT_ONCE, PAGES = 100, 10
# One of these lets a token read who is where; GitHub answers one without as if nobody were anywhere.
SCOPES = frozenset({"read:org", "write:org", "admin:org"})


class GitHubProvider(AllauthsProvider):  # type: ignore[misc]  # allauth ships no types
    def redirect(self, request: HttpRequest, process: str, next_url: str | None = None, **kwargs: Any) -> HttpResponse:
        """What we ask for cannot be added to by a link that somebody was sent."""
        ours = {"scope": self.get_scope(), "auth_params": self.get_auth_params()}
        response: HttpResponse = super().redirect(request, AuthProcess.LOGIN, next_url, **ours)
        return response

    def extract_uid(self, data: dict[str, Any]) -> str:
        """Each server counts its people from 1: another one put in the place of this one must open nobody's account."""
        server = self.get_settings().get("GITHUB_URL", "")
        return f"{server} {data['id']}".strip()


class GroupsUnread(Exception):
    """GitHub did not say which organisations and teams somebody is in; the text says why."""


class Told:
    """What GitHub tells of one person. `session` is allauth's: what reaches GitHub for the sign-in reaches it for this too."""

    def __init__(self, source: Source, token: str, session: Any) -> None:
        self._source = source
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
        self._session = session

    def groups(self) -> frozenset[str] | None:
        """`org` and `org/team` of the organisations in the settings, since anybody can found others. None where they are too many."""
        ours = {org.lower(): org for org in self._source.organisations if self._is_member(org)}
        return self._with_teams(ours) if ours else frozenset()

    def _with_teams(self, ours: dict[str, str]) -> frozenset[str] | None:
        found = set(ours.values())
        for page in range(1, PAGES + 1):
            answer = self._asked("/user/teams", {"per_page": AT_ONCE, "page": page})
            named = [(_name(team, "organization", "login").lower(), _name(team, "slug")) for team in _read(answer, list)]
            found |= {f"{ours[org]}/{slug}" for org, slug in named if org in ours}
            if "next" not in answer.links:
                return frozenset(found)
        return None

    def _is_member(self, org: str) -> bool:
        """Invited is not yet. GitHub says 403, and not that there is nobody, where the organisation keeps the token out."""
        answer = self._asked(f"/user/memberships/orgs/{quote(org, safe='')}", {}, missing=True)
        return answer.status_code != 404 and _name(_read(answer, dict), "state") == "active"

    def _asked(self, path: str, query: dict[str, int], *, missing: bool = False) -> Any:
        try:
            answer = self._session.get(f"{self._source.api}{path}", params=query, headers=self._headers, allow_redirects=False)
        except OSError as error:  # what requests raises is one
            raise GroupsUnread(f"{path}: {type(error).__name__}") from error
        if answer.status_code != 200 and not (missing and answer.status_code == 404):
            raise GroupsUnread(f"{path}: status {answer.status_code}")
        granted = answer.headers.get("X-OAuth-Scopes", "")  # tokens of GitHub Apps have none
        if granted and not SCOPES & {scope.strip() for scope in granted.split(",")}:
            raise GroupsUnread(f"{path}: the token may not read organisations")
        return answer


def github_groups(source: Source, token: str, session: Any) -> frozenset[str] | None:
    """Raises NotAdmitted where they cannot be read: nothing is given then, and nothing taken away."""
    try:
        return Told(source, token, session).groups()
    except GroupsUnread as error:
        logger.warning("The teams of somebody at %s could not be read: %s", source.name, error)
        raise NotAdmitted(Why.GROUPS_UNREAD) from error


def _read(answer: Any, kind: type) -> Any:
    try:
        told = answer.json()
    except ValueError as error:
        raise GroupsUnread("an answer that is not JSON") from error
    if not isinstance(told, kind):
        raise GroupsUnread("an answer of another shape")
    return told


def _name(told: Any, *path: str) -> str:
    for part in path:
        told = told.get(part) if isinstance(told, dict) else None
    if not isinstance(told, str) or not told:
        raise GroupsUnread(f"an answer without {'.'.join(path)}")
    return told
