"""The caller's trace in log lines, and spans for a collector."""

import json
import logging

import pytest
from flask.testing import FlaskClient
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cds_service.logs import JsonLines
from cds_service.observe import traceparent
from cds_service.observe.spans import ATTRIBUTES, Spans
from tests.calls import PATIENT_VIEW, critical_call
from tests.storage.test_journal import AT, entry
from tests.test_app import in_fresh_python

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
HEADER = f"00-{TRACE}-{PARENT}-01"


class Lines(logging.Handler):
    """Keeps the lines as they are written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(JsonLines().format(record)))


@pytest.fixture
def lines() -> Lines:
    return Lines()


def logged(client: FlaskClient, lines: Lines, **headers: str) -> dict[str, object]:
    log = logging.getLogger("cds_service")
    level = log.level
    log.addHandler(lines)
    log.setLevel(logging.INFO)
    try:
        client.post(PATIENT_VIEW, json=critical_call(), headers=headers)
    finally:
        log.removeHandler(lines)
        log.setLevel(level)
    return lines.lines[-1]


def test_the_trace_of_the_caller_stands_in_the_log_line(client: FlaskClient, lines: Lines) -> None:
    assert logged(client, lines, traceparent=HEADER)["trace_id"] == TRACE


def test_a_call_without_trace_has_none_in_its_line_also_after_one_with(client: FlaskClient, lines: Lines) -> None:
    logged(client, lines, traceparent=HEADER)
    assert "trace_id" not in logged(client, lines)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Mrs Doe",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01\nx",
    ],
)
def test_what_is_no_traceparent_is_left_out(header: str | None) -> None:
    assert traceparent.read(header) is None


def test_a_later_version_with_more_members_is_read() -> None:
    assert traceparent.read(f"01-{TRACE}-{PARENT}-00-more") == traceparent.Trace(TRACE, PARENT, sampled=False)


def test_a_call_becomes_a_span_below_the_callers_with_listed_attributes_only() -> None:
    exporter = InMemorySpanExporter()
    spans = Spans(SimpleSpanProcessor(exporter), "1")
    traceparent.current.set(traceparent.read(HEADER))
    spans.record(entry())
    made = exporter.get_finished_spans()
    *steps, call = made
    assert [span.name for span in made] == ["read", "decide", "answer", "cds-hooks patient-view"]
    assert call.parent is not None
    assert (f"{call.context.trace_id:032x}", f"{call.parent.span_id:016x}") == (TRACE, PARENT)
    assert {span.parent and span.parent.span_id for span in steps} == {call.context.span_id}
    assert set(call.attributes or {}) == {f"cds.{name}" for name in ATTRIBUTES}
    assert [dict(span.attributes or {}) for span in steps] == [{}, {}, {}]
    assert call.end_time == int(AT.timestamp() * 1e9)
    assert call.start_time is not None
    assert abs(call.end_time - call.start_time - 1_875_000) < 1000  # 0.5 + 1.25 + 0.125 ms
    traceparent.current.set(None)


def test_without_a_trace_of_the_caller_the_own_one_goes_into_the_log_line() -> None:
    traceparent.current.set(None)
    exporter = InMemorySpanExporter()
    Spans(SimpleSpanProcessor(exporter), "1").record(entry(outcome="500"))
    own = traceparent.current.get()
    call = exporter.get_finished_spans()[-1]
    assert own is not None
    assert own.trace_id == f"{call.context.trace_id:032x}"
    assert call.status.status_code.name == "ERROR"
    traceparent.current.set(None)


def test_the_sdk_is_imported_only_where_an_endpoint_is_set() -> None:
    code = (
        "import sys\nfrom cds_service.app import create_app\nfrom cds_service.settings import read_settings\n"
        "create_app(read_settings({}, database_url='', otel_endpoint=%r))\n"
        "print(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert [in_fresh_python(code % endpoint).strip() for endpoint in ("", "http://127.0.0.1:9")] == ["False", "True"]
