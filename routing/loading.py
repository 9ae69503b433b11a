"""Rows → RouteTable: the only bridge from the ORM to the data plane for where calls go."""

from keys.snapshot import Limit
from routing.credentials import CredentialUnusable, resolve
from routing.models import Deployment, Route
from routing.snapshot import DeploymentSnapshot, RouteSnapshot, RouteTable, Target


def load_routes() -> RouteTable:
    """Every active route with its active deployments. A credential that cannot be read makes its deployment carry a `problem`."""
    deployments = {row.id: _deployment(row) for row in Deployment.objects.filter(is_active=True).select_related("credential")}
    routes = []
    for route in Route.objects.filter(is_active=True).prefetch_related("targets"):
        targets = tuple(
            Target(deployments[target.deployment_id], target.order, target.weight)
            for target in route.targets.all()
            if target.deployment_id in deployments
        )
        routes.append(RouteSnapshot(route.name, targets, route.description, int(route.created_at.timestamp()), _limits(route)))
    return RouteTable.of(routes)


def _limits(route: Route) -> tuple[Limit, ...]:
    """What all callers of a public name share."""
    return Limit.of("model", route.name, {"rpm": route.rpm_limit, "tpm": route.tpm_limit, "parallel": route.parallel_limit})


def _deployment(row: Deployment) -> DeploymentSnapshot:
    secret = problem = ""
    if row.credential:
        try:
            secret = resolve(row.credential)
        except CredentialUnusable as error:
            problem = str(error)
    return DeploymentSnapshot(
        id=row.id,
        name=row.name,
        provider=row.provider,
        model=row.model,
        base_url=row.base_url,
        secret=secret,
        problem=problem,
        connect_timeout_s=row.connect_timeout_s,
        first_byte_timeout_s=row.first_byte_timeout_s,
        idle_timeout_s=row.idle_timeout_s,
    )
