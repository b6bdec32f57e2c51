// Small parts: elements made of text, never of markup.

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

// The path below which the service lies, for instance /cds.
export const root = document.documentElement.dataset.root ?? "";

export const byId = (id) => document.getElementById(id);

export const told = (id) => JSON.parse(byId(id).textContent);

// A link that can only lead to the web; anything else becomes its text.
export function link(label, url) {
  let address = null;
  try {
    address = new URL(url, location.href);
  } catch {
    /* not an address */
  }
  if (!address || !["https:", "http:"].includes(address.protocol)) return el("span", {}, label);
  const outside = address.origin !== location.origin;
  return el("a", { href: address.href, target: "_blank", rel: outside ? "noopener noreferrer" : "noopener" }, label);
}

export const tierMark = (tier) => el("span", { class: `tier ${["critical", "warning", "info"].includes(tier) ? tier : "none"}` }, tier);

export function table(caption, heads, rows) {
  const cells = (tag, row) => row.map((cell, at) => el(tag, tag === "th" ? { scope: "col" } : { class: heads[at].number ? "number" : null }, cell));
  return el("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption },
    el("table", {}, el("caption", {}, caption),
      el("thead", {}, el("tr", {}, ...cells("th", heads.map((head) => head.title ?? head)))),
      el("tbody", {}, ...rows.map((row) => el("tr", {}, ...cells("td", row))))));
}

export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
