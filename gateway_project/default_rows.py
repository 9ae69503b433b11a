"""Routes that a start makes by itself, so that clients work at once: demo models, and those of providers whose keys are in the environment.

They are rows of a page (origin `page`): people may change or delete them. The audit trail is the memory of what was made, so a deleted
default stays deleted, and one that anybody changed is never touched again. With deployments in a configuration file there are none.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction

from audit.models import AuditEvent
from audit.rows import add_row
from audit.trail import SYSTEM
from routing.actions import Target, create_credential, create_route, delete_route
from routing.models import Credential, Deployment, Route

DEMO_NAMES = ("demo-opus", "demo-sonnet", "demo-haiku", "demo-*")
DEMO_DESCRIPTION = "Built-in demo: believable answers, no provider, no cost."
STAND_IN = "Answered by the built-in demo until a provider key is there: set ANTHROPIC_API_KEY and restart, or change this route."
AWS_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_REGION_NAME")
GOOGLE_REGIONS = ("VERTEXAI_LOCATION", "CLOUD_ML_REGION")
GOOGLE_PROJECTS = ("VERTEXAI_PROJECT", "ANTHROPIC_VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")


@dataclass(frozen=True, slots=True)
class Found:
    """A provider that the environment opens when all of `names` are set: with the key in the last of them, or the cloud's default chain.

    A region or a project is the first of its names that is set; what has such names cannot be without one of them.
    """

    provider: str
    description: str
    routes: tuple[str, ...]
    names: tuple[str, ...]
    is_key: bool = True
    regions: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()

    def place(self) -> dict[str, str] | None:
        """Region and project of the deployment; None where the environment does not open this provider."""
        region, project = _said(self.regions), _said(self.projects)
        is_complete = all(_said((name,)) for name in self.names) and bool(region or not self.regions) and bool(project or not self.projects)
        return {"region": region, "project": project} if is_complete else None


_BEDROCK = "Amazon Bedrock, with the credentials from the environment."
PROVIDERS = (
    Found("anthropic", "Anthropic, with the key from ANTHROPIC_API_KEY.", ("claude-*", "anthropic/*"), ("ANTHROPIC_API_KEY",)),
    Found("openai", "OpenAI, with the key from OPENAI_API_KEY.", ("gpt-*", "openai/*"), ("OPENAI_API_KEY",)),
    Found("gemini", "Google AI Studio, with the key from GEMINI_API_KEY.", ("gemini-*", "gemini/*"), ("GEMINI_API_KEY",)),
    Found("bedrock", _BEDROCK, ("bedrock/*",), ("AWS_BEARER_TOKEN_BEDROCK",), regions=AWS_REGIONS),
    Found("bedrock", _BEDROCK, ("bedrock/*",), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), is_key=False, regions=AWS_REGIONS),
    Found(
        "vertex_ai", "Google Vertex AI, with the credentials from GOOGLE_APPLICATION_CREDENTIALS.", ("vertex_ai/*",),
        ("GOOGLE_APPLICATION_CREDENTIALS",), is_key=False, regions=GOOGLE_REGIONS, projects=GOOGLE_PROJECTS,
    ),
)  # fmt: skip


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
    opened = {found.provider: deployment for found in PROVIDERS if (deployment := _open(found))}
    if "anthropic" in opened:
        _retire_stand_in()
    elif demo:
        _route("claude-*", demo, STAND_IN)
    for found in PROVIDERS:
        for name in found.routes if found.provider in opened else ():
            _route(name, opened[found.provider], found.description)


def _said(names: Iterable[str]) -> str:
    return next((text for name in names if (text := os.environ.get(name, "").strip())), "")


def _open(found: Found) -> Deployment | None:
    """The provider's deployment, where the environment opens it and nobody has made it his own."""
    place = found.place()
    if place is None:
        return None
    known = Deployment.objects.filter(name=found.provider).first()
    if known or _was_made(Deployment, found.provider):
        return known if known and is_untouched(known) else None
    credential = _credential(found) if found.is_key else None
    return _deployment(found.provider, provider=found.provider, model="*", credential=credential, **place)


def _credential(found: Found) -> Credential:
    key_name = found.names[-1]
    name = f"{key_name} (environment)"
    known = Credential.objects.filter(name=name).first()
    return known or create_credential(Credential(name=name, provider=found.provider), f"env:{key_name}", actor=SYSTEM)


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
