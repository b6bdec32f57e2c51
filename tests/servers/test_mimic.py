"""Twenty patients of the MIMIC-IV demo: read from a real server without prefetch, and with the whole record sent."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.calls import ASSESSMENT, PATIENT_VIEW
from tests.mimic import MIMIC, Chart, charts, request
from tests.servers.sekmet import Sekmet, serving

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(not MIMIC.is_dir(), reason="the open data sets are not here"),
]
EVERY = 5

Json = dict[str, Any]


@pytest.fixture(scope="module")
def some() -> list[Chart]:
    return charts()[::EVERY]


@pytest.fixture(scope="module")
def full(some: list[Chart], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sekmet]:
    with serving(tmp_path_factory.mktemp("mimic")) as server:
        for chart in some:
            server.load(each.resource for each in chart.held)
        yield server


def told(hospital: FlaskClient, body: bytes) -> Json:
    answer = hospital.post(PATIENT_VIEW, data=body, content_type="application/json")
    assert answer.status_code == 200, answer.text
    assessment: Json = answer.get_json()["extension"][ASSESSMENT]
    return assessment


@pytest.mark.parametrize("number", range(20))
def test_a_patient_is_judged_the_same_from_a_real_server_and_from_prefetch(
    full: Sekmet, hospital: FlaskClient, some: list[Chart], number: int
) -> None:
    chart = some[number]
    at = chart.end()
    visit = chart.visit_at(at)
    # the server says that there are none; the files of the data set alone do not
    none_of = ("procedures", "statements")
    sent = told(hospital, request(chart.patient, visit, at, chart.known_at(at, visit), none_of=none_of))
    read = told(hospital, request(chart.patient, visit, at, None, server=full.url))
    assert read.pop("dataSources")["failed"] == []
    sent.pop("dataSources")
    assert read == sent
