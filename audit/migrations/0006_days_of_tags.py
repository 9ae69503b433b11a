"""Days of tags, for the zones that have days, filled from the roll-ups that are there, a day at a time."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import migrations, models

WHO = ("tag", "team_id", "route")
SUMS = ("calls", "cost_nano", "input_tokens", "output_tokens")


def fill(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.alias != "default":
        return
    rolled, days = (apps.get_model("audit", name).objects for name in ("TagRollUp", "DayTagRollUp"))
    found = rolled.aggregate(first=models.Min("starts_at"), last=models.Max("starts_at"))
    for zone in map(ZoneInfo, apps.get_model("audit", "DayZone").objects.values_list("zone", flat=True)):
        day, last = (moment and moment.astimezone(zone).date() for moment in found.values())
        while day and day <= last:
            start, end = (datetime.combine(one, time.min, tzinfo=zone) for one in (day, day + timedelta(days=1)))
            rows = rolled.filter(starts_at__gte=start, starts_at__lt=end).order_by().values_list(*WHO)
            sums = rows.annotate(**{f"sum_{name}": models.Sum(name) for name in SUMS})
            made = (days.model(zone=zone.key, day=day, **dict(zip((*WHO, *SUMS), row, strict=True))) for row in sums)
            days.bulk_create(made, batch_size=500)
            day += timedelta(days=1)


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_day_rollups")]

    operations = [
        migrations.CreateModel(
            name="DayTagRollUp",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("zone", models.CharField(max_length=64)),
                ("day", models.DateField()),
                ("tag", models.CharField(max_length=100)),
                ("team_id", models.CharField(blank=True, max_length=64)),
                ("route", models.CharField(blank=True, max_length=200)),
                ("calls", models.BigIntegerField(default=0)),
                ("cost_nano", models.BigIntegerField(default=0)),
                ("input_tokens", models.BigIntegerField(default=0)),
                ("output_tokens", models.BigIntegerField(default=0)),
            ],
            options={
                "ordering": ["-day"],
                "constraints": [models.UniqueConstraint(fields=("day", "zone", *WHO), name="one_rollup_per_day_and_tag")],
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
