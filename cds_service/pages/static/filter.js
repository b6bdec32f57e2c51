// Filters the rows of a page's table while one types; without it the page is whole.

const box = document.getElementById("filter");
if (box) {
  box.closest(".filter").hidden = false;
  const rows = [...document.querySelectorAll("table[data-filter] tbody tr")].map((row) => [row, row.textContent.toLowerCase()]);
  const status = document.getElementById("filter-status");
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [row, text] of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    status.textContent = `${shown} of ${rows.length} rows`;
  });
}
