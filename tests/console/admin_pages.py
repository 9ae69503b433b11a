"""What tests of admin pages share: addresses, inline forms, the newest audit event."""

from typing import Any

from django.urls import reverse

from audit.models import AuditEvent

NO_INLINES = {"TOTAL_FORMS": "0", "INITIAL_FORMS": "0", "MIN_NUM_FORMS": "0", "MAX_NUM_FORMS": "1000"}


def inline(prefix: str, *rows: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    values = {f"{prefix}-{name}": value for name, value in (NO_INLINES | {"TOTAL_FORMS": len(rows), "INITIAL_FORMS": initial}).items()}
    return values | {f"{prefix}-{place}-{name}": value for place, row in enumerate(rows) for name, value in row.items()}


def page(model: type[Any], name: str, *args: str) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def last_event() -> AuditEvent:
    return AuditEvent.objects.order_by("-id")[0]
