// The assessment of the response laid open: which data, which rule, which source, what is missing. Nothing is computed here.

import { el, link, root, table, tierMark } from "./dom.js";

const PAIRS = { A: "same draw", B: "close in time", C: "drawn far apart" };
const BOUNDS = { atLeast: "at least ", atMost: "at most " };
const ARROWS = { low: "↓ low", high: "↑ high", normal: "in range", unknown: "no range" };

export function explain(a, words) {
  return el("div", { class: "explained" }, figures(a),
    a.orderTier ? section("Which drafts", drafts(a)) : null,
    section("Which data", dataTable(a, words)),
    section("Which rules", rules(a, words)),
    a.caps?.length ? section("What lowered the level", list(a.caps.map((cap) => [ruleLink(cap.rule), `from ${cap.from} to ${cap.to}: ${words.rules[cap.rule]?.clause ?? ""}`]))) : null,
    section("Causes and type", causes(a)),
    section("What is missing or was not used", missing(a, words)),
    section("Which sources", sources(a, words)));
}

function section(title, ...parts) {
  return el("section", {}, el("h3", {}, title), ...parts.flat());
}

const list = (items) => el("ul", { class: "plain" }, ...items.map((item) => el("li", {}, ...[item].flat())));
const nothing = (words) => el("p", { class: "soft" }, words);
const ruleLink = (id) => el("a", { class: "rule-id", href: `${root}/knowledge/rules/${encodeURIComponent(id)}` }, id);

function figures(a) {
  const p = a.product;
  const figure = (name, value, more) => el("div", {}, el("dt", {}, name), el("dd", {}, value, more ? el("small", {}, more) : null));
  return el("dl", { class: "facts" },
    a.orderTier ? figure("Level of the orders", tierMark(a.orderTier), a.orders.length ? `set by ${a.orders.find((each) => each.tier === a.orderTier)?.rule}` : "no rule speaks of them") : null,
    figure(a.orderTier ? "Level of the patient" : "Level", tierMark(a.tier), a.headline ? `set by ${a.headline}` : "nothing to show"),
    figure("Calcium × phosphate", p ? `${BOUNDS[p.bound] ?? ""}${p.value}` : "not known", p ? `mg²/dL² (${p.valueSi} mmol²/L²)` : "unknown is not normal"),
    figure("Pair", p ? `class ${p.pairClass}` : "none", p ? `${PAIRS[p.pairClass] ?? ""}, ${p.freshness}, ${p.ageHours} h old` : null),
    figure("Type that fits", a.riskPathway, a.documentedType === "none" ? "no calcification recorded" : `recorded: ${a.documentedType}`),
    figure("Confidence", a.confidence, a.weaknesses?.length ? a.weaknesses.join(", ").replaceAll("_", " ") : null));
}

function drafts(a) {
  const found = (a.orders ?? []).map((each) => [ruleLink(each.rule), " ", el("strong", {}, each.drugs.join(", ").replaceAll("-", " ")), ` (${each.reference}): ${each.tier}, for ${each.reasons.join(", ").replaceAll("-", " ")}`,
    each.downgradedBy.length ? [", lowered by ", ...each.downgradedBy.map(ruleLink)] : null].flat().filter((part) => part != null));
  const open = (a.ordersNotJudged ?? []).map((each) => [el("strong", {}, each.name || each.reference), `: ${each.reason.replaceAll("-", " ")}, not judged${each.rule ? ` by ${each.rule}` : ""}`]);
  return found.length + open.length ? list([...found, ...open]) : nothing("No rule speaks of the drafts.");
}

function dataTable(a, words) {
  const p = a.product;
  const used = p ? [[p.calcium, `Calcium (${p.calcium.kind})`], [p.phosphate, "Phosphate"], [p.albumin, "Albumin"]].filter(([value]) => value) : [];
  const seen = new Set(used.map(([value]) => value.reference));
  const rows = [...used.map(([value, name]) => [value, name, "in the product"]),
    ...(a.values ?? []).filter((value) => !seen.has(value.reference)).map((value) => [value, words.inputs[value.input] ?? value.input, "beside it"])];
  if (!rows.length) return nothing("No usable value of calcium or phosphate.");
  return table("Values that were used", ["Result", { title: "As reported", number: true }, "Position", "Collected", "Use", "Source"],
    rows.map(([value, name, use]) => [name, `${value.comparator ?? ""}${value.value ?? "words only"} ${value.unit ?? ""}`, position(value), value.effective, use, value.reference]));
}

function position(value) {
  const range = value.range ? ` (${value.range.low ?? ""}–${value.range.high ?? ""} ${value.range.unit}, ${value.range.source})` : "";
  return (ARROWS[value.position] ?? "") + range;
}

function rules(a, words) {
  if (!a.rules?.length) return nothing("No rule fired.");
  return list(a.rules.map((id) => [ruleLink(id), words.rules[id]?.clause || "told with the cause or the risk factor"]));
}

function causes(a) {
  const found = [...(a.causes ?? []).map((cause) => [el("strong", {}, cause.name), ` ${cause.basis}; ${cause.type}; `, el("span", { class: "soft" }, cause.evidence.join(", "))]),
    ...(a.exposures ?? []).map((each) => [el("strong", {}, each.name), ` active medicine${each.modifiable ? ", modifiable" : ""}; `, el("span", { class: "soft" }, each.evidence.join(", "))]),
    ...(a.alsoRecorded ?? []).map((each) => [el("strong", {}, each.text), " also recorded, not blamed"])];
  return found.length ? list(found) : nothing("No cause on the record.");
}

function missing(a, words) {
  const gaps = (a.gaps ?? []).map((gap) => [el("strong", {}, words.inputs[gap.analyte] ?? gap.analyte), `: ${gap.reason}. `, el("span", { class: "soft" }, `${gap.detail ?? ""}${gap.lastDate ? ` (${gap.lastDate})` : ""}`)]);
  const failed = (a.dataSources?.failed ?? []).map((each) => [el("strong", {}, "Could not be read"), `: ${each}`]);
  const flags = (a.flags ?? []).map((flag) => [el("strong", {}, "Flag"), `: ${flag.replaceAll("_", " ")}`]);
  const notes = (a.notes ?? []).map((note) => [el("strong", {}, "Note"), `: ${note}`]);
  const all = [...gaps, ...failed, ...flags, ...notes];
  return all.length ? list(all) : nothing("Nothing that was looked for.");
}

function sources(a, words) {
  const ids = [...new Set((a.rules ?? []).flatMap((id) => words.rules[id]?.sources ?? []))];
  const known = ids.filter((id) => words.sources[id]);
  if (!known.length) return nothing("None.");
  return list(known.map((id) => [words.sources[id].url ? link(words.sources[id].title, words.sources[id].url) : words.sources[id].title]));
}
