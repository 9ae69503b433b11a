"""The configuration file's rows: credentials, deployments and routes with origin `file` are made to say what the file says.

Rows made in pages are left alone, but for defaults of the first start that nobody touched, which give way to the file, and for rows that
the file names as its own (`model_info.id`, `tallygate_name`, `tallygate_credential`), which become the file's.
"""

import json
import os
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from django.db import models, transaction

from audit.rows import ChangeRefused, add_row, change_row, remove_row
from audit.trail import Actor, describe, record_change
from gateway_project.config_file import ConfigFile
from gateway_project.default_rows import is_untouched
from gateway_project.file_money import apply_budget, apply_prices
from gateway_project.file_names import Wanted, named, usual_key_name
from gateway_project.file_summary import Noted, Summary, differences
from gateway_project.model_list import FileDeployment
from gateway_project.router_file import FilePolicy
from routing.actions import Target, change_policy, create_policy, delete_route, set_targets
from routing.credentials import SEALED, CredentialUnusable, decrypt, encrypt
from routing.egress import url_problem
from routing.models import Credential, Deployment, Origin, Route, RoutingPolicy

Row = TypeVar("Row", Credential, Deployment, Route)
# What a file can say of all routes.
POLICY_COLUMNS = ("strategy", "retries", "allowed_fails", "cooldown_s", "has_health_checks", "health_check_interval_s", "default_fallbacks")
DEFAULT_FIRST_BYTE_TIMEOUT_S, DEFAULT_IDLE_TIMEOUT_S = 600.0, 120.0


@dataclass(slots=True)
class _AppliedFile:
    """Stands in the audit trail for the file itself, which is no row."""

    name: str
    pk: str = "config"

    class _meta:  # the one attribute of a model that the trail reads besides its key and its name
        model_name = "configurationfile"

    def __str__(self) -> str:
        return self.name


def apply_config(config: ConfigFile, actor: Actor, *, dry_run: bool = False) -> Summary:
    """Idempotent: a second call with the same file changes and records nothing. One transaction; a dry run rolls it back."""
    with transaction.atomic():
        noted = Noted()
        _Pass(actor, config, noted).apply(named(config.deployments))
        apply_prices(config.deployments, noted, actor)
        apply_budget(config.budget, noted, actor)
        summary = noted.summary()
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
    config: ConfigFile
    noted: Noted
    seen: set[models.Model] = field(default_factory=set)

    @property
    def policy(self) -> FilePolicy:
        return self.config.policy

    def apply(self, wanted: list[Wanted]) -> None:
        credentials = self._credentials(wanted)
        deployments = self._deployments(wanted, credentials)
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
        """One credential per key, however many deployments use it."""
        rows: dict[tuple[str, ...], Credential | None] = {}
        for one in wanted:
            key = _key_of(one.row)
            if key not in rows and _has_key(one.row):
                rows[key] = self._credential(one.row.credential or usual_key_name(one.row, one.name), one.row)
        return rows

    def _credential(self, name: str, wanted: FileDeployment) -> Credential | None:
        known = Credential.objects.filter(name=name).first()
        draft = known or Credential(name=name)
        values = {"provider": wanted.provider, "secret": self._secret(known, draft, wanted)}
        return self._put(draft, values, is_named=bool(wanted.credential))

    def _secret(self, known: Credential | None, draft: Credential, wanted: FileDeployment) -> str:
        """What is sealed here stays, where the file names it and only stands for it: with a name in the environment that nobody set."""
        if known and not wanted.reference and _opens_to(known, wanted.api_key):
            return known.secret
        if known and wanted.credential and known.secret.startswith(SEALED) and self._stands_in(wanted):
            return known.secret
        return wanted.reference or encrypt(wanted.api_key, draft.pk)

    def _stands_in(self, wanted: FileDeployment) -> bool:
        names = [reference.removeprefix("env:") for reference in _references(wanted) if reference.startswith("env:")]
        return any(not (os.environ.get(name, "").strip() or self.config.variables.get(name)) for name in names)

    def _deployments(self, wanted: list[Wanted], credentials: dict[tuple[str, ...], Credential | None]) -> dict[str, Deployment | None]:
        rows: dict[str, Deployment | None] = {}
        first: dict[str, FileDeployment] = {}
        for one in wanted:
            plain = replace(one.row, route="", weight=1, order=1)
            if first.setdefault(one.name, plain) != plain:
                self.noted.left.append(f"deployment {one.name}: rows of the file differ, the first counts")
            if one.name not in rows:
                rows[one.name] = self._deployment(one, credentials.get(_key_of(one.row)))
        return rows

    def _deployment(self, wanted: Wanted, credential: Credential | None) -> Deployment | None:
        row = wanted.row
        if row.api_base and (problem := url_problem(row.api_base, is_operators=True)):
            raise ChangeRefused(f"{wanted.name}: {problem}", field="api_base")
        values = {
            "name": wanted.name,
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
            "idle_timeout_s": row.stream_timeout_s or self.policy.stream_timeout_s or DEFAULT_IDLE_TIMEOUT_S,
            "is_active": True,
        }
        return self._put(self._known_or_new(wanted), values, is_named=bool(row.name or row.id))

    def _known_or_new(self, wanted: Wanted) -> Deployment:
        """By its id before its name. The id of a row that is there stays: records of calls tell it."""
        own_id = wanted.row.id
        known = Deployment.objects.filter(pk=own_id).first() if own_id else None
        known = known or Deployment.objects.filter(name=wanted.name).first()
        if known is None:
            return Deployment(name=wanted.name, **({"id": own_id} if own_id else {}))
        if own_id and known.pk != own_id:
            self.noted.left.append(f"deployment {known.name} keeps the id {known.pk}")
        return known

    def _route(self, name: str, targets: dict[Deployment, FileDeployment]) -> None:
        known = Route.objects.filter(name=name).first()
        # what a start's own route says of itself does not hold any more; what a person wrote does
        values = {"is_active": True, **({"description": ""} if known and is_untouched(known) else {}), **self.policy.for_route(name)}
        route = self._put(known or Route(name=name), values, is_named=_names_all(known, targets))
        if route is None:
            return
        # chances are whole numbers here, and shares such as 0.9 and 0.1 with LiteLLM
        scale = 100 if any(row.weight % 1 for row in targets.values()) else 1
        before = _targets(route)
        wanted = [Target(deployment, row.order, round(row.weight * scale)) for deployment, row in targets.items()]
        set_targets(route, wanted, actor=self.actor)
        after = _targets(route)
        if before != after and f"route {name}" not in self.noted.created:
            self.noted.changed.append(f"route {name}: {' + '.join(before) or 'nothing'} -> {' + '.join(after) or 'nothing'}")

    def _routing(self) -> None:
        """What holds for all routes. What the file no longer says is as it was without a file."""
        known, said = RoutingPolicy.objects.first(), self.policy.for_all()
        if known is None:
            if said:
                create_policy(RoutingPolicy(origin=Origin.FILE, **said), actor=self.actor)
                self.noted.created.append("routing policy")
        elif known.origin == Origin.FILE:
            values = {name: said.get(name, getattr(RoutingPolicy(), name)) for name in POLICY_COLUMNS}
            before, after = describe(known), describe(change_policy(known, values, actor=self.actor))
            self.noted.changed += [f"routing policy: {changes}"] if (changes := differences(before, after)) else []
        elif any(getattr(known, name) != value for name, value in said.items()):
            self.noted.left.append(
                "the routing policy was set in a page and stays as it is; delete it there to let the file's take its place"
            )

    def _put(self, row: Row, values: dict[str, Any], *, is_named: bool) -> Row | None:
        """Makes the row or changes it; None where it belongs to a page and the file does not name it."""
        kind, values = str(row._meta.model_name), values | {"origin": Origin.FILE.value}
        if row._state.adding:
            for name, value in values.items():
                setattr(row, name, value)
            self.noted.created.append(f"{kind} {row.name}")
            return self._keep(add_row(row, event=f"{kind}.created", actor=self.actor, unchecked={"base_url"}))
        if row.origin == Origin.PAGE and not is_named and not is_untouched(row):
            self.noted.left.append(
                f"{kind} {row.name} was made in a page and stays as it is; rename or delete it there to let the file's take its place"
            )
            return None
        before, old_secret = describe(row), getattr(row, "secret", "")
        # a host name without a dot is the operator's own; only pages refuse it
        changed = self._keep(change_row(row, values, event=f"{kind}.changed", actor=self.actor, unchecked={"base_url"}))
        if changes := differences(before, describe(changed)) or ("secret" if getattr(changed, "secret", "") != old_secret else ""):
            self.noted.changed.append(f"{kind} {row.name}: {changes}")
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
        self.noted.removed.append(f"{kind} {name}")

    def _switch_off(self, row: Deployment) -> None:
        """A deployment that a page's route still leads to cannot go."""
        if row.is_active:
            change_row(row, {"is_active": False}, event="deployment.changed", actor=self.actor, unchecked={"base_url"})
            self.noted.changed.append(f"deployment {row.name}: switched off; it left the file, but a route of a page leads to it still")


def _key_of(row: FileDeployment) -> tuple[str, ...]:
    return (row.credential,) if row.credential else (row.provider, row.reference, row.api_key)


def _has_key(row: FileDeployment) -> bool:
    return bool(row.reference or row.api_key)


def _references(row: FileDeployment) -> list[str]:
    """Where the values of a key lie; several values are JSON."""
    if row.reference or not row.api_key.startswith("{"):
        return [row.reference]
    return [value for value in json.loads(row.api_key).values() if isinstance(value, str)]


def _names_all(route: Route | None, targets: dict[Deployment, FileDeployment]) -> bool:
    """Whether the file names every deployment that a route leads to: then it means this very route."""
    mentioned = {deployment.pk for deployment, row in targets.items() if row.name or row.id}
    return route is not None and bool(mentioned) and {target.deployment_id for target in route.targets.all()} <= mentioned


def _opens_to(credential: Credential, api_key: str) -> bool:
    """Whether the stored secret already is this key: sealing it again would look like a change."""
    try:
        return decrypt(credential.secret, credential.pk) == api_key
    except CredentialUnusable:
        return False


def _targets(route: Route) -> list[str]:
    rows = route.targets.select_related("deployment").order_by("order", "-weight", "deployment__name")
    return [f"{row.deployment.name} (order {row.order}, weight {row.weight})" for row in rows]
