"""`python -m tests.screenshots`: a demo on a free port, one sign-in per role, a picture of each page in two colours and two sizes."""

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from tests.gateway_project.running import ROOT, Serving, own_environment
from tests.screenshots.browser import Browser, Window, as_json, browser, installed
from tests.screenshots.traffic import traffic

# Whoever sees most is shown everywhere; of the others only what their menu leads to, once.
ROLES = {"admin": "marta", "finance": "ingrid", "manager": "jonas", "member": "priya", "viewer": "tomas"}
DESK, TELEPHONE = (1440, 900), (380, 780)
MENU = "JSON.stringify([...document.querySelectorAll('nav.nav a[href]')].map(each => each.getAttribute('href')))"
# Links of a page's tables and cards to what lies below it.
BELOW = "JSON.stringify([...document.querySelectorAll('main a[href]')].map(each => each.getAttribute('href')))"
# Where a page's kinds of detail are found, if not on the page itself: a word for the name, and the list.
DETAILS = {
    "/requests/": {"": "/requests/", "failed": "/requests/?period=30d&outcome=failed"},
    "/routes/": {"": "/routes/?q=claude-sonnet"},
    "/teams/": {"": "/teams/?q=Platform"},
}
# A page that moves, and how long until it shows something.
LIVE, LIVELY_AFTER_S = "/live/", 8.0
KEY = re.compile(r"\bsk-\S+")
# Pages that stand beside one of the menu.
BESIDE = {"/": ["/preferences/"], "/teams/": ["/people/"]}
NO_PAGE = re.compile(r"^/admin|^/accounts|^https?:|^#|\.(csv|xlsx|json|pem)\b")
ID = re.compile(r"^[\w.%-]*\d[\w.%-]*$|^demo-|^[0-9a-f-]{20,}$")


@dataclass(frozen=True, slots=True)
class Shot:
    """What is taken; its name is the file's."""

    role: str
    path: str
    size: tuple[int, int] = DESK
    is_dark: bool = False
    word: str = ""

    @property
    def name(self) -> str:
        parts = ["x" if ID.match(part) else part for part in urlsplit(self.path).path.strip("/").split("/")]
        page = "-".join(filter(None, [*parts, self.word])) or "home"
        return f"{self.role}-{page}-{'dark' if self.is_dark else 'light'}-{self.size[0]}"


class Album:
    """The pictures of one run; `only` picks pages by name. `key` is for the calls that the Live page shows."""

    def __init__(self, site: Serving, links: dict[str, str], key: str, folder: Path, only: str) -> None:
        self._site, self._links, self._key, self._folder = site, links, key, folder
        self._only = re.compile(only)
        self.taken: list[Path] = []

    async def fill(self, chromium: Browser) -> None:
        for role in ROLES:
            window = await chromium.window()
            await window.look(width=DESK[0], height=DESK[1], is_dark=False)
            await window.open(self._site.url + urlsplit(self._links[role]).path)
            menu = [path for path in as_json(await window.ask(MENU)) if not NO_PAGE.search(path)]
            for page in dict.fromkeys(each for entry in menu for each in (entry, *(BESIDE.get(entry, ()) if role == "admin" else ()))):
                await self._take(window, Shot(role, page))
                if role == "admin" and page != "/":
                    await self._take_below(window, role, page)

    async def _take_below(self, window: Window, role: str, page: str) -> None:
        """One page of each kind that a page leads to."""
        for word, listed in DETAILS.get(page, {"": page}).items():
            await window.open(self._site.url + listed)
            found: dict[str, Shot] = {}
            for path in as_json(await window.ask(BELOW)):
                if path.startswith(page) and "?" not in path and path != page and not NO_PAGE.search(path):
                    shot = Shot(role, path, word=word)
                    found.setdefault(shot.name, shot)
            for shot in found.values():
                await self._take(window, shot)

    async def _take(self, window: Window, shot: Shot) -> None:
        sizes, colours = ((DESK, TELEPHONE), (False, True)) if shot.role == "admin" else ((DESK,), (False,))
        for size in sizes:
            for is_dark in colours:
                one = replace(shot, size=size, is_dark=is_dark)
                if not self._only.search(one.name):
                    continue
                if shot.path == LIVE:
                    async with traffic(self._site.url, self._key):
                        await self._shoot(window, one, LIVELY_AFTER_S)
                else:
                    await self._shoot(window, one)

    async def _shoot(self, window: Window, shot: Shot, after_s: float = 0.0) -> None:
        width, height = shot.size
        await window.look(width=width, height=height, is_dark=shot.is_dark)
        await window.open(self._site.url + shot.path)
        await asyncio.sleep(after_s)
        file = self._folder / f"{shot.name}.png"
        file.write_bytes(await window.shoot(width=width, height=height, is_dark=shot.is_dark))
        self.taken.append(file)
        sys.stdout.write(f"{file.name} {file.stat().st_size // 1024} KiB\n")


def tallygate(home: Path, *words: str) -> str:
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    return subprocess.run(command, env=own_environment(home, {}), check=True, stdout=subprocess.PIPE, text=True, timeout=120).stdout.strip()


async def take(site: Serving, home: Path, key: str, folder: Path, only: str) -> list[Path]:
    links = {role: tallygate(home, "admin", "login-link", "--user", name) for role, name in ROLES.items()}
    album = Album(site, links, key, folder, only)
    async with browser() as chromium:
        await album.fill(chromium)
    return album.taken


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/screenshots", metavar="FOLDER")
    parser.add_argument("--only", default="", metavar="REGEX", help="of the files' names, such as '^admin-spend' or 'light-1440$'")
    given = parser.parse_args()
    if not installed():
        parser.error("Chromium is not here; Debian has it as the package chromium")
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tallygate-demo-") as folder:
        home = Path(folder) / "home"
        key = KEY.findall(tallygate(home, "seed-demo"))[0]
        site = Serving(home, "--no-background")
        site.guard.cancel()  # it bounds tests, which are shorter than this
        try:
            taken = asyncio.run(take(site, home, key, given.out, given.only))
        finally:
            site.stop()
    squeeze(taken)
    sys.stdout.write(f"{len(taken)} pictures, {sum(file.stat().st_size for file in taken) // 1024} KiB in {given.out}\n")
    return 0


def squeeze(files: list[Path]) -> None:
    """Where pngquant is installed a picture shrinks to a third."""
    program = shutil.which("pngquant")
    if program and files:
        subprocess.run([program, "--force", "--skip-if-larger", "--ext", ".png", "--quality", "70-95", *map(str, files)], check=False)


if __name__ == "__main__":
    sys.exit(main())
