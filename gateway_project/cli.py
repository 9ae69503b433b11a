"""The command line's frame: our words before Django's, one clear line for a mistake.

Runs before settings are loaded, because `--config` decides which database they name.
"""

import difflib
import os
import pkgutil
import sys
from importlib import import_module, metadata
from pathlib import Path

from django.core.management import execute_from_command_line, get_commands
from django.core.management.base import CommandError, SystemCheckError
from django.db.utils import DatabaseError

from gateway_project.env import WrongSetting

TITLE = "Tallygate: one address for language models, with virtual keys, budgets and figures."
PACKAGES = ("gateway_project", "keys", "billing", "routing", "audit", "console")
GROUPS = {
    "Run": {
        "serve": "start the gateway",
        "worker": "run background work apart from serve (needs a broker)",
        "beat": "run the clock of background work apart from serve (needs a broker)",
    },
    "Set up": {
        "apply": "make routes from a LiteLLM config.yaml, or show what would change",
        "import": "bring over what a LiteLLM installation has",
        "check-config": "list every setting, where it comes from, and what is wrong",
        "doctor": "check database, secrets, clock, prices and providers",
        "secrets": "change the keys that encrypt stored credentials",
        "tls": "make a certificate for a developer's machine",
        "admin": "make a one-time sign-in link for an administrator",
        "seed-demo": "fill in two teams, keys and a month of spend to look at",
    },
    "Keys and money": {
        "keys": "create, list, show, rotate and revoke virtual keys",
        "connect": "show what to paste so that a client uses this gateway",
        "teams": "create, list and change teams",
        "budgets": "set and list budgets",
        "routes": "list model names and the deployments behind them",
        "prices": "list and set prices",
        "usage": "show spend and tokens",
        "money": "prove that ledger, windows and roll-ups agree",
        "export": "write the configuration as a file",
    },
}
PROVIDED_BY_DJANGO = ("check", "dbshell", "makemigrations", "migrate", "runserver", "shell", "showmigrations", "test")


def own_commands() -> set[str]:
    """The commands of our packages, spelled as people type them."""
    folders = [f"{import_module(package).__path__[0]}/management/commands" for package in PACKAGES]
    return {module.name.replace("_", "-") for module in pkgutil.iter_modules(folders) if not module.name.startswith("_")}


def main(argv: list[str]) -> int:
    """Runs one command and returns the exit code: 2 for a mistake in words or settings, 1 for everything else that went wrong."""
    program = Path(argv[0]).name
    try:
        return _run(program, argv[1:])
    except WrongSetting as error:
        return _complain(program, str(error), 2)
    except SystemCheckError as error:
        return _complain(program, str(error), 1)
    except CommandError as error:
        return _complain(program, str(error), error.returncode)
    except DatabaseError as error:
        return _complain(program, f"the database refused: {_one_line(error)}. Is it there, and is `{program} migrate` done?", 1)
    except KeyboardInterrupt:
        return 130


def _run(program: str, words: list[str]) -> int:
    if not words or words in (["help"], ["--help"], ["-h"]):
        sys.stdout.write(help_text(program))
        return 0
    if words == ["--version"]:
        sys.stdout.write(f"{version()}\n")
        return 0
    if words[0] == "help":
        words = [*words[1:], "--help"]
    own = own_commands()
    if words[0] in own or words[0].replace("_", "-") in own:
        words = _with_config([words[0].replace("-", "_"), *words[1:]])
    elif words[0] not in get_commands():
        return _complain(program, f"there is no command {words[0]!r}. {_suggestion(words[0], own)}See `{program} --help`.", 2)
    # With --traceback Django hands its CommandError on to us instead of printing the name of its class before the text.
    execute_from_command_line([program, words[0], "--traceback", *words[1:]])
    return 0


def _with_config(words: list[str]) -> list[str]:
    """Makes `--config FILE` the TALLYGATE_CONFIG of this process. `serve` keeps the option: it remembers the file."""
    for index, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option != "--config":
            continue
        named = value if equals else next(iter(words[index + 1 :]), "")
        path = Path(named).expanduser().absolute()
        if not named or not path.is_file():
            raise WrongSetting(f"--config names {named!r}, which is not a file. Correct the path.")
        os.environ["TALLYGATE_CONFIG"] = str(path)
        return words if words[0] == "serve" else words[:index] + words[index + (1 if equals else 2) :]
    return words


def _suggestion(word: str, own: set[str]) -> str:
    near = difflib.get_close_matches(word, [*own, *PROVIDED_BY_DJANGO], n=1)
    return f"Did you mean {near[0]!r}? " if near else ""


def _complain(program: str, text: str, code: int) -> int:
    sys.stderr.write(f"{program}: {text}\n")
    return code


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def version() -> str:
    try:
        return f"Tallygate {metadata.version('tallygate')}"
    except metadata.PackageNotFoundError:
        return "Tallygate, run from a folder where it is not installed"


def help_text(program: str) -> str:
    own = own_commands()
    lines = [
        "Tallygate: one address for language models, with virtual keys, budgets and figures.",
        "",
        f"Usage: {program} COMMAND [options]",
    ]
    for group, commands in GROUPS.items():
        present = {name: line for name, line in commands.items() if name in own}
        if present:
            lines += ["", f"{group}:", *(f"  {name:<14}{line}" for name, line in present.items())]
    lines += ["", "Django:", f"  {' '.join(PROVIDED_BY_DJANGO)}", "", f"`{program} COMMAND --help` tells more about one."]
    return "\n".join(lines) + "\n"
