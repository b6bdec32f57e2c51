"""The container side without an engine: lock, seed job, Dockerfile, compose file. What the image runs: test_image."""

import importlib.util
import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"


# ---- the lock --------------------------------------------------------------------------------------------------------


def locked() -> dict[str, str]:
    """Name and version of everything in requirements.lock."""
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==([^ ;]+)", LOCK.read_text(), re.MULTILINE))


def test_the_lock_satisfies_every_dependency_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [Requirement(text) for text in project["dependencies"] + extras["postgres"] + extras["otel"]]
    pins = locked()
    for each in wanted:
        name = canonicalize_name(each.name)
        assert name in pins, f"{name} is missing from requirements.lock: make lock"
        assert each.specifier.contains(pins[name]), f"{name} {pins[name]} is not {each.specifier}: make lock"


@pytest.mark.parametrize("name", ["requirements.lock", "deploy/build.lock"])
def test_a_lock_holds_versions_with_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    for block in re.split(r"\n(?=[a-z0-9])", text)[1:]:
        assert re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+", block), block
        assert "--hash=sha256:" in block, block
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


# ---- the seed job ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seed() -> ModuleType:
    spec = importlib.util.spec_from_file_location("seed", ROOT / "deploy" / "seed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FhirServer(ThreadingHTTPServer):
    """A FHIR server that keeps what is put into it and answers /metadata after a few refusals."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Fhir)
        self.store: dict[str, Any] = {}
        self.not_ready = 2
        self.refuse = False
        self.base = f"http://127.0.0.1:{self.server_address[1]}/fhir"


class _Fhir(BaseHTTPRequestHandler):
    server: FhirServer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self.server.not_ready -= 1
        ready = self.server.not_ready < 0 and self.path == "/fhir/metadata"
        self._answer(200 if ready else 503, {"resourceType": "CapabilityStatement" if ready else "OperationOutcome"})

    def do_POST(self) -> None:
        bundle = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.refuse or bundle["type"] != "transaction" or self.path != "/fhir":
            return self._answer(400, {"resourceType": "OperationOutcome"})
        for entry in bundle["entry"]:
            assert entry["request"]["method"] == "PUT"
            self.server.store[entry["request"]["url"]] = entry["resource"]
        return self._answer(200, {"resourceType": "Bundle", "entry": [{} for _ in bundle["entry"]]})


@pytest.fixture
def fhir_server() -> Iterator[FhirServer]:
    with FhirServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    observation = {"resourceType": "Observation", "id": "o1", "subject": {"reference": "Patient/p1"}}
    prefetch = {
        "patient": {"resourceType": "Patient", "id": "p1"},
        "observations": {"resourceType": "Bundle", "entry": [{"resource": observation}, {"resource": observation}]},
        "conditions": {"resourceType": "Bundle", "total": 0},
        "encounter": None,
        "failed": {"resourceType": "OperationOutcome", "id": "x"},
    }
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "request.json").write_text(json.dumps({"prefetch": prefetch}))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "request.json").write_text(json.dumps({"hook": "patient-view"}))
    return tmp_path


def test_seed_waits_for_the_server_and_puts_each_resource_once(
    seed: ModuleType, fhir_server: FhirServer, samples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seed.main(["--server", fhir_server.base + "/", "--wait", "2", str(samples)]) == 0
    assert set(fhir_server.store) == {"Patient/p1", "Observation/o1"}
    assert "loaded 2 resources" in capsys.readouterr().out


def test_seed_twice_leaves_the_same_patients(seed: ModuleType, fhir_server: FhirServer, samples: Path) -> None:
    for _ in range(2):
        assert seed.main(["--server", fhir_server.base, "--wait", "2", str(samples)]) == 0
    assert len(fhir_server.store) == 2


def test_seed_says_what_is_wrong_and_exits_1(
    seed: ModuleType, fhir_server: FhirServer, samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fhir_server.refuse = True
    assert seed.main(["--server", fhir_server.base, "--wait", "2", str(samples)]) == 1
    assert "one: the server refused it: 400" in capsys.readouterr().err
    assert seed.main(["--server", fhir_server.base, "--wait", "2", str(tmp_path / "nowhere")]) == 1
    assert "no */request.json in it" in capsys.readouterr().err
    assert seed.main(["--server", "http://127.0.0.1:1/fhir", "--wait", "0.1", str(samples)]) == 1
    assert "is not there after 0.1 s" in capsys.readouterr().err


def test_seed_refuses_an_address_that_is_not_http(seed: ModuleType, samples: Path) -> None:
    with pytest.raises(SystemExit):
        seed.main(["--server", "file:///etc", str(samples)])


def test_seed_can_load_every_bundled_sample(seed: ModuleType, fhir_server: FhirServer) -> None:
    assert seed.main(["--server", fhir_server.base, "--wait", "2", str(ROOT / "examples")]) == 0
    assert sum(url.startswith("Patient/") for url in fhir_server.store) >= 1


# ---- Dockerfile and compose file -------------------------------------------------------------------------------------


def tool(name: str) -> str:
    """A program of the extra `deploy`, beside this Python."""
    path = Path(sys.prefix, "bin", name)
    assert path.exists(), f"{name} is missing: make deploy-check installs it"
    return str(path)


def run(*command: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)  # noqa: S603


def compose_parser(path: Path) -> str:
    """What compose's own parser says against the file, "" when nothing; its exit status is 0 in any case."""
    return run(tool("docker-compose"), "-f", str(path), "config", "--quiet").stderr.strip()


@pytest.mark.deploy
def test_the_dockerfile_passes_hadolint() -> None:
    told = run(tool("hadolint"), str(ROOT / "Dockerfile"))
    assert (told.returncode, told.stdout) == (0, "")


@pytest.mark.deploy
def test_the_compose_file_fits_the_compose_schema() -> None:
    command = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec")
    told = run(*command, str(ROOT / "docker-compose.yml"))
    assert told.returncode == 0, told.stdout


@pytest.mark.deploy
def test_the_compose_file_is_understood_by_composes_own_parser() -> None:
    assert compose_parser(ROOT / "docker-compose.yml") == ""


@pytest.mark.deploy
@pytest.mark.parametrize(("good", "bad"), [("  cds-db:\n    image", "  cds-dp:\n    image"), ("mem_limit", "mem_limt")])
def test_the_compose_parser_would_tell_of_a_mistake(tmp_path: Path, good: str, bad: str) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert good in text
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(text.replace(good, bad))
    assert compose_parser(broken) != ""


def test_compose_publishes_ports_on_loopback_only() -> None:
    published = re.findall(r'^ +- "([^"]+:\d+)"$', (ROOT / "docker-compose.yml").read_text(), re.MULTILINE)
    assert len(published) == 2
    assert all(each.startswith("127.0.0.1:") for each in published)


def test_the_image_copies_only_files_that_the_build_may_see() -> None:
    seen = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
            assert source in seen, f"{source} is hidden by .dockerignore"
