"""Load the sample patients of examples/*/request.json into a FHIR server: one transaction of PUTs per patient.

    python deploy/seed.py [--server http://127.0.0.1:8080/fhir] [--wait SECONDS] [examples]

Idempotent: every resource is put under its own id. Standard library only, so that any Python can run it.
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Resource = dict[str, Any]


class SeedError(Exception):
    """The sample patients could not be loaded."""


def resources_in(prefetch: dict[str, Any]) -> Iterator[Resource]:
    """Every resource of a prefetch, Bundles unpacked; what has no id or is an OperationOutcome cannot be stored."""
    for given in prefetch.values():
        held = [given] if isinstance(given, dict) else []
        if held and given.get("resourceType") == "Bundle":
            held = [entry.get("resource", {}) for entry in given.get("entry", [])]
        yield from (each for each in held if each.get("id") and each.get("resourceType") != "OperationOutcome")


def transaction(prefetch: dict[str, Any]) -> Resource:
    """The prefetch as one transaction Bundle of PUT entries, each resource once."""
    found = {(each["resourceType"], each["id"]): each for each in resources_in(prefetch)}
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": each, "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"}}
            for each in found.values()
        ],
    }


def call(url: str, body: Resource | None = None) -> Resource:
    """GET the address, or POST the body to it; the decoded answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Accept": "application/fhir+json", "Content-Type": "application/fhir+json"}
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310 - the scheme is checked in main
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        decoded: Resource = json.load(answer)
        return decoded


def wait_for(server: str, seconds: float) -> None:
    """Return once the server tells its capabilities; SeedError when it has not within the time given."""
    until = time.monotonic() + seconds
    while True:
        try:
            if call(f"{server}/metadata").get("resourceType") == "CapabilityStatement":
                return
            problem = "it answers, but not as a FHIR server"
        except (OSError, ValueError) as error:
            problem = str(error)
        if time.monotonic() >= until:
            raise SeedError(f"{server}/metadata is not there after {seconds:g} s: {problem}")
        time.sleep(min(2.0, max(0.05, seconds / 20)))


def load(server: str, folder: Path) -> int:
    """Put every sample of the folder; how many resources the server took."""
    samples = sorted(folder.glob("*/request.json"))
    if not samples:
        raise SeedError(f"{folder}: no */request.json in it")
    taken = 0
    for path in samples:
        bundle = transaction(json.loads(path.read_text(encoding="utf-8")).get("prefetch", {}))
        if not bundle["entry"]:
            print(f"{path.parent.name}: nothing to load")
            continue
        try:
            answer = call(server, bundle)
        except urllib.error.HTTPError as error:
            raise SeedError(f"{path.parent.name}: the server refused it: {error.code} {error.read(500)!r}") from error
        except (OSError, ValueError) as error:
            raise SeedError(f"{path.parent.name}: {error}") from error
        taken += len(answer.get("entry", []))
        print(f"{path.parent.name}: {len(bundle['entry'])} resources")
    return taken


def main(arguments: list[str] | None = None) -> int:
    """Wait for the server, load the samples; 0 when all were taken, else 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("examples", nargs="?", type=Path, default=Path(__file__).parents[1] / "examples")
    parser.add_argument("--server", default="http://127.0.0.1:8080/fhir", help="base address of the FHIR server")
    parser.add_argument("--wait", type=float, default=300, help="seconds to wait for the server")
    given = parser.parse_args(arguments)
    server = given.server.rstrip("/")
    if urlsplit(server).scheme not in {"http", "https"}:
        parser.error(f"{server}: an http or https address is needed")
    try:
        wait_for(server, given.wait)
        print(f"loaded {load(server, given.examples)} resources into {server}")
    except SeedError as error:
        print(f"seed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
