"""The repository keeps its own rules (`rules.py`), and every rule can fail."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.rules import RULES, SourceFile

ROOT = Path(__file__).parent.parent

# The borders where a rule does not hold: (rule, file) → why there.
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("broad except", "proxy/app.py"): "the data plane's last border",
    ("broad except", "proxy/refresh.py"): "a row that nobody foresaw must not stop the hearing of later changes",
    ("broad except", "proxy/relay.py"): "an answer passes though our own reading of it fails",
    ("foreign text", "tests/test_architecture.py"): "the bad examples below",
    ("late import", "routing/aws_secrets.py"): "boto3 costs every start a quarter of a second, and few name a secret of AWS",
    ("late import", "routing/vault_secrets.py"): "hvac is an optional extra",
    **{
        (rule, f"gateway_project/{path}"): reason
        for rule in ("risky import", "risky use")
        for path, reason in {
            "cli.py": "finds the commands of a fixed list of our own packages",
            "background.py": "one module of ours by its fixed name, in the thread that needs it: Celery's worker is slow to import",
            "management/commands/serve.py": "the application that our own settings name, once the databases are ready",
        }.items()
    },
    ("boundless cache", "audit/batch_sql.py"): "by tables and columns of ours; times for as long as a batch takes",
    ("boundless cache", "audit/rollup_rows.py"): "by tables and columns of ours",
    ("risky use", "gateway_project/supervisor.py"): "starts workers: this process's own command line again",
}

# Modules that decide and touch nothing (style: decisions are pure); the contract in pyproject.toml must name them.
PURE = [
    *(f"routing.{name}" for name in ("wire", "dialects", "translation", "providers", "choose", "snapshot")),
    *(f"billing.{name}" for name in ("money", "usage", "pricing", "periods", "limits", "alerts", "snapshot")),
    *(f"keys.{name}" for name in ("secrets", "authenticate", "snapshot")),
    "audit.export",
]

BAD = {
    "long file": ("console/a.py", "x = 1\n" * 501),
    "long function": ("console/a.py", "def f():\n" + "    x = 1\n" * 50),
    "long method": ("console/a.py", "class A:\n    async def f(self):\n" + "        x = 1\n" * 50),
    "broad except": ("proxy/a.py", "try:\n    x()\nexcept Exception:\n    pass\n"),
    "broad except, bare": ("proxy/a.py", "try:\n    x()\nexcept:\n    raise\n"),
    "broad except, among others": ("proxy/a.py", "try:\n    x()\nexcept (OSError, builtins.BaseException):\n    raise\n"),
    "late import": ("proxy/a.py", "def f():\n    from keys import models\n"),
    "late import in another method of apps.py": ("proxy/apps.py", "class A:\n    def other(self):\n        import keys\n"),
    "rebound global": ("proxy/a.py", "def f():\n    global x\n    x = 1\n"),
    "homeless name": ("console/utils.py", ""),
    "homeless name of a folder": ("console/helpers/dates.py", ""),
    "inexact money": ("billing/money.py", "x = 0.1\n"),
    "inexact money, divided": ("billing/pricing.py", "x = a / b\n"),
    "inexact money, divided in place": ("billing/pricing.py", "a /= b\n"),
    "inexact money, converted": ("billing/usage.py", "x = float(a)\n"),
    "risky import": ("audit/a.py", "import pickle\n"),
    "risky import of a part": ("audit/a.py", "from subprocess import run\n"),
    "risky import of a function": ("audit/a.py", "from os import system as s\n"),
    "risky import of an importer": ("audit/a.py", "from django.utils.module_loading import import_string\n"),
    "risky use": ("routing/a.py", "x = eval(text)\n"),
    "risky use as a value": ("routing/a.py", "x = map(exec, texts)\n"),
    "risky use, shell": ("routing/a.py", "os.system(text)\n"),
    "risky use, asyncio": ("routing/a.py", "await asyncio.create_subprocess_shell(text)\n"),
    "risky use, importer": ("routing/a.py", "django.utils.module_loading.import_string(text)\n"),
    "risky use, yaml": ("gateway_project/a.py", "yaml.load(text, Loader=yaml.Loader)\n"),
    "risky use, template": ("console/a.py", "Template(text)\n"),
    "boundless cache": ("routing/a.py", "@cache\ndef f(text):\n    return text\n"),
    "boundless cache, of a method": ("routing/a.py", "class A:\n    @functools.cache\n    def f(self):\n        return 1\n"),
    "boundless cache, without a size": ("routing/a.py", "@lru_cache(maxsize=None)\ndef f(text):\n    return text\n"),
    "boundless cache, made in passing": ("routing/a.py", "known = cache(lambda text: text)\n"),
    "foreign text": ("docs/a.md", "see /root/notes.txt\n"),
    "foreign text, index": ("requirements.lock", "--extra-index-url https://example.com\n"),
}

GOOD = {
    "late import in ready": ("proxy/apps.py", "class A:\n    def ready(self):\n        from proxy import refresh\n"),
    "narrow except": ("proxy/a.py", "try:\n    x()\nexcept (OSError, ValueError):\n    pass\n"),
    "a walk of 60 lines": ("proxy/flow.py", "def walk():\n" + "    x = 1\n" * 59),
    "exact money": ("billing/money.py", "x = (a + b // 2) // b\n"),
    "division elsewhere": ("console/a.py", "x = a / 2.0\n"),
    "safe yaml": ("gateway_project/a.py", "yaml.load(text, Loader=yaml.CSafeLoader)\nyaml.safe_load(text)\n"),
    "cache of a size": ("routing/a.py", "@lru_cache(maxsize=9)\ndef f(text):\n    return text\n"),
    "cache of one answer": ("routing/a.py", "@cache\ndef f():\n    return 1\n"),
    "pattern": ("routing/a.py", "re.compile(text)\n"),
    "fixed template": ("console/a.py", "Template('{{ x }}')\n"),
    "program in a test": ("tests/a.py", "import subprocess\n"),
    "address with a path": ("docs/a.md", "https://example.com/root/x and docs/work/x\n"),
}


def repository() -> list[SourceFile]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    )
    paths = [path for path in listed.stdout.decode().split("\0") if path and (ROOT / path).is_file()]
    return [SourceFile(path, (ROOT / path).read_bytes().decode(errors="replace")) for path in paths]


def complaints(rule: str, files: list[SourceFile]) -> dict[str, list[str]]:
    found = {file.path: list(RULES[rule].complaints(file)) for file in files if RULES[rule].concerns(file.path)}
    return {path: each for path, each in found.items() if each}


@pytest.fixture(scope="module")
def files() -> list[SourceFile]:
    return repository()


@pytest.mark.parametrize("rule", RULES)
def test_repository_keeps_the_rule(rule: str, files: list[SourceFile]) -> None:
    excepted = {path for name, path in EXCEPTIONS if name == rule}
    found = complaints(rule, files)
    assert {path: each for path, each in found.items() if path not in excepted} == {}


@pytest.mark.parametrize(("rule", "path"), EXCEPTIONS)
def test_exception_is_still_needed(rule: str, path: str, files: list[SourceFile]) -> None:
    assert path in complaints(rule, files), "delete this line of EXCEPTIONS"


@pytest.mark.parametrize("name", BAD)
def test_bad_example_is_reported_by_its_rule_alone(name: str) -> None:
    example = SourceFile(*BAD[name])
    reported_by = [rule for rule in RULES if complaints(rule, [example])]
    assert len(reported_by) == 1
    assert name.startswith(reported_by[0]) or name == "long method"


@pytest.mark.parametrize("name", GOOD)
def test_good_example_is_not_reported(name: str) -> None:
    example = SourceFile(*GOOD[name])
    assert [rule for rule in RULES if complaints(rule, [example])] == []


def test_rules_see_the_product(files: list[SourceFile]) -> None:
    assert {"manage.py", "keys/models.py", "tests/rules.py"} <= {file.path for file in files}


def test_pure_modules_are_under_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = next(contract["source_modules"] for contract in contracts if contract["id"] == "pure")
    folders = {module: ROOT / module.replace(".", "/") for module in PURE}
    existing = {module for module, folder in folders.items() if folder.with_suffix(".py").exists() or (folder / "__init__.py").exists()}
    assert existing <= set(named)
