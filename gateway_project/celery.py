"""The Celery application: one schedule and one set of tasks, whether they run inside `serve` or in `worker` and `beat`."""

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
_search_path = list(sys.path)

from celery import Celery  # noqa: E402  # Celery looks for DJANGO_SETTINGS_MODULE when it is imported and made
from celery.schedules import crontab  # noqa: E402
from django.conf import settings  # noqa: E402

from gateway_project import env  # noqa: E402

BROKER_URL = env.text(
    "TALLYGATE_BROKER_URL", settings.REDIS_URL, secret=True, meaning="broker of background work; without one it runs inside serve"
)
IS_EMBEDDED = not BROKER_URL
# After its lease a lost process binds money for this long at most.
REAP_EVERY_S = 10.0
# Ticks that no worker took do not pile up at the broker. Far above the difference that two machines' clocks may have.
SHORT_LIVED = {"expires": 1800}

app = Celery("tallygate")
# Celery puts the current folder first in the search path; code must never come from where somebody happened to stand.
sys.path[:] = _search_path
# Without this a task that retries itself in a worker's thread looks for a broker on this machine.
app.set_default()
app.conf.update(
    broker_url=BROKER_URL or "memory://localhost",
    # The queue in memory is polled; at Celery's 1 s it would pass on 16 tasks a second.
    broker_transport_options={"polling_interval": 0.1} if IS_EMBEDDED else {},
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    task_default_queue="tallygate",
    timezone="UTC",
    worker_hijack_root_logger=False,
    worker_enable_remote_control=not IS_EMBEDDED,
    beat_schedule={
        "open windows": {"task": "billing.tasks.open_windows", "schedule": crontab(), "options": SHORT_LIVED},
        "alert on budgets": {"task": "billing.tasks.alert_on_budgets", "schedule": crontab(), "options": SHORT_LIVED},
        "reap lost instances": {"task": "billing.tasks.reap_lost_instances", "schedule": REAP_EVERY_S, "options": SHORT_LIVED},
        "clear expired sessions": {"task": "gateway_project.tasks.clear_sessions", "schedule": crontab(hour="3", minute="17")},
        "sweep the outbox": {"task": "audit.tasks.sweep_outbox", "schedule": crontab(hour="3", minute="27")},
        "check the audit trail": {"task": "audit.tasks.check_trail", "schedule": crontab(hour="3", minute="37")},
        "keep days": {"task": "audit.tasks.keep_days", "schedule": crontab(hour="3", minute="47")},
    },
)
app.autodiscover_tasks()
