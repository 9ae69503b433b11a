"""A real `tallygate serve` in front of the fake Bedrock, its own access signed with AWS keys."""

import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.e2e.test_claude_code import MASTER, ROOT, Gateway, free_port
from tests.fakes.bedrock import KEY_ID, REGION, SECRET, FakeBedrock
from tests.fakes.serving import serve_in_thread

CONFIG = """\
model_list:
{rows}
general_settings: {{master_key: os.environ/LITELLM_MASTER_KEY, database_url: "sqlite:///e2e.db"}}
"""
ROW = """\
  - model_name: {model}
    litellm_params:
      model: bedrock/{model}
      api_base: "{upstream}"
      aws_region_name: {region}
      aws_access_key_id: os.environ/AWS_ACCESS_KEY_ID
      aws_secret_access_key: os.environ/AWS_SECRET_ACCESS_KEY
"""


@dataclass(frozen=True)
class BedrockTown:
    gateway: Gateway
    fake: FakeBedrock


@contextmanager
def serving(folder: Path, models: Sequence[str], *, certificate: tuple[Path, Path] | None = None) -> Iterator[BedrockTown]:
    fake, port = FakeBedrock(), free_port()
    with serve_in_thread(fake) as upstream:
        config = folder / "config.yaml"
        config.write_text(CONFIG.format(rows="".join(ROW.format(model=model, upstream=upstream, region=REGION) for model in models)))
        words = ["serve", "--port", str(port), "--config", str(config)]
        if certificate is not None:
            words += ["--tls-cert", str(certificate[0]), "--tls-key", str(certificate[1])]
        with (folder / "serve.log").open("wb") as log:
            process = subprocess.Popen(tallygate(*words), env=environment(folder), cwd=folder, stdout=log, stderr=log)
        url = f"http://127.0.0.1:{port}" if certificate is None else f"https://127.0.0.1:{port}"
        try:
            until_ready(url, process, certificate[0] if certificate else None)
            yield BedrockTown(Gateway(url, folder / "home", fake), fake)
        finally:
            process.terminate()
            process.wait(30)


def tallygate(*words: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *words]


def environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "TALLYGATE_HOME": str(folder / "home"),
        "LITELLM_MASTER_KEY": MASTER,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }


def trust(authority: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority)


def until_ready(url: str, process: subprocess.Popen[bytes], authority: Path | None) -> None:
    for _ in range(300):
        assert process.poll() is None, "serve ended"
        try:
            if httpx.get(f"{url}/health/readiness", timeout=2, verify=trust(authority)).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("serve did not get ready")


def issue_key(gateway: Gateway, authority: Path | None = None, **fields: object) -> str:
    with httpx.Client(verify=trust(authority)) as client:
        answer = client.post(f"{gateway.url}/key/generate", json=fields, headers={"Authorization": f"Bearer {MASTER}"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["key"])
