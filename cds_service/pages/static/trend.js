// Shows what a mark of a chart stands for, at the pointer and for the keyboard. The charts themselves come from the server.

const tip = document.getElementById("tip");
document.getElementById("hint").hidden = false;
const print = document.getElementById("print");
print.hidden = false;
print.addEventListener("click", () => window.print());

function show(mark) {
  const box = mark.getBoundingClientRect();
  tip.textContent = mark.dataset.words;
  tip.hidden = false;
  const left = Math.min(Math.max(8, box.left + box.width / 2 - tip.offsetWidth / 2), document.documentElement.clientWidth - tip.offsetWidth - 8);
  const above = box.top - tip.offsetHeight - 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${above < 8 ? box.bottom + 8 : above}px`;
}

const hide = () => { tip.hidden = true; };
for (const mark of document.querySelectorAll("[data-words]")) {
  mark.addEventListener("pointerenter", () => show(mark));
  mark.addEventListener("pointerleave", hide);
  mark.addEventListener("focus", () => show(mark));
  mark.addEventListener("blur", hide);
}
document.addEventListener("scroll", hide, { passive: true });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
