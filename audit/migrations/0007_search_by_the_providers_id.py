"""An index for looking for a call by its provider's id, on PostgreSQL alone.

These ids lie in no order, so that each would touch a page of its own. SQLite's gateways are small enough to read the period.
"""

from typing import Any

from django.db import migrations

INDEX = "records_by_providers_id"


def make(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"CREATE INDEX IF NOT EXISTS {INDEX} ON audit_requestrecord (upstream_request_id)")


def remove(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX IF EXISTS {INDEX}")


class Migration(migrations.Migration):
    dependencies = [("audit", "0006_days_of_tags")]

    operations = [migrations.RunPython(make, remove)]
