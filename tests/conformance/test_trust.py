"""Who may call: what a refused and an accepted caller get to see; what makes a token good is tested in tests/trust/."""

import pytest
from flask.testing import FlaskClient

from tests.calls import Json
from tests.conformance.conftest import path_of, request_of, told
from tests.trust.conftest import guarded, service
from tests.trust.keys import bearer, ec_key, signed

__all__ = ["guarded", "service"]


def test_ch_124_a_refused_caller_is_not_told_why_but_how_to_come_in(service: FlaskClient, offered: list[Json]) -> None:
    path = path_of(offered[0])
    wrong = [
        {},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer junk"},
        {"Authorization": f"Bearer {signed({'iss': 'https://nobody.example'})}"},
        bearer(path, exp=1),
        bearer("/cds-services/other"),
    ]
    answers = [service.post(path, json=request_of(offered[0]), headers=headers) for headers in wrong]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert all(answer.headers["WWW-Authenticate"].startswith("Bearer") for answer in answers)
    assert all(answer.get_json()["resourceType"] == "OperationOutcome" for answer in answers)


@pytest.mark.parametrize("good", [True, False])
def test_rb_05_a_token_never_comes_back(
    service: FlaskClient, offered: list[Json], good: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for each in offered:
        headers = bearer(path_of(each)) if good else {"Authorization": f"Bearer {signed({}, ec_key('other'))}"}
        answer = service.post(path_of(each), json=request_of(each), headers=headers)
        assert told(answer) if good else answer.status_code == 401
        token = headers["Authorization"].removeprefix("Bearer ")
        for part in (token, *token.split(".")):
            assert part not in answer.text + str(answer.headers)
            assert part not in "".join(str(record.__dict__) for record in caplog.records)
