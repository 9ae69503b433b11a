"""The fake provider with the chaos rig's answers: `python -m tests.chaos.provider --port 9001 --bill bill.jsonl`."""

from tests.chaos.answers import REPERTOIRE
from tests.fakes.provider import main

if __name__ == "__main__":
    main(REPERTOIRE)
