"""What happens to a run that is killed, interrupted, or finds no room; through the command, as users run it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.screen import run as run_module
from cds_service.screen.run import WORK, RunFailed
from cds_service.screen.work import done_bucket
from cds_service.terminology.catalog import Catalog
from tests.screen.runs import lines_of, screened, write
from tests.screen.test_files import people


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "cds_service", "screen", *map(str, arguments)]


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_happened(catalog: Catalog, tmp_path: Path) -> None:
    path = write(tmp_path / "in" / "x.ndjson", people(1_500))
    whole = tmp_path / "whole"
    screened(catalog, [path], whole, dates="shifted")
    out = tmp_path / "out"
    run = subprocess.Popen(  # noqa: S603
        command(path, "--out", out, "--processes", 2, "--dates", "shifted"), stderr=subprocess.DEVNULL
    )
    parts = out / WORK / "parts"
    until = time.monotonic() + 120
    while not any(parts.glob("*.stats")) and run.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    run.wait()
    killed_in_the_middle = (out / WORK).exists()
    assert killed_in_the_middle
    again = subprocess.run(  # noqa: S603
        command(path, "--out", out, "--processes", 2, "--dates", "shifted"), capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert "Going on with the run" in again.stderr
    assert not (out / WORK).exists()
    assert lines_of(out) == lines_of(whole)
    assert (out / "cards.csv").read_bytes() == (whole / "cards.csv").read_bytes()


def test_a_piece_that_was_not_read_to_its_end_counts_for_nothing(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "in" / "x.ndjson", people(5))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "part"))

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "judge_bucket", full)
        with pytest.raises(RunFailed, match=r"No space left on device.*the same command goes on from there"):
            screened(catalog, [path], tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert all(done_bucket(tmp_path / "out" / WORK / "parts", bucket) is None for bucket in range(4))
    assert screened(catalog, [path], tmp_path / "out").patients == 5


def test_a_full_disk_ends_the_run_with_a_clear_message(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(small)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:  # noqa: S603
        pytest.skip("a small file system cannot be mounted here (that takes root)")
    try:
        path = write(tmp_path / "in" / "x.ndjson", people(1_000))
        run = subprocess.run(  # noqa: S603
            command(path, "--out", small / "out", "--processes", 1), capture_output=True, text=True, check=False
        )
        assert run.returncode == 1
        assert "The disk is full." in run.stderr or "No space left" in run.stderr
        assert "Traceback" not in run.stderr
        assert not (small / "out" / "manifest.json").exists()
    finally:
        subprocess.run(["/bin/umount", str(small)], check=False)  # noqa: S603


def test_other_choices_begin_anew(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "in" / "x.ndjson", people(2))
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "finish", lambda *_, **__: (_ for _ in ()).throw(OSError(5, "I/O error")))
        with pytest.raises(RunFailed):
            screened(catalog, [path], tmp_path / "out")
    screened(catalog, [path], tmp_path / "out", at="each-result")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert (manifest["settings"]["at"], manifest["counts"]["patients"]) == ("each-result", 2)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--at", "yesterday"], 2, "--at cannot be used"),
        (["--zone", "Nowhere/Land"], 2, "--zone cannot be used"),
        ([], 0, "2 of 2 patients judged"),
        (["--at", "each-day", "09:00"], 0, "patients judged at 0 moments"),
    ],
)
def test_exit_codes_tell_how_a_run_ended(
    runner: CliRunner, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    path = write(tmp_path / "in" / "x.ndjson", people(2))
    result = runner.invoke(main, ["screen", str(path), "--out", str(tmp_path / "out"), "--processes", "1", *arguments])
    assert (result.exit_code, words in result.output) == (code, True), result.output


def test_unreadable_lines_give_an_exit_code_of_their_own(runner: CliRunner, tmp_path: Path) -> None:
    path = write(tmp_path / "in" / "x.ndjson", [*people(1), b"{"])
    result = runner.invoke(main, ["screen", str(path), "--out", str(tmp_path / "out"), "--processes", "1"])
    assert (result.exit_code, "problems.csv" in result.output) == (3, True)
    result = runner.invoke(main, ["screen", str(tmp_path / "nothing"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
