"""What happened: administrative changes (hash-chained) and served calls."""

from django.db import models


class AuditEvent(models.Model):
    """One administrative change. Append-only; each row's hash covers its content and the row before it."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    event = models.CharField(max_length=60)
    actor_kind = models.CharField(max_length=20)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(max_length=200, blank=True)
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=200)
    object_name = models.CharField(max_length=200, blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    ip = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["object_type", "object_id"])]

    def __str__(self) -> str:
        return f"{self.event} {self.object_type} {self.object_name or self.object_id}"


class RequestRecord(models.Model):
    """One call as it was served: who, what, how long, what it cost, whose fault.

    Ids and names are plain columns, for a record outlives its subjects.
    Durations are milliseconds since `received_at`; `cost_nano` is nano-USD and NULL when the call has no price.
    """

    id = models.CharField(max_length=40, primary_key=True)
    received_at = models.DateTimeField()
    first_byte_ms = models.FloatField(null=True)
    duration_ms = models.FloatField(default=0)
    gateway_ms = models.FloatField(default=0)
    endpoint = models.CharField(max_length=40)
    is_stream = models.BooleanField(default=False)
    status = models.PositiveSmallIntegerField(default=0)
    outcome = models.CharField(max_length=20)
    error_source = models.CharField(max_length=10, blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.CharField(max_length=1000, blank=True)

    organisation_id = models.CharField(max_length=64, blank=True)
    team_id = models.CharField(max_length=64, blank=True)
    team_name = models.CharField(max_length=200, blank=True)
    user_id = models.CharField(max_length=64, blank=True)
    user_name = models.CharField(max_length=200, blank=True)
    key_id = models.CharField(max_length=64, blank=True)
    key_name = models.CharField(max_length=200, blank=True)
    cost_centre = models.CharField(max_length=100, blank=True)
    end_user = models.CharField(max_length=200, blank=True)
    session_id = models.CharField(max_length=100, blank=True)
    agent_id = models.CharField(max_length=100, blank=True)
    tags = models.JSONField(default=list)
    client = models.CharField(max_length=100, blank=True)
    client_ip = models.CharField(max_length=45, blank=True)

    route = models.CharField(max_length=200, blank=True)
    provider = models.CharField(max_length=40, blank=True)
    deployment_id = models.CharField(max_length=64, blank=True)
    deployment_name = models.CharField(max_length=200, blank=True)
    served_model = models.CharField(max_length=200, blank=True)
    attempts = models.JSONField(default=list)
    upstream_request_id = models.CharField(max_length=100, blank=True)

    input_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_5m_tokens = models.BigIntegerField(default=0)
    cache_write_1h_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    thinking_tokens = models.BigIntegerField(default=0)
    web_searches = models.IntegerField(default=0)
    cost_nano = models.BigIntegerField(null=True)
    is_unpriced = models.BooleanField(default=False)
    is_estimated = models.BooleanField(default=False)
    price_lines = models.JSONField(default=list)
    tools = models.JSONField(default=list)
    stop_reason = models.CharField(max_length=40, blank=True)
    request_bytes = models.BigIntegerField(default=0)
    response_bytes = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-received_at", "-id"]
        indexes = [
            # forwards, though they are read backwards: new rows then join at the end, where both databases add them fastest
            models.Index(fields=["received_at", "id"]),
            models.Index(fields=["team_id", "received_at"]),
            models.Index(fields=["key_id", "received_at"]),
            models.Index(fields=["user_id", "received_at"]),
            models.Index(fields=["session_id", "received_at"]),
            # these hold few rows, so that the many others cost nothing
            models.Index(fields=["end_user", "received_at"], condition=~models.Q(end_user=""), name="records_of_end_users"),
            models.Index(fields=["received_at"], condition=models.Q(is_unpriced=True), name="records_without_price"),
            models.Index(fields=["received_at"], condition=models.Q(is_estimated=True), name="records_estimated"),
        ]

    def __str__(self) -> str:
        return self.id


class RollUp(models.Model):
    """Calls of a quarter of an hour with everything in common that people ask about. Written with the records; charts read nothing else.

    `waits` counts calls by duration, `first_waits` by time to the first byte: one number per bound of `audit.rollups.BOUNDS_MS`, one above.
    """

    id = models.BigAutoField(primary_key=True)
    starts_at = models.DateTimeField()
    organisation_id = models.CharField(max_length=64, blank=True)
    team_id = models.CharField(max_length=64, blank=True)
    cost_centre = models.CharField(max_length=100, blank=True)
    user_id = models.CharField(max_length=64, blank=True)
    key_id = models.CharField(max_length=64, blank=True)
    route = models.CharField(max_length=200, blank=True)
    provider = models.CharField(max_length=40, blank=True)
    client = models.CharField(max_length=100, blank=True)
    status_class = models.CharField(max_length=12)
    calls = models.BigIntegerField(default=0)
    unpriced_calls = models.BigIntegerField(default=0)
    estimated_calls = models.BigIntegerField(default=0)
    cost_nano = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    thinking_tokens = models.BigIntegerField(default=0)
    duration_ms = models.BigIntegerField(default=0)
    waits = models.JSONField(default=list)
    first_waits = models.JSONField(default=list)

    class Meta:
        ordering = ["-starts_at"]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "starts_at", "organisation_id", "team_id", "cost_centre", "user_id", "key_id", "route", "provider", "client",
                    "status_class",
                ],
                name="one_rollup_per_quarter_and_kind",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d %H:%M} {self.key_id} {self.route}"


class DayRollUp(models.Model):
    """The roll-ups of a day as the clocks of `zone` cut it, for pages of months: a hundredth of the rows. Written with RollUp."""

    id = models.BigAutoField(primary_key=True)
    zone = models.CharField(max_length=64)
    day = models.DateField()
    organisation_id = models.CharField(max_length=64, blank=True)
    team_id = models.CharField(max_length=64, blank=True)
    cost_centre = models.CharField(max_length=100, blank=True)
    user_id = models.CharField(max_length=64, blank=True)
    key_id = models.CharField(max_length=64, blank=True)
    route = models.CharField(max_length=200, blank=True)
    provider = models.CharField(max_length=40, blank=True)
    client = models.CharField(max_length=100, blank=True)
    failed_calls = models.BigIntegerField(default=0)
    calls = models.BigIntegerField(default=0)
    unpriced_calls = models.BigIntegerField(default=0)
    estimated_calls = models.BigIntegerField(default=0)
    cost_nano = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    thinking_tokens = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-day"]
        constraints = [
            models.UniqueConstraint(
                fields=["day", "zone", "organisation_id", "team_id", "cost_centre", "user_id", "key_id", "route", "provider", "client"],
                name="one_rollup_per_day_and_kind",
            )
        ]
        # Rows lie in the order of their days, which a planner knows of an index of the day alone.
        indexes = [models.Index(fields=["day"], name="days_by_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.key_id} {self.route}"


class DayZone(models.Model):
    """A time zone whose days are written; pages read them once they `is_whole`, that is once all earlier roll-ups are in them, too."""

    zone = models.CharField(max_length=64, primary_key=True)
    is_whole = models.BooleanField(default=False)

    class Meta:
        ordering = ["zone"]

    def __str__(self) -> str:
        return self.zone


class TagRollUp(models.Model):
    """Calls of a quarter of an hour by declared tag. Apart from RollUp, for a call with two tags counts under both."""

    id = models.BigAutoField(primary_key=True)
    starts_at = models.DateTimeField()
    tag = models.CharField(max_length=100)
    team_id = models.CharField(max_length=64, blank=True)
    route = models.CharField(max_length=200, blank=True)
    calls = models.BigIntegerField(default=0)
    cost_nano = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-starts_at"]
        constraints = [models.UniqueConstraint(fields=["starts_at", "tag", "team_id", "route"], name="one_rollup_per_quarter_and_tag")]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d %H:%M} {self.tag}"


class DayTagRollUp(models.Model):
    """The roll-ups of a tag on a day as the clocks of `zone` cut it. Written with TagRollUp, for the zones of DayZone."""

    id = models.BigAutoField(primary_key=True)
    zone = models.CharField(max_length=64)
    day = models.DateField()
    tag = models.CharField(max_length=100)
    team_id = models.CharField(max_length=64, blank=True)
    route = models.CharField(max_length=200, blank=True)
    calls = models.BigIntegerField(default=0)
    cost_nano = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-day"]
        constraints = [models.UniqueConstraint(fields=["day", "zone", "tag", "team_id", "route"], name="one_rollup_per_day_and_tag")]

    def __str__(self) -> str:
        return f"{self.day} {self.tag}"


class Outbox(models.Model):
    """Something that people are to be told, once: `once_key` is unique, so that of many processes that notice it one writes it."""

    id = models.BigAutoField(primary_key=True)
    once_key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=40)
    created_at = models.DateTimeField(db_index=True)
    payload = models.JSONField(default=dict)
    sent_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "outbox"

    def __str__(self) -> str:
        return self.once_key


class RequestBody(models.Model):
    """What was asked and answered, where a team keeps bodies. In its own store (`bodies`), so that long texts never slow money."""

    request_id = models.CharField(max_length=40, primary_key=True)
    stored_at = models.DateTimeField(db_index=True)
    request = models.BinaryField(help_text="zlib-compressed, redacted JSON")
    response = models.BinaryField(help_text="zlib-compressed, as it was sent")
    is_cut = models.BooleanField(default=False)

    class Meta:
        ordering = ["-stored_at"]
        verbose_name_plural = "request bodies"

    def __str__(self) -> str:
        return self.request_id
