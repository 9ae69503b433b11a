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
    object_id = models.CharField(max_length=64)
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
            models.Index(fields=["-received_at", "-id"]),
            models.Index(fields=["team_id", "-received_at"]),
            models.Index(fields=["key_id", "-received_at"]),
            models.Index(fields=["session_id"]),
        ]

    def __str__(self) -> str:
        return self.id


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
