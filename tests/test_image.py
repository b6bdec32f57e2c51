"""What the image would run, without an engine: the wheel from any folder, and the start command of the Dockerfile.

The start command runs as the image's user, without capabilities, on a tree of which only /tmp and /data can be written
(deploy/read-only-tree.sh). Dependencies are those of this environment.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
needs_root = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="a read-only tree of one's own needs Linux, root and unshare",
)


def run(*command: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)  # noqa: S603


@pytest.fixture(scope="module")
def image_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image holds in /opt/venv: the wheel and its start script; dependencies come from this environment."""
    top = tmp_path_factory.mktemp("image")
    built = run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(top), cwd=ROOT)
    assert built.returncode == 0, built.stderr
    venv = top / "venv"
    made = run(sys.executable, "-m", "venv", "--without-pip", str(venv))
    assert made.returncode == 0, made.stderr
    site = next(venv.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(next(top.glob("*.whl"))) as wheel:
        wheel.extractall(site)
    (site / "dependencies.pth").write_text(str(Path(pytest.__file__).parents[1]) + "\n")
    points = next(site.glob("*.dist-info")).joinpath("entry_points.txt").read_text()
    module, name = re.search(r"cds-service = ([\w.]+):(\w+)", points).groups()  # type: ignore[union-attr]
    script = venv / "bin" / "cds-service"
    script.write_text(f"#!{venv}/bin/python\nimport sys\nfrom {module} import {name}\nsys.exit({name}())\n")
    for path in (top, *top.parents[:2], script):
        path.chmod(0o755)
    return venv


@pytest.mark.deploy
def test_the_wheel_works_from_any_folder(image_tree: Path, tmp_path: Path) -> None:
    service = str(image_tree / "bin" / "cds-service")
    where = run(
        str(image_tree / "bin" / "python"), "-c", "import cds_service; print(cds_service.__file__)", cwd=tmp_path
    )
    assert where.stdout.startswith(str(image_tree)), where
    told = run(service, "check-mappings", cwd=tmp_path)
    assert told.returncode == 0, told.stdout + told.stderr
    told = run(service, "db", "upgrade", cwd=tmp_path)
    assert (told.returncode, (tmp_path / "var" / "journal.sqlite3").exists()) == (0, True), told.stderr
    sample = next(image_tree.glob("lib/python*/site-packages/cds_service/content/examples/*/request.json"))
    told = run(service, "assess", str(sample), "--json", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "cards" in json.loads(told.stdout)


def dockerfile_start() -> tuple[str, dict[str, str], list[str]]:
    """User, environment and start command that the Dockerfile gives the image."""
    text = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2].replace("\\\n", " ")
    user = re.search(r"^USER (\d+):\d+$", text, re.MULTILINE)
    command = re.search(r"^CMD (\[.+\])$", text, re.MULTILINE)
    assert user is not None
    assert command is not None
    variables = dict(re.findall(r"(\w+)=(\S+)", re.search(r"^ENV (.+)$", text, re.MULTILINE).group(1)))  # type: ignore[union-attr]
    return user.group(1), variables, json.loads(command.group(1))


def test_the_image_runs_as_an_unprivileged_user() -> None:
    user, _, command = dockerfile_start()
    assert int(user) >= 10001
    assert command == ["cds-service", "serve"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_as_image(venv: Path, root: Path, port: int, **more: str) -> subprocess.Popen[str]:
    user, variables, command = dockerfile_start()
    dependencies = Path(pytest.__file__).parents[1]
    visible = sorted({str(Path(sys.base_prefix)), str(dependencies), str(venv)})
    environment = {
        **variables,
        "PATH": f"{venv}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "CDS_PORT": str(port),
        "CDS_HOST": "127.0.0.1",  # the test's own network, not a container's
        "VISIBLE": "\n".join(visible),
        **more,
    }
    tree = ["unshare", "--mount", "--propagation", "private", "sh", str(ROOT / "deploy" / "read-only-tree.sh")]
    return subprocess.Popen(  # noqa: S603
        [*tree, str(root), user, *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def answer_of(url: str, process: subprocess.Popen[str], seconds: float = 20) -> dict[str, Any]:
    """The JSON at the address once the process serves it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - a loopback address of this test
                decoded: dict[str, Any] = json.load(answer)
                return decoded
        except OSError:
            time.sleep(0.1)
    process.kill()
    pytest.fail(f"{url} did not answer: {process.communicate()[0]}")


@needs_root
@pytest.mark.deploy
def test_the_start_command_serves_as_the_images_user_on_a_read_only_tree(image_tree: Path, tmp_path: Path) -> None:
    port = free_port()
    process = start_as_image(image_tree, tmp_path, port)
    try:
        services = answer_of(f"http://127.0.0.1:{port}/cds-services", process)["services"]
        assert "metastatic-calcification-patient-view" in {each["id"] for each in services}
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(r"^Uid:\t10001\t10001\t10001\t10001$", status, re.MULTILINE), status
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE), status
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert "Traceback" not in output


@needs_root
@pytest.mark.deploy
def test_the_image_refuses_to_listen_to_everyone_until_told(image_tree: Path, tmp_path: Path) -> None:
    process = start_as_image(image_tree, tmp_path, free_port(), CDS_HOST="0.0.0.0")  # noqa: S104 - to be refused
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 2, output
    assert "CDS_ALLOW_UNAUTHENTICATED" in output


def test_nothing_here_is_skipped_in_ci() -> None:
    if os.environ.get("CI") == "true" and sys.platform.startswith("linux") and os.geteuid() == 0:
        assert shutil.which("unshare") is not None, "CI runs as root and must not skip the read-only tree"
        assert shutil.which("setpriv") is not None
