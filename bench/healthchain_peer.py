"""HealthChain as a peer, in an environment of its own: `.venv-peers/bin/python bench/healthchain_peer.py PORT`.

Its service reads the fields that a decision needs from the prefetch (as dicts, the way its own examples do), counts the
active Conditions, and answers one card with the product. Nothing is converted, checked or written down.
"""

import sys

import uvicorn
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.models.requests.cdsrequest import CDSRequest
from healthchain.models.responses.cdsresponse import CDSResponse

WANTED = {"17861-6": "calcium", "2777-1": "phosphate", "1751-7": "albumin", "2160-0": "creatinine"}
service = CDSHooksService()


@service.hook("patient-view", id="product")
def product(request: CDSRequest) -> CDSResponse:
    newest: dict[str, tuple[str, float]] = {}
    for entry in request.prefetch["observations"]["entry"]:
        resource = entry["resource"]
        if resource["status"] != "final":
            continue
        for coding in resource["code"]["coding"]:
            name = WANTED.get(coding["code"])
            if name and ("" if name not in newest else newest[name][0]) < resource["effectiveDateTime"]:
                newest[name] = (resource["effectiveDateTime"], resource["valueQuantity"]["value"])
    active = 0
    for entry in request.prefetch["conditions"]["entry"]:
        active += entry["resource"]["clinicalStatus"]["coding"][0]["code"] == "active"
    value = newest["calcium"][1] * newest["phosphate"][1]
    card = {"summary": f"Product {value:.1f}", "indicator": "info", "source": {"label": "peer"}, "detail": f"{active}"}
    return CDSResponse(cards=[card])


app = HealthChainAPI()
app.register_service(service)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
