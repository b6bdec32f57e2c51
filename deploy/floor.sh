#!/bin/sh
# Try the lowest versions that pyproject.toml allows, in an environment of their own. Run by `make floor`; its arguments
# go to pytest.
set -eu
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python=$here/venv/bin/python
uv() { "$VENV/bin/python" -m uv "$@"; }
uv venv --quiet --python "$VENV/bin/python" "$here/venv"
uv pip compile --quiet --resolution lowest-direct --python "$python" --extra postgres --extra otel pyproject.toml \
	--output-file "$here/floor.txt"
uv pip install --quiet --python "$python" -r "$here/floor.txt"
uv pip install --quiet --python "$python" --no-deps -e .
uv pip install --quiet --python "$python" --constraint "$here/floor.txt" pytest hypothesis packaging responses openapi-spec-validator
"$python" -m pytest -p no:cacheprovider "$@"
