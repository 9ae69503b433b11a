"""What we are made of: every package pinned by its hash, nothing that runs by itself at the start of Python, no SDK in the product."""

import ast
import re
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
PINNED = re.compile(r"[A-Za-z0-9._-]+(?:\[[\w,-]+\])?==[\w.!+]+")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
# What runs at every start of Python: setuptools' stand-in for distutils, the finder of a project installed in place, uv's own environment.
STARTS = {
    r"distutils-precedence\.pth": r"import os; var = 'SETUPTOOLS_USE_DISTUTILS'; .*__import__\('_distutils_hack'\)\.add_shim\(\);",
    r"__editable__\.tallygate-[\d.]+\.pth": r"import (__editable___tallygate_[\d_]+_finder); \1\.install\(\)",
    r"_virtualenv\.pth": r"import _virtualenv",
}
SDKS = {"anthropic", "openai", "litellm", "langchain", "mistralai", "cohere", "groq"}
PRODUCT = ("audit", "keys", "billing", "routing", "proxy", "console", "gateway_project")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def requirements(lock: str) -> list[str]:
    """One a line, with its hashes."""
    joined = (ROOT / lock).read_text().replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def name_of(requirement: str) -> str:
    return re.split(r"[\s=<>\[;]", requirement, maxsplit=1)[0].lower().replace("_", "-")


# R170
@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_one_version_known_by_its_hashes(lock: str) -> None:
    listed = requirements(lock)
    assert len(listed) > 50
    assert [line for line in listed if not (PINNED.match(line) and HASH.search(line))] == []
    assert [line for line in listed if re.search(r"https?://|git\+|file:", line)] == []


# R170
def test_whatever_is_asked_for_is_in_the_lock() -> None:
    locked = {name_of(line) for line in requirements("requirements.lock")}
    assert {name_of(asked) for asked in PROJECT["project"]["dependencies"]} <= locked


# R170
def test_packages_are_installed_from_wheels_with_their_hashes() -> None:
    installs = [line for line in (ROOT / "Makefile").read_text().splitlines() if "-r requirements" in line]
    assert len(installs) == 2
    assert all("--only-binary :all: --require-hashes" in line for line in installs)


# R170
def test_no_sdk_of_a_model_vendor_is_in_the_product() -> None:
    assert not SDKS & {name_of(line) for line in requirements("requirements.lock")}
    files = [path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text()))]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    assert "django" in {module.split(".")[0] for module in modules}
    assert not SDKS & {module.split(".")[0] for module in modules}


def unexpected_starts(folder: Path) -> list[str]:
    """Names of files in site-packages that run code at the start of Python and are not of the few that may."""
    code = {path.name: [line for line in path.read_text().splitlines() if line.startswith("import")] for path in folder.glob("*.pth")}
    return [
        name
        for name, lines in code.items()
        if not all(
            any(re.fullmatch(file, name) and re.fullmatch(allowed, line.strip()) for file, allowed in STARTS.items()) for line in lines
        )
    ] + [path.name for path in folder.glob("*customize*")]


# R171
def test_nothing_runs_by_itself_when_python_starts() -> None:
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        assert unexpected_starts(Path(folder)) == []


# R171
@pytest.mark.parametrize("name", ["litellm_init.pth", "distutils-precedence.pth", "sitecustomize.py"])
def test_file_that_runs_at_the_start_is_found(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("import os; os.system('true')\n")
    (tmp_path / "folder.pth").write_text("somewhere/else\n")
    assert unexpected_starts(tmp_path) == [name]


# R166
def test_linter_looks_for_risky_calls_in_the_product() -> None:
    ruff = PROJECT["tool"]["ruff"]["lint"]
    assert "S" in ruff["select"]
    assert not [rule for rule in ruff["ignore"] if rule.startswith("S")]
    assert {path for path, rules in ruff["per-file-ignores"].items() if any(rule.startswith("S") for rule in rules)} == {
        "tests/**",
        "bench/**",
    }


# R176
@pytest.mark.parametrize("part", ["Reporting", "What is protected", "Who may do what", "What counts as a vulnerability", "What does not"])
def test_threat_model_has_every_part(part: str) -> None:
    found = (ROOT / "SECURITY.md").read_text().split(f"\n## {part}\n")
    assert len(found) == 2
    assert len(found[1].partition("\n## ")[0].split()) > 40
