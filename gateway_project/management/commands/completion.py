"""`tallygate completion bash|zsh|fish`: a script with which a shell completes our words."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gateway_project.cli import own_lines
from gateway_project.completion import SHELLS, script


class Command(BaseCommand):
    help = "Prints a completion script. It holds all words, so that completing starts nothing; print it anew after an update."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(script(options["shell"], own_lines()))
