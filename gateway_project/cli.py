"""The command line's frame: our words before Django's, one clear line for a mistake.

Runs before settings are loaded, because `--config` decides which database they name.
"""

import io
import os
import pkgutil
import sys
import tempfile
from importlib import import_module, metadata
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line, get_commands, load_command_class
from django.core.management.base import CommandError, CommandParser, SystemCheckError, handle_default_options
from django.db import connections
from django.db.utils import DatabaseError

from gateway_project.env import WrongSetting
from gateway_project.wrong_words import near, told

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
        "completion": "print a script with which bash, zsh or fish completes these words",
        "check-config": "list every setting, where it comes from, and what is wrong",
        "doctor": "check database, secrets, clock, prices and providers",
        "secrets": "change the keys that encrypt stored credentials",
        "tls": "make a certificate for a developer's machine",
        "admin": "make a one-time sign-in link for an administrator",
        "seed-demo": "fill in two organisations with sixty days of calls to look at",
    },
    "Keys and money": {
        "keys": "create, list, show, rotate, block and revoke virtual keys",
        "connect": "show what to paste so that a client uses this gateway",
        "teams": "create and list teams",
        "budgets": "set, change, list, reset and remove budgets, and plans of them",
        "routes": "list model names and the deployments behind them",
        "prices": "list and set prices, take over newer ones, reprice past calls",
        "usage": "show spend and tokens",
        "money": "prove that ledger, windows and roll-ups agree",
        "audit": "prove that no event of the audit trail was changed",
        "export": "write the configuration as a file",
    },
}
PROVIDED_BY_DJANGO = ("check", "dbshell", "makemigrations", "migrate", "runserver", "shell", "showmigrations", "test")
# As after SIGINT and SIGPIPE.
INTERRUPTED, PIPE_CLOSED = 130, 141
# Options that Django gives every command and that say nothing to those who use ours.
OF_DJANGO = {"--version", "--verbosity", "--settings", "--pythonpath", "--traceback"}


# Django knows them before a verb only.
COLOURS = ("--no-color", "--force-color")


class WrongWord(ValueError):
    """Words that a command does not take; the text says what is meant instead."""


def own_commands() -> set[str]:
    """The commands of our packages, spelled as people type them."""
    folders = [f"{import_module(package).__path__[0]}/management/commands" for package in PACKAGES]
    return {module.name.replace("_", "-") for module in pkgutil.iter_modules(folders) if not module.name.startswith("_")}


def own_lines() -> dict[str, str]:
    """What `--help` says of each command that there is, in its order."""
    own = own_commands()
    return {name: line for group in GROUPS.values() for name, line in group.items() if name in own}


def main(argv: list[str]) -> int:
    """Runs one command and returns the exit code: 2 for a mistake in words or settings, 1 for everything else that went wrong."""
    program = Path(argv[0]).name
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a sign that the terminal does not know is spelled out, rather than the end of the command
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _guarded(program, argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever read along, such as `head`, has seen enough; without this Python would complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return code


def _guarded(program: str, words: list[str]) -> int:
    try:
        return _run(program, words)
    except (WrongSetting, WrongWord, ImproperlyConfigured) as error:
        return _complain(program, str(error), 2)
    except SystemCheckError as error:
        return _complain(program, str(error), 1)
    except CommandError as error:
        return _complain(program, str(error), error.returncode)
    except DatabaseError as error:
        return _complain(program, f"the database refused: {_one_line(error)}. Is it there, and is `{program} migrate` done?", 1)
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None:
            raise
        return _complain(program, f"{error.filename}: {error.strerror}.", 1)
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)


def _run(program: str, words: list[str]) -> int:
    if not words or words in (["help"], ["--help"], ["-h"]):
        sys.stdout.write(help_text(program))
        return 0
    if words in (["--version"], ["version"]):
        sys.stdout.write(f"{version()}\n")
        return 0
    if words[0] == "help":
        words = [*words[1:], "--help"]
    own = own_commands()
    name = words[0].replace("_", "-")
    if name in own:
        _run_own(program, name, _with_config(words)[1:])
    elif words[0] in get_commands():
        # With --traceback Django hands its CommandError on to us instead of printing the name of its class before the text.
        execute_from_command_line([program, words[0], "--traceback", *words[1:]])
    else:
        raise WrongWord(f"there is no command {words[0]!r}. {near(words[0], [*own, *PROVIDED_BY_DJANGO])}See `{program} --help`.")
    return 0


def _run_own(program: str, name: str, words: list[str]) -> None:
    if name == "completion":
        # it tells of the program and not of an installation, so it neither needs nor makes one
        with tempfile.TemporaryDirectory(prefix="tallygate-") as home:
            os.environ["TALLYGATE_HOME"] = home
            os.environ.pop("TALLYGATE_CONFIG", None)
            _execute(program, name, words)
    else:
        _execute(program, name, words)


def _execute(program: str, name: str, words: list[str]) -> None:
    """As Django runs commands, but that it would answer a wrong word with a page of usage."""
    early = CommandParser(add_help=False, allow_abbrev=False)
    early.add_argument("--settings")
    early.add_argument("--pythonpath")
    handle_default_options(early.parse_known_args(words)[0])
    words = [*(word for word in words if word in COLOURS), *(word for word in words if word not in COLOURS)]
    django.setup()
    module = name.replace("-", "_")
    command = load_command_class(get_commands()[module], module)
    command.suppressed_base_arguments = OF_DJANGO
    # they look at the program, not at what somebody does with it: `check` and the tests run them
    command.requires_system_checks = []
    parser = command.create_parser(program, name)
    try:
        options = vars(parser.parse_args(words))
    except CommandError as error:
        raise WrongWord(told(parser, words, str(error))) from error
    try:
        command.execute(*options.pop("args", ()), **options)
    finally:
        connections.close_all()


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
        TITLE,
        "",
        f"Usage: {program} COMMAND [options]",
    ]
    for group, commands in GROUPS.items():
        present = {name: line for name, line in commands.items() if name in own}
        if present:
            lines += ["", f"{group}:", *(f"  {name:<14}{line}" for name, line in present.items())]
    lines += ["", "Django:", f"  {' '.join(PROVIDED_BY_DJANGO)}", "", f"`{program} COMMAND --help` tells more about one."]
    return "\n".join(lines) + "\n"
