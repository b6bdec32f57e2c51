"""The floor: the least that any Flask service pays for a hook call. `python -m bench.floor_app PORT`.

The same server and settings as the service; the body is decoded into typed structs of the fields that a decision needs,
and a constant card goes back. No codes, no units, no decision, no journal.
"""

import gc
import sys
from typing import Any

import msgspec
from flask import Flask, Response, request
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server
from msgspec import Struct

from cds_service.settings import Settings

CARD = b'{"cards":[{"summary":"A constant card","indicator":"info","source":{"label":"floor"},"detail":"%s"}]}' % (
    b"x" * 400
)
PATH = "/cds-services/floor"


class Coding(Struct, gc=False):
    system: str | None = None
    code: str | None = None


class Concept(Struct, gc=False):
    coding: list[Coding] = []


class Reference(Struct, gc=False):
    reference: str | None = None


class Quantity(Struct, gc=False):
    value: float | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None


class Range(Struct, gc=False):
    low: Quantity | None = None
    high: Quantity | None = None


class Patient(Struct, gc=False, tag="Patient", tag_field="resourceType"):
    id: str | None = None
    gender: str | None = None
    birthDate: str | None = None


class Observation(Struct, gc=False, tag="Observation", tag_field="resourceType"):
    id: str | None = None
    status: str | None = None
    code: Concept | None = None
    subject: Reference | None = None
    effectiveDateTime: str | None = None
    issued: str | None = None
    valueQuantity: Quantity | None = None
    referenceRange: list[Range] = []


class Condition(Struct, gc=False, tag="Condition", tag_field="resourceType"):
    id: str | None = None
    clinicalStatus: Concept | None = None
    verificationStatus: Concept | None = None
    code: Concept | None = None
    subject: Reference | None = None


class Entry(Struct, gc=False):
    resource: Observation | Condition | Patient


class Bundle(Struct, gc=False, tag="Bundle", tag_field="resourceType"):
    entry: list[Entry] = []


class Request(Struct, gc=False):
    hook: str
    hookInstance: str
    context: dict[str, Any]
    prefetch: dict[str, Bundle | Patient] = {}


def create_app() -> Flask:
    app = Flask("floor", static_folder=None)
    decoder = msgspec.json.Decoder(Request)

    @app.post(PATH)
    def call() -> Response:
        decoder.decode(request.get_data(cache=False))
        return Response(CARD, mimetype="application/json")

    return app


def main() -> None:
    settings, app = Settings(port=int(sys.argv[1])), create_app()
    gc.collect()
    gc.freeze()
    Server(
        "floor",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads,
        websockets=False,
        log_level=LogLevels.warning,
    ).serve(target_loader=lambda _target: app)


if __name__ == "__main__":
    main()
