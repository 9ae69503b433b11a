"""The whole import: read, map, write, report."""

import os
from datetime import datetime

from django.conf import settings

from gateway_project.litellm_import.budgets import BudgetWriter
from gateway_project.litellm_import.key_mapping import hash_of
from gateway_project.litellm_import.mapping import mapped
from gateway_project.litellm_import.models import write_models
from gateway_project.litellm_import.presence import KINDS, imported_keys, taken_names
from gateway_project.litellm_import.reading import Source, read
from gateway_project.litellm_import.report import Report
from gateway_project.litellm_import.sealed import Opener
from gateway_project.litellm_import.wanted import HASH_SHOWN, KEY
from gateway_project.litellm_import.writing import Writer
from gateway_project.progress import progress

# Whose secret LiteLLM sealed its texts with, the first that is set.
SALTS = ("LITELLM_SALT_KEY", "LITELLM_MASTER_KEY")


def move_in(url: str, now: datetime, *, is_dry: bool) -> Report:
    source = read(url)
    return write(source, now, is_dry=is_dry)


def write(source: Source, now: datetime, *, is_dry: bool) -> Report:
    """Rows are written in batches: what an interruption leaves undone, the next run does."""
    master_key = settings.TALLYGATE_MASTER_KEY
    found = mapped(source, taken_names(master_key), now)
    report = Report(notes=list(found.notes))
    for one in found.refused:
        report.refuse(one.kind, one.name, one.reason)
    writer = Writer(report, now, is_dry, BudgetWriter(report, now, is_dry), found.absent)
    with progress("Comparing" if is_dry else "Moving in", sum(map(len, found.rows.values()))) as step:
        for name, kind in KINDS.items():
            writer.write(kind, found.of(name), step)
    salt = next((os.environ[name] for name in SALTS if os.environ.get(name)), master_key)
    write_models(source, Opener(salt), report, is_dry=is_dry)
    _tell_gone(source, report)
    return report


def _tell_gone(source: Source, report: Report) -> None:
    """Keys that an earlier import brought and LiteLLM has no more: they go on working here until somebody revokes them."""
    there = {hash_of(row) for row in source.of("keys")}
    for key in imported_keys(besides=there):
        report.note(KEY, f"{key} ({key.pk[:HASH_SHOWN]})", "LiteLLM has it no more; revoke it here if it is to end")
