"""Routes that a start makes by itself, so that Claude Code works at once: demo models, and Anthropic's when its key is in the environment.

They are rows of a page (origin `page`): people may change or delete them. The audit trail is the memory of what was made, so a deleted
default stays deleted, and one that anybody changed is never touched again. With deployments in a configuration file there are none.
"""

import os
from typing import Any

from django.db import models, transaction

from audit.models import AuditEvent
from audit.rows import add_row
from audit.trail import SYSTEM
from routing.actions import Target, create_credential, create_route, delete_route
from routing.models import Credential, Deployment, Route

KEY_NAME = "ANTHROPIC_API_KEY"
DEMO_NAMES = ("demo-opus", "demo-sonnet", "demo-haiku", "demo-*")
DEMO_DESCRIPTION = "Built-in demo: believable answers, no provider, no cost."
STAND_IN = "Answered by the built-in demo until a provider key is there: set ANTHROPIC_API_KEY and restart, or change this route."
FROM_ENVIRONMENT = "Anthropic, with the key from ANTHROPIC_API_KEY."


def is_untouched(row: models.Model) -> bool:
    """Made by a start, and by nobody changed since."""
    events = AuditEvent.objects.filter(object_type=row._meta.model_name, object_id=str(row.pk))
    return events.exists() and not events.exclude(actor_kind=SYSTEM.kind).exists()


@transaction.atomic
def make_defaults(*, has_file_deployments: bool) -> None:
    """Under the bootstrap's lock. A second call changes nothing."""
    if has_file_deployments:
        _retire_stand_in()
        return
    demo = _deployment("demo", provider="demo", model="*")
    if demo:
        for name in DEMO_NAMES:
            _route(name, demo, DEMO_DESCRIPTION)
    anthropic = _anthropic()
    if anthropic:
        _retire_stand_in()
        _route("claude-*", anthropic, FROM_ENVIRONMENT)
        _route("anthropic/*", anthropic, FROM_ENVIRONMENT)
    elif demo:
        _route("claude-*", demo, STAND_IN)


def _anthropic() -> Deployment | None:
    if not os.environ.get(KEY_NAME, "").strip():
        return None
    known = Deployment.objects.filter(name="anthropic").first()
    if known or _was_made(Deployment, "anthropic"):
        return known if known and is_untouched(known) else None
    name = f"{KEY_NAME} (environment)"
    credential = Credential.objects.filter(name=name).first()
    if credential is None:
        credential = create_credential(Credential(name=name, provider="anthropic"), f"env:{KEY_NAME}", actor=SYSTEM)
    return _deployment("anthropic", provider="anthropic", model="*", credential=credential)


def _deployment(name: str, **values: Any) -> Deployment | None:
    known = Deployment.objects.filter(name=name).first()
    if known or _was_made(Deployment, name):
        return known
    return add_row(Deployment(name=name, **values), event="deployment.created", actor=SYSTEM)


def _route(name: str, deployment: Deployment, description: str) -> None:
    if not (Route.objects.filter(name=name).exists() or _was_made(Route, name, description)):
        create_route(Route(name=name, description=description), [Target(deployment)], actor=SYSTEM)


def _was_made(model: type[models.Model], name: str, description: str = "") -> bool:
    """Whether a start once made this row, whatever became of it. `claude-*` is made twice: as stand-in, then for Anthropic."""
    kind = model._meta.model_name
    made = AuditEvent.objects.filter(event=f"{kind}.created", actor_kind=SYSTEM.kind, object_name=name)
    return (made.filter(after__description=description) if description else made).exists()


def _retire_stand_in() -> None:
    """The demo must not answer for Claude once a real Claude can."""
    route = Route.objects.filter(name="claude-*", description=STAND_IN).first()
    if route and is_untouched(route):
        delete_route(route, actor=SYSTEM)
