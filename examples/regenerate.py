"""Write the response of every example anew: `python examples/regenerate.py`. Read the differences before you commit.

The requests carry their own clock, and the ids of the cards are made from the name of the example, so that the same
content gives the same files for ever.
"""

import json
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

HERE = Path(__file__).parent
if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))

from flask.testing import FlaskClient  # noqa: E402
from werkzeug.test import TestResponse  # noqa: E402

from cds_service.app import create_app  # noqa: E402
from cds_service.settings import Settings  # noqa: E402

SERVICES = "/cds-services"


def examples() -> list[Path]:
    """Return the folders of all examples, by name."""
    return sorted(path.parent for path in HERE.glob("*/request.json"))


def sandbox(name: str) -> FlaskClient:
    """Return a client of a service in sandbox mode that makes its ids from the name of an example."""
    numbers = count()
    app = create_app(
        Settings(sandbox=True, database_url="", pages=False),
        clock=lambda: datetime(2026, 10, 12, 8, 30, tzinfo=UTC),
        new_id=lambda: str(uuid5(NAMESPACE_URL, f"urn:calcinosis-cds:example:{name}{next(numbers) or ''}")),
    )
    return app.test_client()


def respond(example: Path) -> dict[str, object]:
    """Return what the service answers to an example.

    Raises: RuntimeError when the answer is not 200.
    """
    answer = _answer(example)
    if answer.status_code != 200:
        raise RuntimeError(f"{example.name}: {answer.status_code} {answer.get_data(as_text=True)}")
    response: dict[str, object] = json.loads(answer.data)
    return response


def failures() -> list[Path]:
    """Return the folders of all calls that are refused or cannot be decided, by name."""
    return sorted(path.parent for path in HERE.glob("failures/*/request.json"))


def refuse(failure: Path) -> tuple[int, dict[str, object]]:
    """Return the status and the body of what the service answers to a failure."""
    answer = _answer(failure)
    return answer.status_code, json.loads(answer.data)


def _answer(example: Path) -> TestResponse:
    """Post a request to the service of its hook, one of a hook that is not served to the first service."""
    client, request = sandbox(example.name), (example / "request.json").read_bytes()
    offered = client.get(SERVICES).get_json()["services"]
    service = next((each["id"] for each in offered if each["hook"] == json.loads(request)["hook"]), offered[0]["id"])
    return client.post(f"{SERVICES}/{service}", data=request, content_type="application/json")


def main() -> None:
    """Write all responses, and the gallery of cards."""
    from docs import card_gallery

    for example in examples():
        write(example, respond(example))
    for failure in failures():
        write(failure, refuse(failure)[1])
    card_gallery.main()


def write(example: Path, response: dict[str, object]) -> None:
    """Write the response beside its request."""
    text = json.dumps(response, indent=2, ensure_ascii=False)
    (example / "response.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
