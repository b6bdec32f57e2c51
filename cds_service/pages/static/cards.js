// Cards as an EHR draws them in its side bar. A card is foreign text: its Markdown goes through marked and DOMPurify.
/* global marked, DOMPurify */

import { el, link, tierMark } from "./dom.js";

const TAGS = ["p", "strong", "em", "del", "ul", "ol", "li", "br", "hr", "code", "pre", "blockquote", "h1", "h2", "h3", "h4",
  "table", "thead", "tbody", "tr", "th", "td", "a"];
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
// Markup in a card is shown as the text it is; images become their description. DOMPurify stands behind as second guard.
const markdown = new marked.Marked({ gfm: true, renderer: { html: ({ text }) => escaped(text), image: ({ text }) => escaped(text) } });
let numbers = 0;

// The Markdown of a card as inert elements: no image, no style, no id, links to the web only.
export function rich(text) {
  const clean = DOMPurify.sanitize(markdown.parse(String(text ?? "")), {
    ALLOWED_TAGS: TAGS, ALLOWED_ATTR: ["href"], ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: /^https?:/i, RETURN_DOM_FRAGMENT: true,
  });
  for (const each of clean.querySelectorAll("a")) {
    each.target = "_blank";
    each.rel = "noopener noreferrer";
  }
  for (const each of clean.querySelectorAll("table")) each.tabIndex = 0;
  return clean;
}

export function drawCards(cards, look, feedback) {
  return el("div", { class: `look-${look}` }, ...cards.map((card) => drawCard(card, look, feedback)));
}

function drawCard(card, look, feedback) {
  const title = `card-${++numbers}`;
  const indicator = ["critical", "warning", "info"].includes(card.indicator) ? card.indicator : "info";
  const popup = look === "oracle" && indicator === "critical";
  return el("article", { class: `card ${indicator}`, "aria-labelledby": title },
    el("div", { class: "title" }, tierMark(card.indicator),
      popup ? el("span", { class: "popup-note" }, " shown as a pop-up") : null,
      el("h3", { class: "summary", id: title }, String(card.summary ?? ""))),
    card.detail ? el("div", { class: "detail" }, el("details", { open: look === "generic" }, el("summary", {}, "Details"), rich(card.detail))) : null,
    links(card), suggestionsAndReasons(card, look, feedback), source(card));
}

function links(card) {
  if (!card.links?.length) return null;
  return el("div", { class: "links" }, ...card.links.map((each) =>
    each.type === "smart"
      ? el("span", {}, String(each.label), el("small", { class: "soft" }, " (SMART app: the EHR launches it)"))
      : link(String(each.label), each.url)));
}

function source(card) {
  const label = String(card.source?.label ?? "");
  return el("div", { class: "source" }, "Source: ", card.source?.url ? link(label, card.source.url) : label);
}

function suggestionsAndReasons(card, look, feedback) {
  const reasons = card.overrideReasons ?? [];
  const suggestions = card.suggestions ?? [];
  if (!card.uuid || (!reasons.length && !suggestions.length)) return null;
  const status = el("p", { class: "status small", role: "status" });
  const send = async (item, words) => {
    status.textContent = "sending ...";
    status.textContent = await feedback({ card: card.uuid, outcomeTimestamp: new Date().toISOString(), ...item }, words);
  };
  const comment = el("input", { type: "text", maxlength: "400", "aria-label": "Comment (optional)", placeholder: "Comment (optional)" });
  const override = (reason) => send({
    outcome: "overridden",
    overrideReason: { reason: { code: reason.code, system: reason.system }, ...(comment.value ? { userComment: comment.value } : {}) },
  }, "overridden");
  return el("div", { class: "acts" }, ...suggestions.map((each) => suggestion(each, send)),
    reasons.length ? el("p", { class: "label" }, look === "epic" ? "Acknowledge reason" : "Override, because") : null,
    reasons.length ? comment : null,
    reasons.length ? (look === "epic" ? asButtons(reasons, override) : asList(reasons, override)) : null, status);
}

function suggestion(each, send) {
  const actions = (each.actions ?? []).map((action) => String(action.description ?? "")).filter(Boolean).join("; ");
  return el("div", { class: "suggestion" },
    el("span", {}, String(each.label ?? ""), actions && actions !== each.label ? el("small", { class: "soft" }, ` ${actions}`) : null),
    el("button", { type: "button", onclick: () => send({ outcome: "accepted", acceptedSuggestions: [{ id: each.uuid }] }, "accepted") }, "Accept"));
}

function asButtons(reasons, override) {
  return el("div", { class: "row" }, ...reasons.map((reason) =>
    el("button", { type: "button", onclick: () => override(reason) }, String(reason.display ?? reason.code))));
}

function asList(reasons, override) {
  const list = el("select", { "aria-label": "Reason" }, ...reasons.map((reason, at) => el("option", { value: at }, String(reason.display ?? reason.code))));
  return el("div", { class: "row" }, list, el("button", { type: "button", onclick: () => override(reasons[list.value]) }, "Override"));
}
