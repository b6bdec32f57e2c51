// The playground: plays the EHR. The request as JSON is the one truth; form and FHIR server write into it.

import { byId, el, root, told, uuid } from "./dom.js";
import { drawCards } from "./cards.js";
import { explain } from "./explain.js";
import { addCondition, addMedicine, newest, setNewest } from "./chart.js";

const setup = told("setup");
const text = byId("request");
const state = { patient: null, pristine: "", response: null, look: "generic", service: null };
let running = 0;

const say = (words) => { byId("status").textContent = words; };
const shown = (value) => JSON.stringify(value, null, 2);

function request() {
  try {
    return JSON.parse(text.value);
  } catch (error) {
    throw new Error(`The request is not JSON: ${error.message}`);
  }
}

function put(made, patient = null) {
  made.extension = { ...made.extension, "org.calcinosis-cds.explain": true };
  text.value = shown(made);
  Object.assign(state, { patient, pristine: text.value });
  fillForm(made);
}

// ---- patients

async function choose(button) {
  for (const each of document.querySelectorAll(".patients button")) each.setAttribute("aria-pressed", each === button);
  const answer = await fetch(`${root}/playground/patients/${encodeURIComponent(button.value)}`);
  if (!answer.ok) return say("This patient could not be loaded.");
  put(await answer.json(), button.value);
  byId("patient-name").textContent = button.dataset.name;
  byId("patient-line").textContent = button.dataset.line;
  await fire();
}

// ---- the form

function fillForm(made) {
  for (const lab of setup.labs) {
    const { value, unit, date } = newest(made, lab);
    byId(`${lab.id}-value`).value = value;
    const units = byId(`${lab.id}-unit`);
    units.replaceChildren(...[...new Set([...lab.units, unit].filter(Boolean))].map((each) => el("option", { value: each }, each)));
    units.value = unit || lab.units[0];
    if (date) byId("date").value = date;
  }
  byId("condition").value = byId("medicine").value = "";
  byId("clock").textContent = made.extension?.["org.calcinosis-cds.evaluation-time"] ?? "now";
}

function edit(change) {
  try {
    const made = request();
    change(made);
    text.value = shown(made);
  } catch (error) {
    say(error.message);
  }
}

const labEdited = (lab) => edit((made) => setNewest(made, lab, { value: byId(`${lab.id}-value`).value.trim(), unit: byId(`${lab.id}-unit`).value, date: byId("date").value }));
const codingOf = (list, at) => { const { system, code, display } = list[at]; return { system, code, display }; };

// ---- firing

async function fire() {
  let made;
  try {
    made = request();
  } catch (error) {
    return say(error.message);
  }
  const service = setup.services.find((each) => each.hook === made.hook);
  if (!service) return say(`No service is offered on the hook ${made.hook}.`);
  const turn = ++running;
  made.hookInstance = uuid();
  const body = JSON.stringify(made);
  say("asking ...");
  const answer = await fetch(`${root}/cds-services/${service.id}`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  const raw = await answer.text();
  if (turn !== running) return null; // a later patient was chosen meanwhile
  let response = null;
  try {
    response = JSON.parse(raw);
  } catch {
    /* shown as it is */
  }
  Object.assign(state, { response, service: service.id });
  say(`Answered with ${answer.status}.`);
  byId("sent").textContent = shown(made);
  byId("received").textContent = response ? shown(response) : raw;
  byId("curl").textContent = curl(service.id);
  return draw();
}

function curl(service) {
  const unchanged = state.patient && text.value === state.pristine;
  const file = unchanged ? `examples/${state.patient}/request.json` : "request.json";
  return `curl -s -H 'Content-Type: application/json' --data-binary @${file} ${location.origin}${root}/cds-services/${service}`;
}

function draw() {
  const { response } = state;
  const side = byId("cards");
  if (!response) return side.replaceChildren(el("p", { class: "empty" }, "Choose a patient."));
  const assessment = response.extension?.["org.calcinosis-cds.assessment"];
  if (response.resourceType === "OperationOutcome") {
    side.replaceChildren(el("div", { class: "card critical" }, el("div", {}, el("h3", { class: "summary" }, "The service could not decide"),
      ...(response.issue ?? []).map((issue) => el("p", {}, String(issue.diagnostics ?? issue.code))))));
  } else if (!response.cards?.length) {
    side.replaceChildren(el("p", { class: "empty" }, "No card: looked, nothing to show. This is not a statement about the absence of risk."));
  } else {
    side.replaceChildren(drawCards(response.cards, state.look, feedback));
  }
  byId("explained").replaceChildren(assessment ? explain(assessment, setup) : el("p", { class: "soft" }, "No assessment came with this answer."));
  byId("results").hidden = false;
  return null;
}

async function feedback(item, words) {
  const answer = await fetch(`${root}/cds-services/${state.service}/feedback`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ feedback: [item] }),
  });
  return answer.ok ? `Feedback taken: ${words}.` : `Feedback was refused with ${answer.status}${answer.status === 404 ? ": this service takes none." : "."}`;
}

// ---- a FHIR server of the user's

async function fill(event) {
  event.preventDefault();
  const status = byId("server-status");
  status.textContent = "reading ...";
  const wanted = { fhirServer: byId("server").value.trim(), patientId: byId("server-patient").value.trim(), encounterId: byId("server-encounter").value.trim() };
  const answer = await fetch(`${root}/playground/fill`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wanted) });
  const got = await answer.json();
  if (!answer.ok) {
    status.textContent = got.problem;
    return;
  }
  for (const each of document.querySelectorAll(".patients button")) each.setAttribute("aria-pressed", "false");
  put(got.request);
  byId("patient-name").textContent = `Patient ${wanted.patientId}`;
  byId("patient-line").textContent = `From ${wanted.fhirServer}`;
  status.textContent = `${got.filled.length} of ${got.filled.length + got.failed.length} prefetch templates filled.${got.failed.length ? ` Not had: ${got.failed.join("; ")}.` : ""}`;
  await fire();
}

// ---- tabs: arrows move, as in the WAI-ARIA pattern

function tabs(list) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const select = (tab, focus) => {
    for (const each of all) {
      each.setAttribute("aria-selected", each === tab);
      each.tabIndex = each === tab ? 0 : -1;
      byId(each.getAttribute("aria-controls")).hidden = each !== tab;
    }
    if (focus) tab.focus();
  };
  for (const [at, tab] of all.entries()) {
    tab.addEventListener("click", () => select(tab, false));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) select(all[(at + step + all.length) % all.length], true);
    });
  }
}

// ---- wiring

for (const list of document.querySelectorAll("[role=tablist]")) tabs(list);
for (const button of document.querySelectorAll(".patients button")) button.addEventListener("click", () => choose(button));
for (const lab of setup.labs) for (const part of ["value", "unit"]) byId(`${lab.id}-${part}`).addEventListener("change", () => labEdited(lab));
byId("date").addEventListener("change", () => setup.labs.filter((lab) => byId(`${lab.id}-value`).value.trim()).forEach(labEdited));
byId("condition").addEventListener("change", ({ target }) => target.value && edit((made) => addCondition(made, codingOf(setup.conditions, target.value))));
byId("medicine").addEventListener("change", ({ target }) => target.value && edit((made) => addMedicine(made, codingOf(setup.medicines, target.value))));
text.addEventListener("change", () => { try { fillForm(request()); say(""); } catch (error) { say(error.message); } });
byId("values").addEventListener("submit", (event) => { event.preventDefault(); fire(); });
byId("from-server").addEventListener("submit", fill);
for (const choice of document.querySelectorAll("input[name=look]")) choice.addEventListener("change", () => { state.look = choice.value; draw(); });
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(byId(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}
put(structuredClone(setup.blank));
