#!/bin/sh
# Renew the two hash-locked lists of the image: what runs (requirements.lock) and what builds the wheel (deploy/build.lock).
# Run by `make lock`. The lists name packages, versions and hashes, never an address.
set -eu
uv() {
	"$VENV/bin/python" -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' "$@"
}
uv pyproject.toml --extra postgres --extra otel --output-file requirements.lock
echo 'hatchling>=1.25' | uv - --output-file deploy/build.lock
