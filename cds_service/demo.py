"""Fire the sample patients at a service and print the cards as a reader would see them.

Knows: where the samples are, how to start a service for the time of the demo.
Must not know: what a right answer is (tests/test_examples.py does).
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from cds_service.hooks.plain import response_as_text
from cds_service.pages.samples import shipped_examples
from cds_service.server import free_port

START_SECONDS = 30


class DemoFailed(Exception):
    """The demo could not begin."""


def run(url: str | None, environ: Mapping[str, str], say: Callable[[str], None]) -> int:
    """Fire every sample and print what comes back; return how many were not answered with 200.

    url: the service; None: one is started for the time of the demo, with the settings of environ.
    Raises: DemoFailed.
    """
    folder = shipped_examples()
    samples = sorted(folder.glob("*/request.json")) if folder else []
    if not samples:
        raise DemoFailed("No sample patients are installed.")
    if url:
        return _fire_all(url, samples, say)
    with _own_service(environ) as started:
        return _fire_all(started, samples, say)


def _fire_all(url: str, samples: list[Path], say: Callable[[str], None]) -> int:
    by_hook = {service["hook"]: service["id"] for service in _discovered(url)}
    failed = 0
    for sample in samples:
        body = sample.read_bytes()
        say(f"\n=== {sample.parent.name}")
        service = by_hook.get(msgspec.json.decode(body)["hook"])
        if service is None:
            say("The service does not offer this hook.")
            failed += 1
            continue
        status, answer = _call(url, "POST", f"/cds-services/{service}", body)
        failed += status != 200
        say(response_as_text(msgspec.json.decode(answer)))
    say(f"\n{len(samples)} samples, {failed} without an answer.")
    return failed


def _discovered(url: str) -> list[dict[str, str]]:
    try:
        status, answer = _call(url, "GET", "/cds-services")
        if status == 200:
            services: list[dict[str, str]] = msgspec.json.decode(answer)["services"]
            return services
    except (OSError, HTTPException, msgspec.DecodeError, LookupError, TypeError):
        pass  # told below, with the address
    raise DemoFailed(f"No CDS Hooks service answers at {url}/cds-services.")


def _call(url: str, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.netloc, timeout=30)
    try:
        connection.request(method, parts.path.rstrip("/") + path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@contextmanager
def _own_service(environ: Mapping[str, str]) -> Iterator[str]:
    """A service in sandbox mode on a free port, without journal, for as long as the block lasts."""
    port = free_port()
    command = [sys.executable, "-m", "cds_service", "serve", "--sandbox", "--workers", "1", "--port", str(port)]
    environment = {**environ, "CDS_DATABASE_URL": "", "CDS_LOG_LEVEL": "ERROR", "CDS_HOST": "127.0.0.1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603  fixed words
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if _call(url, "GET", "/readyz")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise DemoFailed("The service did not start.")
