"""Rows → RouteTable: the only bridge from the ORM to the data plane for where calls go."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from keys.snapshot import Limit
from routing.credentials import resolve_fields
from routing.models import Credential, Deployment, Origin, Route, RoutingPolicy
from routing.policy import Policy
from routing.providers.base import NotServed
from routing.providers.registry import PROVIDERS
from routing.references import CredentialUnusable
from routing.renewal import Renewal
from routing.snapshot import DeploymentSnapshot, RouteSnapshot, RouteTable, Target


def load_routes(renewal: Renewal | None = None) -> RouteTable:
    """Every active route with its active deployments. A credential that cannot be read makes its deployment carry a `problem`.

    `renewal` hands out the same Accesses, and remembers the same distant secrets, from load to load.
    """
    loading = _Loading(renewal or Renewal())
    rows = Deployment.objects.filter(is_active=True).select_related("credential")
    deployments = {row.id: loading.deployment(row) for row in rows}
    policy = RoutingPolicy.objects.first() or RoutingPolicy()
    routes = [_route(row, deployments, policy) for row in Route.objects.filter(is_active=True).prefetch_related("targets")]
    loading.renewal.settle()
    return RouteTable.of(routes, _policy(policy))


def _route(row: Route, deployments: Mapping[str, DeploymentSnapshot], policy: RoutingPolicy) -> RouteSnapshot:
    targets = row.targets.all()
    return RouteSnapshot(
        row.name,
        tuple(
            Target(deployments[target.deployment_id], target.order, target.weight)
            for target in targets
            if target.deployment_id in deployments
        ),
        row.description,
        int(row.created_at.timestamp()),
        Limit.of("model", row.name, {"rpm": row.rpm_limit, "tpm": row.tpm_limit, "parallel": row.parallel_limit}),
        strategy=row.strategy or policy.strategy,
        retries=policy.retries if row.retries is None else row.retries,
        fallbacks=tuple(row.fallbacks),
        context_window_fallbacks=tuple(row.context_window_fallbacks),
        content_policy_fallbacks=tuple(row.content_policy_fallbacks),
    )


def _policy(row: RoutingPolicy) -> Policy:
    return Policy(
        allowed_fails=row.allowed_fails,
        cooldown_s=row.cooldown_s,
        is_sticky=row.is_sticky,
        default_fallbacks=tuple(row.default_fallbacks),
        has_health_checks=row.has_health_checks,
        health_check_interval_s=row.health_check_interval_s,
    )


@dataclass(slots=True)
class _Loading:
    """One load; a credential is resolved once however many deployments it opens."""

    renewal: Renewal
    resolved: dict[str, dict[str, str] | CredentialUnusable] = field(default_factory=dict, repr=False)

    def deployment(self, row: Deployment) -> DeploymentSnapshot:
        plain = _plain(row)
        fields = self._fields(row.credential)
        if isinstance(fields, CredentialUnusable):
            return replace(plain, problem=str(fields))
        return self._opened(plain, fields, row.credential)

    def _opened(self, plain: DeploymentSnapshot, fields: dict[str, str], credential: Credential | None) -> DeploymentSnapshot:
        """With its key, or with the Access that the provider makes of it."""
        provider = PROVIDERS.get(plain.provider)
        key = fields.get("api_key", "")
        if provider is None:
            return plain
        if provider.open is None:
            needs_key = credential is not None and not (key or provider.is_in_process)
            problem = f"Credential {credential} holds no key that {plain.provider} takes. Enter one." if needs_key else ""
            return replace(plain, secret=key, problem=problem)
        try:
            return replace(plain, secret=key, access=self.renewal.access(provider, fields, plain))
        except NotServed as error:
            return replace(plain, problem=str(error))

    def _fields(self, credential: Credential | None) -> dict[str, str] | CredentialUnusable:
        if credential is None:
            return {}
        if credential.pk not in self.resolved:
            try:
                self.resolved[credential.pk] = resolve_fields(credential, self.renewal.sources)
            except CredentialUnusable as error:
                self.resolved[credential.pk] = error
        return self.resolved[credential.pk]


def _plain(row: Deployment) -> DeploymentSnapshot:
    return DeploymentSnapshot(
        id=row.id,
        name=row.name,
        provider=row.provider,
        model=row.model,
        base_url=row.base_url,
        region=row.region,
        project=row.project,
        api=row.api,
        api_version=row.api_version,
        base_model=row.base_model,
        rpm=row.rpm_limit or 0,
        tpm=row.tpm_limit or 0,
        is_operators=row.origin == Origin.FILE,
        connect_timeout_s=row.connect_timeout_s,
        first_byte_timeout_s=row.first_byte_timeout_s,
        idle_timeout_s=row.idle_timeout_s,
        credential_id=row.credential_id or "",
    )


def load_deployment(row: Deployment) -> DeploymentSnapshot:
    """One deployment by itself, with an Access of its own."""
    return _Loading(Renewal()).deployment(row)
