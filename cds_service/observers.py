"""Who takes note of a call: the journal, the numbers, the traces, the audit log, as the settings say.

Knows: settings and the observers.
Must not know: what they do with a note.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from cds_service import __version__
from cds_service.fhir.gather import Fetch
from cds_service.hooks.errors import each_alone
from cds_service.hooks.request import HookRequest
from cds_service.observe import web
from cds_service.settings import Settings, SettingsError
from cds_service.storage.records import AuditRecord, DecisionRecord
from cds_service.trust.tenants import Tenant

Take = Callable[[DecisionRecord], None]
FetchFor = Callable[[HookRequest, Tenant], Fetch | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observers:
    """record: takes each call, without the patient. audit: takes each call with the patient.

    counted: a fetch whose reads are counted. feedback: counts feedback by service and outcome. metrics: the numbers
    as text, None where nobody may read them.
    """

    record: Take
    audit: Callable[[AuditRecord], None]
    counted: Callable[[Fetch], Fetch] = lambda fetch: fetch
    feedback: Callable[[str, str], None] = lambda service, outcome: None
    metrics: Callable[[], bytes] | None = None

    def counting(self, fetch_for: FetchFor) -> FetchFor:
        """The same way to read from FHIR servers, counted."""

        def counted_for(request: HookRequest, tenant: Tenant) -> Fetch | None:
            fetch = fetch_for(request, tenant)
            return self.counted(fetch) if fetch is not None else None

        return counted_for


def observers_of(settings: Settings, journal: object, record: Take, content: tuple[str, str]) -> Observers:
    """The observers that the settings name; what they need is imported only for them.

    Raises: SettingsError when one cannot work.
    """
    takers = [record]
    if settings.otel_endpoint:
        takers.append(_spans(settings.otel_endpoint))
    audit = each_alone([_audit(settings.audit_file)] if settings.audit_file else [])
    if not settings.counts:
        return Observers(record=each_alone(takers), audit=audit)
    from cds_service.observe.metrics import Metrics

    metrics = Metrics(
        version=__version__,
        content=content,
        losses=lambda: (getattr(journal, "failures", 0), getattr(journal, "dropped", 0)),
    )
    return Observers(
        record=each_alone([*takers, metrics.record]),
        audit=audit,
        counted=metrics.counted,
        feedback=metrics.feedback,
        metrics=metrics.text,
    )


def install(app: Flask, observers: Observers, settings: Settings) -> None:
    """Add what observers need to the app."""
    web.install(app, https=settings.public_url.startswith("https:"))
    if observers.metrics is not None:
        web.add_metrics(app, observers.metrics, settings.metrics_token.get_secret_value())


def _spans(endpoint: str) -> Take:
    try:
        from cds_service.observe.spans import Spans, sent_to
    except ModuleNotFoundError:
        raise SettingsError(("CDS_OTEL_ENDPOINT: needs the extra otel: pip install 'calcinosis-cds[otel]'",)) from None
    return Spans(sent_to(endpoint), __version__).record


def _audit(path: str) -> Callable[[AuditRecord], None]:
    from cds_service.observe.audit import AuditFile, UnusableAuditFile

    try:
        return AuditFile(Path(path)).record
    except UnusableAuditFile as error:
        raise SettingsError((f"CDS_AUDIT_FILE: {error}",)) from None
