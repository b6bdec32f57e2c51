"""Traces of calls for an OpenTelemetry collector; imported only where CDS_OTEL_ENDPOINT names one.

Knows: the OpenTelemetry SDK; which fields of a DecisionRecord stand on a span.
Must not know: requests. Spans are made when a call has ended, so nothing of a request can slip onto one.
"""

from datetime import timedelta
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

from cds_service.observe import traceparent
from cds_service.storage.records import DecisionRecord

ATTRIBUTES: Final = ("service", "hook", "tenant", "outcome", "tier", "headline", "cards", "content_version")
_STEPS: Final = ("read", "decide", "answer")


class Spans:
    """Makes a span of each call, with one child for each step."""

    def __init__(self, processor: SpanProcessor, version: str) -> None:
        resource = Resource({"service.name": "calcinosis-cds", "service.version": version})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=True)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("cds_service")

    def record(self, entry: DecisionRecord) -> None:
        """Make the spans of a call that has just ended, below the caller's own if it named one."""
        took = [timedelta(milliseconds=each) for each in (entry.read_ms, entry.decide_ms, entry.answer_ms)]
        at = entry.at - sum(took, timedelta())
        call = self._tracer.start_span(
            f"cds-hooks {entry.hook}", context=_parent(), kind=SpanKind.SERVER, start_time=_ns(at.timestamp())
        )
        for name in ATTRIBUTES:
            value = getattr(entry, name)
            if value is not None:
                call.set_attribute(f"cds.{name}", value)
        if entry.outcome.startswith("5"):
            call.set_status(StatusCode.ERROR)
        below = trace.set_span_in_context(call)
        for name, needed in zip(_STEPS, took, strict=True):
            step = self._tracer.start_span(name, context=below, start_time=_ns(at.timestamp()))
            at += needed
            step.end(_ns(at.timestamp()))
        call.end(_ns(entry.at.timestamp()))
        own = call.get_span_context()
        traceparent.current.set(
            traceparent.Trace(f"{own.trace_id:032x}", f"{own.span_id:016x}", sampled=own.trace_flags.sampled)
        )

    def close(self) -> None:
        """Send what is waiting."""
        self._provider.shutdown()


def sent_to(endpoint: str) -> SpanProcessor:
    """Sends spans to a collector in the background (OTLP over HTTP)."""
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5))


def _parent() -> Context | None:
    caller = traceparent.current.get()
    if caller is None:
        return None
    context = SpanContext(
        int(caller.trace_id, 16), int(caller.parent_id, 16), is_remote=True, trace_flags=TraceFlags(caller.sampled)
    )
    return trace.set_span_in_context(NonRecordingSpan(context))


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
