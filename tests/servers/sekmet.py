"""sekmet-fhir, a real FHIR R4 server in an environment of its own, started on a free port of this machine.

Knows: its settings, how resources are loaded, how a token of SMART Backend Services is had. Nothing of the project
imports it; `make servers-check` installs it.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from cds_service.server import free_port

PROGRAM = Path(__file__).parents[2] / ".venv-servers" / "bin" / "sekmet"
LOADER = "token-of-the-loader"
CLIENT, SECRET = "cds", "made-up-secret"
_PATIENCE_S = 90.0
_IN_ONE_BUNDLE = 250

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sekmet:
    """A running server. url: its FHIR base."""

    url: str

    def load(self, resources: Iterable[Json]) -> None:
        """Put the resources in, under their own ids."""
        entries = [
            {"resource": each, "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"}}
            for each in resources
        ]
        for start in range(0, len(entries), _IN_ONE_BUNDLE):
            answer = self.send(entries[start : start + _IN_ONE_BUNDLE])
            assert answer.status_code == 200, answer.text[:2000]

    def send(self, entries: list[Json]) -> requests.Response:
        """Send one transaction."""
        return requests.post(
            self.url,
            json={"resourceType": "Bundle", "type": "transaction", "entry": entries},
            headers={"Authorization": f"Bearer {LOADER}", "Content-Type": "application/fhir+json"},
            timeout=120,
        )

    def token(self, scope: str) -> str:
        """A token for this scope, good for as long as the server was told."""
        answer = requests.post(
            self.url.removesuffix("/fhir") + "/auth/token",
            data={"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET, "scope": scope},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        told: str = answer.json()["access_token"]
        return told


@contextmanager
def serving(folder: Path, *, validation: str = "off", guarded_for_s: int | None = None) -> Iterator[Sekmet]:
    """A server with its data in this folder. guarded_for_s: it wants tokens, which live so long; None: it is open."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/fhir"
    settings: Json = {
        "base_url": url,
        "host": "127.0.0.1",
        "port": port,
        "data_dir": str(folder / "data"),
        "log_inbound": False,
        "simulator": {"enabled": False},
        "validation": {"inbound": validation},
    }
    if guarded_for_s is not None:
        client = {"client_id": CLIENT, "client_secret": SECRET, "scopes": "system/*.cruds"}
        settings["server_auth"] = {
            "types": ["bearer", "smart"],
            "tokens": [LOADER],
            "token_lifetime": guarded_for_s,
            "smart_clients": [client],
        }
    (folder / "settings.yaml").write_text(json.dumps(settings), "utf-8")  # JSON is YAML
    command = [str(PROGRAM), "serve", "-c", str(folder / "settings.yaml")]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)  # noqa: S603 - our own words
    try:
        _wait(url, process, folder / "log")
        yield Sekmet(url)
    finally:
        process.kill()  # asked politely, it waits for whoever is still connected; its data are thrown away
        process.wait(timeout=10)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ended = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ended and process.poll() is None:
        try:
            # the statement wants no token
            if requests.get(f"{url}/metadata", timeout=30).status_code in (200, 401):
                return
        except requests.RequestException:
            time.sleep(0.1)
    sys.stderr.write(log.read_text("utf-8", "replace"))
    raise AssertionError("sekmet-fhir did not start; its log stands above")
