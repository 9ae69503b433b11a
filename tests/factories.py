"""Rows for tests, made by the same verbs that people use."""

from typing import Any

from audit.trail import SYSTEM
from keys.actions import KeySpec, create_organisation, create_team, create_user, issue_key
from keys.models import Organisation, Team, User, VirtualKey
from routing.actions import Target, create_credential, create_deployment, create_route
from routing.models import Credential, Deployment, Route

PASSWORD = "correct horse battery"
PROVIDER_KEY = "sk-ant-provider-canary-7731"


def make_user(name: str = "alice", role: str = User.Role.MEMBER) -> User:
    return create_user(User(username=name, email=f"{name}@example.com", role=role), actor=SYSTEM, password=PASSWORD)


def make_admin(name: str = "root") -> User:
    return make_user(name, User.Role.ADMIN)


def make_organisation(name: str = "Acme") -> Organisation:
    return create_organisation(Organisation(name=name), actor=SYSTEM)


def make_team(name: str = "Search", **values: Any) -> Team:
    return create_team(Team(name=name, **values), actor=SYSTEM)


def make_key(name: str = "laptop", *, token: str | None = None, **values: Any) -> tuple[VirtualKey, str]:
    return issue_key(KeySpec(name=name, **values), actor=SYSTEM, token=token)


def make_credential(name: str = "anthropic key", secret: str = PROVIDER_KEY) -> Credential:
    return create_credential(Credential(name=name, provider="anthropic"), secret, actor=SYSTEM)


def make_deployment(name: str = "sonnet", **values: Any) -> Deployment:
    chosen = {"provider": "demo", "model": "demo-sonnet"} | values
    return create_deployment(Deployment(name=name, **chosen), actor=SYSTEM)


def make_route(name: str = "claude-sonnet", *deployments: Deployment) -> Route:
    return create_route(Route(name=name), [Target(deployment) for deployment in deployments], actor=SYSTEM)
