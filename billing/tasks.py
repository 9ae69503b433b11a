"""Periodic work on budgets. Each task looks at how things stand, so it may run late, twice or in several processes.

The database's clock rules.
"""

from celery import shared_task

from billing.alert_rows import write_alerts
from billing.shares import database_time, reap_lost
from billing.window_opening import open_present


@shared_task
def open_windows() -> None:
    open_present(database_time())


@shared_task
def alert_on_budgets() -> None:
    write_alerts(database_time())


@shared_task
def reap_lost_instances() -> None:
    reap_lost()
