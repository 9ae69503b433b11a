"""`tallygate connect CLIENT`: text to paste that points a client at this gateway."""

import json
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from console.client_setups import PLACEHOLDER, SETUPS, Place, is_local, model_for


class Command(BaseCommand):
    help = "Prints what to paste so that a client uses this gateway."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("client", choices=list(SETUPS), metavar="CLIENT", help=", ".join(SETUPS))
        parser.add_argument("--key", default="", help="a virtual key; without it a placeholder")
        parser.add_argument("--url", default="", help="this gateway's address, where it is not TALLYGATE_PUBLIC_URL")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        client, url = options["client"], _address(options["url"] or settings.TALLYGATE_PUBLIC_URL)
        key = options["key"].strip() or PLACEHOLDER
        if not key.isascii() or not key.isprintable() or " " in key:
            raise CommandError("--key holds something that no key has: a blank, or a letter outside ASCII.", returncode=2)
        model, is_served = model_for(client)
        found = SETUPS[client](Place(url, key, model))
        if options["as_json"]:
            told = {"client": client, "url": url, "model": model, "blocks": [asdict(block) for block in found]}
            self.stdout.write(json.dumps(told, indent=2))
        else:
            self.stdout.write("\n\n".join(f"{block.title}:\n{block.text}" for block in found))
        is_named = any(model in block.text for block in found)
        self._tell_what_is_missing(client, url, key=key, model=model if is_named and not is_served else "")

    def _tell_what_is_missing(self, client: str, url: str, *, key: str, model: str) -> None:
        """Beside the text, so that it can be piped on."""
        if key == PLACEHOLDER:
            self.stderr.write(f"{PLACEHOLDER} stands for a virtual key: `tallygate keys create --name …` makes one.")
        if client == "github-actions" and is_local(url):
            self.stderr.write(f"GitHub's runners cannot reach {url}; give the address that they can by --url or TALLYGATE_PUBLIC_URL.")
        if model:
            self.stderr.write(f"No route answers for {model!r} yet: `tallygate routes` shows those that there are.")


def _address(url: str) -> str:
    """Without what clients append themselves."""
    try:
        parts = urlsplit(url.strip())
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:
        is_right = False
    if not is_right or not url.isprintable() or " " in url.strip():
        raise CommandError(f"{url!r} is no address. Write it like https://gateway.example.com.", returncode=2)
    return url.strip().rstrip("/").removesuffix("/v1")
