"""Days of the gateway's time zone, filled from the roll-ups that are there, a day at a time."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import migrations, models

WHO = ("organisation_id", "team_id", "cost_centre", "user_id", "key_id", "route", "provider", "client")
SUMS = (
    "calls", "unpriced_calls", "estimated_calls", "cost_nano", "input_tokens", "cache_read_tokens", "cache_write_tokens",
    "output_tokens", "thinking_tokens",
)  # fmt: skip


def fill(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.alias != "default":
        return
    rolled, days = (apps.get_model("audit", name).objects for name in ("RollUp", "DayRollUp"))
    zone = ZoneInfo(settings.TIME_ZONE)
    sums = {"failed": models.Sum("calls", filter=~models.Q(status_class="2xx"), default=0)}
    sums |= {f"sum_{name}": models.Sum(name) for name in SUMS}
    found = rolled.aggregate(first=models.Min("starts_at"), last=models.Max("starts_at"))
    day, last = (moment and moment.astimezone(zone).date() for moment in found.values())
    while day and day <= last:
        start, end = (datetime.combine(one, time.min, tzinfo=zone) for one in (day, day + timedelta(days=1)))
        rows = rolled.filter(starts_at__gte=start, starts_at__lt=end).order_by().values_list(*WHO).annotate(**sums)
        names = (*WHO, "failed_calls", *SUMS)
        days.bulk_create([days.model(zone=zone.key, day=day, **dict(zip(names, row, strict=True))) for row in rows], batch_size=500)
        day += timedelta(days=1)
    apps.get_model("audit", "DayZone").objects.create(zone=zone.key, is_whole=True)


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_indexes_of_records")]

    operations = [
        migrations.CreateModel(
            name="DayZone",
            fields=[
                ("zone", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("is_whole", models.BooleanField(default=False)),
            ],
            options={"ordering": ["zone"]},
        ),
        migrations.CreateModel(
            name="DayRollUp",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("zone", models.CharField(max_length=64)),
                ("day", models.DateField()),
                ("organisation_id", models.CharField(blank=True, max_length=64)),
                ("team_id", models.CharField(blank=True, max_length=64)),
                ("cost_centre", models.CharField(blank=True, max_length=100)),
                ("user_id", models.CharField(blank=True, max_length=64)),
                ("key_id", models.CharField(blank=True, max_length=64)),
                ("route", models.CharField(blank=True, max_length=200)),
                ("provider", models.CharField(blank=True, max_length=40)),
                ("client", models.CharField(blank=True, max_length=100)),
                ("failed_calls", models.BigIntegerField(default=0)),
                ("calls", models.BigIntegerField(default=0)),
                ("unpriced_calls", models.BigIntegerField(default=0)),
                ("estimated_calls", models.BigIntegerField(default=0)),
                ("cost_nano", models.BigIntegerField(default=0)),
                ("input_tokens", models.BigIntegerField(default=0)),
                ("cache_read_tokens", models.BigIntegerField(default=0)),
                ("cache_write_tokens", models.BigIntegerField(default=0)),
                ("output_tokens", models.BigIntegerField(default=0)),
                ("thinking_tokens", models.BigIntegerField(default=0)),
            ],
            options={
                "ordering": ["-day"],
                "indexes": [models.Index(fields=["day"], name="days_by_day")],
                "constraints": [
                    models.UniqueConstraint(fields=("day", "zone", *WHO), name="one_rollup_per_day_and_kind"),
                ],
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
