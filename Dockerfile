# The service as an image: no build tools, no pip, an unprivileged user, nothing written outside /tmp and /data.
# For a release pin the base by digest: --build-arg PYTHON_IMAGE=python:3.12-slim-bookworm@sha256:... (docs/operations.md)
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
RUN python -m venv /build/tools && python -m venv --without-pip /opt/venv
COPY requirements.lock deploy/build.lock ./
RUN pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock \
    && /build/tools/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r build.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY cds_service cds_service
COPY mappings mappings
COPY examples examples
RUN /build/tools/bin/hatchling build --target wheel --directory dist \
    && pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --no-index dist/*.whl \
    && python -m compileall -q /opt/venv

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 cds \
    && useradd --uid 10001 --gid cds --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin cds \
    && install --directory --owner=cds --group=cds /data
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CDS_HOST=0.0.0.0 \
    CDS_PORT=8000 \
    CDS_DATABASE_URL=sqlite:////data/journal.sqlite3
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"CDS_PORT\"]}/healthz', timeout=2)"]
# It refuses to start until CDS_ALLOW_UNAUTHENTICATED says that only trusted clients can reach it: see docs/settings.md.
CMD ["cds-service", "serve"]
