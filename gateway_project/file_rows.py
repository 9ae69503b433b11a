"""The configuration file's rows: credentials, deployments and routes with origin `file` are made to say what the file says.

Rows made in pages are left alone, but for defaults of the first start that nobody touched: those give way to the file.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from django.db import models, transaction

from audit.rows import ChangeRefused, add_row, change_row, remove_row
from audit.trail import Actor, describe, record_change
from gateway_project.config_file import ConfigFile
from gateway_project.default_rows import is_untouched
from gateway_project.model_list import LONGEST_NAME, FileDeployment
from gateway_project.router_file import FilePolicy
from routing.actions import Target, change_policy, create_policy, delete_route, set_targets
from routing.credentials import CredentialUnusable, decrypt, encrypt
from routing.egress import url_problem
from routing.models import Credential, Deployment, Origin, Route, RoutingPolicy

Row = TypeVar("Row", Credential, Deployment, Route)
# What a file can say of all routes.
POLICY_COLUMNS = ("strategy", "retries", "allowed_fails", "cooldown_s", "default_fallbacks")
DEFAULT_FIRST_BYTE_TIMEOUT_S, DEFAULT_IDLE_TIMEOUT_S = 600.0, 120.0


@dataclass(frozen=True, slots=True)
class Summary:
    """What applying did, one readable line per row. `left` are rows that the file could not make its own, with the reason."""

    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.created or self.changed or self.removed)


@dataclass(slots=True)
class _AppliedFile:
    """Stands in the audit trail for the file itself, which is no row."""

    name: str
    pk: str = "config"

    class _meta:  # the one attribute of a model that the trail reads besides its key and its name
        model_name = "configurationfile"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deployment of the file under the name its row has."""

    name: str
    row: FileDeployment


def named(deployments: Iterable[FileDeployment]) -> list[Wanted]:
    """Names that stay the same from start to start; the second of two alike gets #2."""
    found: dict[str, Wanted] = {}
    for row in deployments:
        base = _short(f"{row.route} ({row.provider}/{row.model})")
        name = next(name for number in range(1, len(found) + 2) if (name := base if number == 1 else f"{base} #{number}") not in found)
        found[name] = Wanted(name, row)
    return list(found.values())


def _short(name: str) -> str:
    room = LONGEST_NAME - 10
    return name if len(name) <= room else f"{name[: room - 9]}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def apply_config(config: ConfigFile, actor: Actor, *, dry_run: bool = False) -> Summary:
    """Idempotent: a second call with the same file changes and records nothing. One transaction; a dry run rolls it back."""
    with transaction.atomic():
        pass_over = _Pass(actor, config.policy)
        pass_over.apply(named(config.deployments))
        summary = pass_over.summary()
        if not summary.is_empty:
            what = {"created": list(summary.created), "changed": list(summary.changed), "removed": list(summary.removed)}
            file = _AppliedFile(config.path.name if config.path else "no file")
            record_change("config.applied", cast(models.Model, file), actor=actor, after=what)
        transaction.set_rollback(dry_run)
    return summary


@dataclass(slots=True)
class _Pass:
    """One going over all rows of the file, noting what it does."""

    actor: Actor
    policy: FilePolicy
    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    seen: set[models.Model] = field(default_factory=set)

    def summary(self) -> Summary:
        return Summary(tuple(self.created), tuple(self.changed), tuple(self.removed), tuple(self.left))

    def apply(self, wanted: list[Wanted]) -> None:
        credentials = self._credentials(wanted)
        deployments = {one.name: self._deployment(one, credentials.get(_key_of(one.row))) for one in wanted}
        routes = dict.fromkeys(one.row.route for one in wanted)
        aliases = {alias: route for alias, route in self.policy.aliases.items() if route in routes and alias not in routes}
        for name, route in {**{name: name for name in routes}, **aliases}.items():
            targets = {deployments[one.name]: one.row for one in wanted if one.row.route == route}
            self._route(name, {deployment: row for deployment, row in targets.items() if deployment})
        self._routing()
        for model in (Route, Deployment, Credential):
            for row in model._default_manager.filter(origin=Origin.FILE):
                if row not in self.seen:
                    self._remove(row)

    def _credentials(self, wanted: list[Wanted]) -> dict[tuple[str, ...], Credential | None]:
        """One credential per key, however many deployments use it. One held in the file is named after the first that does."""
        rows: dict[tuple[str, ...], Credential | None] = {}
        for one in wanted:
            key = _key_of(one.row)
            if key in rows or not any(key[1:]):
                continue
            reference = one.row.reference
            name = _short(f"{reference.removeprefix('env:')} ({one.row.provider})") if reference else f"{one.name} key"
            rows[key] = self._credential(name, one.row)
        return rows

    def _credential(self, name: str, wanted: FileDeployment) -> Credential | None:
        known = Credential.objects.filter(name=name).first()
        secret = wanted.reference or (known.secret if known and _opens_to(known, wanted.api_key) else "")
        draft = known or Credential(name=name)
        return self._put(draft, {"provider": wanted.provider, "secret": secret or encrypt(wanted.api_key, draft.pk)})

    def _deployment(self, wanted: Wanted, credential: Credential | None) -> Deployment | None:
        row = wanted.row
        if row.api_base and (problem := url_problem(row.api_base, is_operators=True)):
            raise ChangeRefused(f"{wanted.name}: {problem}", field="api_base")
        values = {
            "provider": row.provider,
            "model": row.model,
            "credential": credential,
            "base_url": row.api_base,
            "region": row.region,
            "project": row.project,
            "api": row.api,
            "api_version": row.api_version,
            "base_model": row.base_model,
            "rpm_limit": row.rpm,
            "tpm_limit": row.tpm,
            "first_byte_timeout_s": row.timeout_s or self.policy.timeout_s or DEFAULT_FIRST_BYTE_TIMEOUT_S,
            "idle_timeout_s": row.stream_timeout_s or DEFAULT_IDLE_TIMEOUT_S,
            "is_active": True,
        }
        draft = Deployment.objects.filter(name=wanted.name).first() or Deployment(name=wanted.name)
        return self._put(draft, values)

    def _route(self, name: str, targets: dict[Deployment, FileDeployment]) -> None:
        values = {"is_active": True, "description": "", **self.policy.for_route(name)}
        route = self._put(Route.objects.filter(name=name).first() or Route(name=name), values)
        if route is None:
            return
        # chances are whole numbers here, and shares such as 0.9 and 0.1 with LiteLLM
        scale = 100 if any(row.weight % 1 for row in targets.values()) else 1
        before = _targets(route)
        wanted = [Target(deployment, row.order, round(row.weight * scale)) for deployment, row in targets.items()]
        set_targets(route, wanted, actor=self.actor)
        after = _targets(route)
        if before != after and f"route {name}" not in self.created:
            self.changed.append(f"route {name}: {' + '.join(before) or 'nothing'} -> {' + '.join(after) or 'nothing'}")

    def _routing(self) -> None:
        """What holds for all routes. What the file no longer says is as it was without a file."""
        known, said = RoutingPolicy.objects.first(), self.policy.for_all()
        if known is None:
            if said:
                create_policy(RoutingPolicy(origin=Origin.FILE, **said), actor=self.actor)
                self.created.append("routing policy")
        elif known.origin == Origin.FILE:
            values = {name: said.get(name, getattr(RoutingPolicy(), name)) for name in POLICY_COLUMNS}
            before, after = describe(known), describe(change_policy(known, values, actor=self.actor))
            self.changed += [f"routing policy: {differences}"] if (differences := _differences(before, after)) else []
        elif said:
            self.left.append("the routing policy was set in a page and stays as it is; delete it there to let the file's take its place")

    def _put(self, row: Row, values: dict[str, Any]) -> Row | None:
        """Makes the row or changes it; None where it belongs to a page."""
        kind, values = str(row._meta.model_name), values | {"origin": Origin.FILE}
        if row._state.adding:
            for name, value in values.items():
                setattr(row, name, value)
            self.created.append(f"{kind} {row.name}")
            return self._keep(add_row(row, event=f"{kind}.created", actor=self.actor, unchecked={"base_url"}))
        if row.origin == Origin.PAGE and not is_untouched(row):
            self.left.append(
                f"{kind} {row.name} was made in a page and stays as it is; rename or delete it there to let the file's take its place"
            )
            return None
        before, old_secret = describe(row), getattr(row, "secret", "")
        # a host name without a dot is the operator's own; only pages refuse it
        changed = self._keep(change_row(row, values, event=f"{kind}.changed", actor=self.actor, unchecked={"base_url"}))
        if differences := _differences(before, describe(changed)) or ("secret" if getattr(changed, "secret", "") != old_secret else ""):
            self.changed.append(f"{kind} {row.name}: {differences}")
        return changed

    def _keep(self, row: Row) -> Row:
        self.seen.add(row)
        return row

    def _remove(self, row: Credential | Deployment | Route) -> None:
        kind, name = row._meta.model_name, row.name
        if isinstance(row, Route):
            delete_route(row, actor=self.actor)
        elif isinstance(row, Deployment) and row.targets.exists():
            self._switch_off(row)
            return
        elif isinstance(row, Credential) and row.deployments.exists():
            return
        else:
            remove_row(row, event=f"{kind}.deleted", actor=self.actor)
        self.removed.append(f"{kind} {name}")

    def _switch_off(self, row: Deployment) -> None:
        """A deployment that a page's route still leads to cannot go."""
        if row.is_active:
            change_row(row, {"is_active": False}, event="deployment.changed", actor=self.actor, unchecked={"base_url"})
            self.changed.append(f"deployment {row.name}: switched off; it left the file, but a route made in a page still leads to it")


def _key_of(row: FileDeployment) -> tuple[str, ...]:
    return (row.provider, row.reference, row.api_key)


def _opens_to(credential: Credential, api_key: str) -> bool:
    """Whether the stored secret already is this key: sealing it again would look like a change."""
    try:
        return decrypt(credential.secret, credential.pk) == api_key
    except CredentialUnusable:
        return False


def _targets(route: Route) -> list[str]:
    rows = route.targets.select_related("deployment").order_by("order", "-weight", "deployment__name")
    return [f"{row.deployment.name} (order {row.order}, weight {row.weight})" for row in rows]


def _differences(before: dict[str, Any], after: dict[str, Any]) -> str:
    return ", ".join(f"{name} {before.get(name)!r} -> {after[name]!r}" for name in after if before.get(name) != after[name])
