// The small form over the request: newest calcium, phosphate and albumin, a condition, a medicine. Edits the JSON, nothing else.

const SYSTEMS = { ucum: "http://unitsofmeasure.org", loinc: "http://loinc.org" };

// Newest first: the results of one analyte in the prefetch, with the Bundle that holds each.
function results(request, lab) {
  const found = [];
  for (const bundle of Object.values(request.prefetch ?? {})) {
    for (const entry of bundle?.entry ?? []) {
      const codes = (entry.resource?.code?.coding ?? []).map((coding) => coding.code);
      if (entry.resource?.resourceType === "Observation" && codes.some((code) => lab.codes.includes(code))) found.push({ bundle, entry });
    }
  }
  const when = ({ entry }) => Date.parse(entry.resource.effectiveDateTime ?? entry.resource.issued ?? "") || 0;
  return found.sort((one, other) => when(other) - when(one));
}

export function newest(request, lab) {
  const resource = results(request, lab)[0]?.entry.resource;
  if (!resource) return { value: "", unit: lab.units[0], date: "" };
  const quantity = resource.valueQuantity ?? {};
  return { value: quantity.value ?? "", unit: quantity.code ?? quantity.unit ?? "", date: (resource.effectiveDateTime ?? "").slice(0, 10) };
}

export function setNewest(request, lab, { value, unit, date }) {
  const found = results(request, lab)[0];
  if (value === "") {
    if (found) found.bundle.entry = found.bundle.entry.filter((entry) => entry !== found.entry);
    return;
  }
  const resource = found?.entry.resource ?? added(request, lab.key, fresh(request, lab));
  resource.valueQuantity = { value: Number(value), unit, system: SYSTEMS.ucum, code: unit };
  if (found && found.entry.resource.referenceRange && lab.units.includes(unit)) {
    const inUnit = (limit) => !limit || (limit.code ?? limit.unit) === unit;
    if (!resource.referenceRange.every((range) => inUnit(range.low) && inUnit(range.high))) delete resource.referenceRange;
  }
  if (date && date !== (resource.effectiveDateTime ?? "").slice(0, 10)) resource.effectiveDateTime = `${date}T07:30:00${zone(request)}`;
}

const clock = (request) => request.extension?.["org.calcinosis-cds.evaluation-time"] ?? new Date().toISOString();
const zone = (request) => clock(request).match(/(Z|[+-]\d\d:\d\d)$/)?.[0] ?? "Z";

function fresh(request, lab) {
  return {
    resourceType: "Observation", id: `edited-${lab.id}`, status: "final",
    code: { coding: [{ system: SYSTEMS.loinc, code: lab.code, display: lab.display }] },
    subject: { reference: `Patient/${request.context.patientId}` }, effectiveDateTime: `${clock(request).slice(0, 10)}T07:30:00${zone(request)}`,
  };
}

function added(request, key, resource) {
  request.prefetch ??= {};
  const bundle = request.prefetch[key]?.entry ? request.prefetch[key] : { resourceType: "Bundle", type: "searchset", entry: [] };
  request.prefetch[key] = bundle;
  bundle.entry.push({ resource, search: { mode: "match" } });
  if ("total" in bundle) bundle.total = bundle.entry.length;
  return resource;
}

export function addCondition(request, coding) {
  added(request, "conditions", {
    resourceType: "Condition", id: `edited-condition-${coding.code.replaceAll(/[^A-Za-z0-9]/g, "-")}`,
    clinicalStatus: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/condition-clinical", code: "active" }] },
    verificationStatus: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/condition-ver-status", code: "confirmed" }] },
    code: { coding: [coding] }, subject: { reference: `Patient/${request.context.patientId}` },
  });
}

export function addMedicine(request, coding) {
  added(request, "medications", {
    resourceType: "MedicationRequest", id: `edited-medication-${coding.code}`, status: "active", intent: "order",
    medicationCodeableConcept: { coding: [coding] }, subject: { reference: `Patient/${request.context.patientId}` },
    authoredOn: clock(request).slice(0, 10),
  });
}
