"""`python -m tests.chaos`: kills the gateway under load and holds its ledger against the provider's bill. Exit code 1 on a violation.

PostgreSQL is that of DATABASE_URL and REDIS_URL: `.ci/services .venv/bin/python -m tests.chaos --database postgres`.
"""

import argparse
import os
import sys

from tests.chaos.rig import Options, run


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Kills the gateway under load, then compares ledger and bill."
    )
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=3, help="servers on PostgreSQL (default 3); SQLite has one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--kill-every", type=float, default=0.25, metavar="S", help="how long a server serves before it is killed, on average"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.database == "postgres" and not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        parser.error("--database postgres needs DATABASE_URL and REDIS_URL; .ci/services COMMAND starts both for a command")
    found = run(Options(given.database, given.seconds, given.processes, given.seed, given.kill_every))
    sys.stdout.write((found.as_json() if given.json else found.as_text()) + "\n")
    return 1 if found.violations else 0


if __name__ == "__main__":
    sys.exit(main())
