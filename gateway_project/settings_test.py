"""Settings of the test suite: a home of its own, cheap passwords, no secrets of the machine."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_home = tempfile.mkdtemp(prefix="tallygate-test-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["TALLYGATE_HOME"] = _home
for _name in (
    "TALLYGATE_CONFIG",
    "LITELLM_MASTER_KEY",
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "TALLYGATE_SECRETS_DIR",
    "TALLYGATE_SECRETS_ALLOW",
):
    os.environ.pop(_name, None)
os.environ["TALLYGATE_MASTER_KEY"] = "sk-master-for-tests"

from gateway_project.settings import *  # noqa: E402, F403

STATIC_ROOT = Path(_home) / "staticfiles"
STATIC_ROOT.mkdir()
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}  # tests side by side count for themselves
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
TEST_HOME = Path(_home)
