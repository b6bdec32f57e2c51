"""A made-up EHR with a SMART authorization server, for launches played in tests; it knows nothing of transport."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

EXAMPLES = Path(__file__).parents[2] / "examples"
Answer = tuple[int, dict[str, str], bytes]


class Ehr:
    """Patients are samples of examples/. What it grants and refuses can be set by the test."""

    def __init__(self, base: str, client: str = "calcinosis") -> None:
        self.base = base
        self.fhir = f"{base}/fhir"
        self.client = client
        self.challenge_methods = ["S256"]
        self.refused: set[str] = set()  # resource types that the token is not good for
        self.expired = False
        self.patient: str | None = None  # overrides the patient of the launch
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, str] = {}
        self.asked: list[str] = []

    def launch_of(self, sample: str) -> str:
        """The opaque launch parameter for an open patient."""
        return base64.urlsafe_b64encode(sample.encode()).decode()

    def answer(self, method: str, url: str, body: str = "", token: str | None = None) -> Answer:
        """Answer any request."""
        parts = urlsplit(url)
        self.asked.append(f"{method} {parts.path}")
        if parts.path == "/fhir/.well-known/smart-configuration":
            return self._json(
                {
                    "authorization_endpoint": f"{self.base}/authorize",
                    "token_endpoint": f"{self.base}/token",
                    "code_challenge_methods_supported": self.challenge_methods,
                    "capabilities": ["launch-ehr", "client-public", "permission-v2"],
                }
            )
        if parts.path == "/authorize":
            return self._authorize(parse_qs(parts.query))
        if parts.path == "/token" and method == "POST":
            return self._token({key: each[0] for key, each in parse_qs(body).items()})
        if parts.path.startswith("/fhir/"):
            return self._read(parts.path.removeprefix("/fhir/"), parse_qs(parts.query), token)
        return 404, {}, b""

    def _authorize(self, asked: dict[str, list[str]]) -> Answer:
        wish = {key: each[0] for key, each in asked.items()}
        assert wish["response_type"] == "code"
        assert wish["client_id"] == self.client
        assert wish["aud"] == self.fhir
        assert wish["code_challenge_method"] == "S256"
        assert "launch" in wish["scope"].split()
        code = f"code-{len(self.codes)}"
        self.codes[code] = wish
        return 302, {"Location": f"{wish['redirect_uri']}?{urlencode({'code': code, 'state': wish['state']})}"}, b""

    def _token(self, form: dict[str, str]) -> Answer:
        wish = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        good = wish and challenge == wish["code_challenge"] and form["redirect_uri"] == wish["redirect_uri"]
        if not good or form["client_id"] != self.client:
            return self._json({"error": "invalid_grant"}, 400)
        assert wish is not None
        sample = base64.urlsafe_b64decode(wish["launch"]).decode()
        token = f"zq7-secret-token-{len(self.tokens)}"
        self.tokens[token] = sample
        told: dict[str, Any] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": wish["scope"],
        }
        patient = f"example-{sample}" if self.patient is None else self.patient
        return self._json(told | ({"patient": patient, "encounter": "example-encounter"} if patient else {}))

    def _read(self, path: str, query: dict[str, list[str]], token: str | None) -> Answer:
        kind = path.split("/")[0]
        sample = self.tokens.get(token or "")
        if sample is None or self.expired:
            return 401, {}, b""
        if kind in self.refused:
            return 403, {}, b""
        prefetch = json.loads((EXAMPLES / sample / "request.json").read_text())["prefetch"]
        if kind in ("Patient", "Encounter"):
            return self._json(prefetch[kind.lower()])
        found = [e["resource"] for v in prefetch.values() if v and v.get("entry") for e in v["entry"]]
        codes = {each.split("|")[-1] for each in query.get("code", [""])[0].split(",")}
        kept = [r for r in found if r["resourceType"] == kind and (kind != "Observation" or _code(r) in codes)]
        return self._json({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": r} for r in kept]})

    @staticmethod
    def _json(value: object, status: int = 200) -> Answer:
        return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _code(resource: Any) -> str:
    return str(resource["code"]["coding"][0]["code"])
