"""A copy of the shipped content that a test may spoil, and what is then wrong with it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cds_service.terminology.catalog import Catalog
from cds_service.terminology.load import check, load_catalog, shipped_mappings

Spoil = Callable[..., tuple[str, ...]]


@pytest.fixture(scope="session")
def shipped() -> Catalog:
    return load_catalog(shipped_mappings())


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped content with only the first rows of its two longest tables: quick to check, and still whole."""
    copy = tmp_path_factory.mktemp("content") / "mappings"
    shutil.copytree(shipped_mappings(), copy)
    _keep(copy / "observations.rejected.csv", lambda row: row.startswith(("1", "88106-0")))
    _keep(copy / "medications.rxnorm.csv", lambda row: row.endswith(",ingredient\n"))
    return copy


def _keep(path: Path, wanted: Callable[[str], bool]) -> None:
    header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(header + "".join(row for row in rows if wanted(row)), encoding="utf-8")


@pytest.fixture
def folder(small: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "mappings"
    shutil.copytree(small, copy)
    return copy


@pytest.fixture
def spoil(folder: Path) -> Spoil:
    """Replace a text in one file of the copy and return what is then wrong."""

    def replace(file: str, old: str, new: str) -> tuple[str, ...]:
        path = folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new), encoding="utf-8")
        return check(folder)

    return replace


@pytest.fixture
def site(tmp_path: Path) -> Path:
    directory = tmp_path / "site"
    directory.mkdir()
    return directory
