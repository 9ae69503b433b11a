"""Command line of Tallygate: `tallygate …` and `python manage.py …` are the same."""

import os
import sys

from gateway_project import cli


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
    sys.exit(cli.main(sys.argv))


if __name__ == "__main__":
    main()
