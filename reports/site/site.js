// Folding and filtering of the matrix, and Copy. Without this script everything is there, unfolded.
"use strict";

for (const button of document.querySelectorAll("button.copy")) {
  const source = button.parentElement.querySelector("code");
  button.hidden = false;
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(source);
    let copied = true;
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      copied = document.execCommand("copy"); // where a page of a file may not write to the clipboard
    }
    button.textContent = copied ? "Copied" : "Selected";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}

const matrix = document.querySelector("table.matrix:not(.timeline)");
if (matrix) showMatrix(matrix);

function showMatrix(matrix) {
  const filters = document.querySelector(".filters");
  const boxes = [...filters.querySelectorAll("input")];
  const chapters = [...matrix.querySelectorAll("tbody.chapter")].map((head) => ({
    name: head.dataset.chapter,
    head,
    body: head.nextElementSibling,
    button: head.querySelector("button.fold"),
    rows: [...head.nextElementSibling.rows],
  }));
  const columns = [...matrix.querySelectorAll("[data-backend]")];
  const total = chapters.reduce((sum, chapter) => sum + chapter.rows.length, 0);
  const unfold = filters.querySelector("button.unfold");
  const reset = filters.querySelector("button.reset");
  const open = new Set();

  const chosen = (name) => new Set(boxes.filter((box) => box.name === name && box.checked).map((box) => box.value));

  function show() {
    const [backends, names, verdicts] = ["backend", "chapter", "verdict"].map(chosen);
    const hasBackend = (element) => !backends.size || backends.has(element.dataset.backend);
    const hasVerdict = (element) => !verdicts.size || verdicts.has(element.dataset.verdict);
    for (const element of columns) element.hidden = !hasBackend(element);
    let clauses = 0;
    for (const { name, head, body, button, rows } of chapters) {
      const fitting = new Set();
      let left = 0;
      for (const row of rows) {
        const wanted = !names.size || names.has(name);
        row.hidden = true;
        for (const cell of row.querySelectorAll("td")) {
          const fits = hasVerdict(cell);
          cell.classList.toggle("faded", !fits);
          if (!fits || !hasBackend(cell)) continue;
          fitting.add(cell.dataset.backend);
          row.hidden = !wanted;
        }
        if (!row.hidden) left += 1;
      }
      clauses += left;
      head.hidden = body.hidden = !left;
      for (const cell of head.querySelectorAll("td")) cell.classList.toggle("faded", !fitting.has(cell.dataset.backend));
      body.classList.toggle("folded", !open.has(name));
      button.setAttribute("aria-expanded", open.has(name));
    }
    const others = matrix.querySelector("tbody.others");
    if (others) others.hidden = names.size > 0 || verdicts.size > 0;
    const filtered = backends.size + names.size + verdicts.size > 0;
    const count = matrix.tHead.rows[0].querySelectorAll("[data-backend]:not([hidden])").length;
    filters.querySelector("output").textContent = filtered
      ? `${clauses} of ${total} clauses, on ${count} backend${count === 1 ? "" : "s"}`
      : `${total} clauses`;
    unfold.textContent = chapters.every(({ name, head }) => head.hidden || open.has(name)) ? "Fold all" : "Unfold all";
    reset.hidden = !filtered;
    matrix.hidden = clauses === 0;
    document.querySelector(".nothing").hidden = clauses > 0;
  }

  // The state is the fragment of the address, so that what is seen can be linked: #verdict=fails&open=3
  function save() {
    const state = new URLSearchParams(boxes.filter((box) => box.checked).map((box) => [box.name, box.value]));
    for (const { name } of chapters) if (open.has(name)) state.append("open", name);
    history.replaceState(null, "", `#${state}`);
  }

  function restore() {
    const text = location.hash.slice(1);
    if (text !== "" && !text.includes("=")) return; // the anchor of a heading
    const state = new URLSearchParams(text);
    for (const box of boxes) box.checked = state.getAll(box.name).includes(box.value);
    open.clear();
    for (const name of state.getAll("open")) open.add(name);
    if (chosen("backend").size + chosen("chapter").size) filters.querySelector("details").open = true;
    if (state.has("verdict") && !state.has("open")) for (const { name } of chapters) open.add(name);
    show();
  }

  function change() {
    show();
    save();
  }

  for (const { name, button } of chapters) {
    button.disabled = false;
    button.addEventListener("click", () => {
      if (!open.delete(name)) open.add(name);
      change();
    });
  }
  for (const box of boxes) {
    box.addEventListener("change", () => {
      if (box.name === "verdict" && chosen("verdict").size === 1 && box.checked) for (const { name } of chapters) open.add(name);
      if (box.name === "verdict" && !chosen("verdict").size) open.clear();
      change();
    });
  }
  unfold.addEventListener("click", () => {
    const every = chapters.every(({ name, head }) => head.hidden || open.has(name));
    for (const { name } of chapters) if (every) open.delete(name); else open.add(name);
    change();
  });
  reset.addEventListener("click", () => {
    for (const box of boxes) box.checked = false;
    open.clear();
    change();
    boxes[0].focus();
  });
  addEventListener("hashchange", restore);

  // A table that fits keeps its heading in sight of the window; one that does not scrolls in a frame of its own.
  const frame = matrix.parentElement;
  new ResizeObserver(() => {
    frame.classList.remove("fits");
    frame.classList.toggle("fits", matrix.scrollWidth <= frame.clientWidth);
  }).observe(frame);

  filters.hidden = false;
  show();
  restore();
}
