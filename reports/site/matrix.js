// The matrix: its dtype, its cell, its filters, its search, two backends side by side, and folding. The address keeps it all.
const matrix = document.querySelector("table.matrix:not(.timeline)");
if (matrix) showMatrix(matrix);

function showMatrix(matrix) {
  const filters = document.querySelector(".filters");
  const inputs = [...filters.querySelectorAll("input")];
  const boxes = inputs.filter((input) => input.type === "checkbox");
  const dtypes = inputs.filter((input) => input.name === "dtype");
  const kinds = inputs.filter((input) => input.name === "cell");
  const search = filters.querySelector("input[type=search]");
  const pair = [...filters.querySelectorAll("select")];
  const unfold = filters.querySelector("button.unfold");
  const reset = filters.querySelector("button.reset");
  const first = document.querySelector("[data-view]").dataset.view;
  const firstKind = document.querySelector("[data-total]")?.dataset.total ?? "all";
  const open = new Set();

  const plain = (text) => text.toLowerCase().replace(/\s+/g, " ");
  const heads = [...matrix.tHead.querySelectorAll("[data-backend]")];
  const names = heads.map((head) => head.dataset.backend);
  const kindOf = Object.fromEntries(heads.map(({ dataset }) => [dataset.backend, dataset.cell]));
  const columns = [...matrix.querySelectorAll("[data-backend]")];
  const cellsOf = (row) => [...row.cells].slice(1).map((td) => ({ td, backend: td.dataset.backend, links: [...td.children] }));
  const chapters = [...matrix.querySelectorAll("tbody.chapter")].map((head) => {
    const title = plain(head.querySelector(".sought").textContent);
    const rows = [...head.nextElementSibling.rows].map((row) => {
      const checks = [...row.querySelectorAll(".checks-of li")].map((item) => ({ item, text: plain(item.textContent) }));
      const text = plain(`${title} ${row.querySelector(".clause-number").textContent} ${row.querySelector(".clause-text").textContent}`);
      const cells = cellsOf(row).filter(({ td }) => td.dataset.ofAnotherCell === undefined);
      return { row, text, checks, list: row.querySelector(".checks-of"), cells };
    });
    const button = head.querySelector("button.fold");
    return { name: head.dataset.chapter, head, body: head.nextElementSibling, button, rows, cells: cellsOf(head.rows[0]) };
  });
  const total = chapters.reduce((sum, chapter) => sum + chapter.rows.length, 0);

  const chosen = (name) => new Set(boxes.filter((box) => box.name === name && box.checked).map((box) => box.value));
  const dtype = () => dtypes.find((input) => input.checked)?.value ?? first;
  const kind = () => kinds.find((input) => input.checked)?.value ?? firstKind;
  const isAbout = (cell) => kinds.length === 0 || kind() === "all" || cell === kind();
  const inView = (cell) => cell.links.find((link) => !link.hidden);

  // A word that is a backend, or a part of its name, is about the columns; every other one has to stand in the row.
  function sought() {
    const words = plain(search.value).split(" ").filter(Boolean);
    const isBackend = (word) => names.some((name) => plain(name) === word || plain(name).split(/[-:. ]/).includes(word));
    return { rows: words.filter((word) => !isBackend(word)), backends: words.filter(isBackend) };
  }

  function matches(row, words) {
    const found = words.length ? row.checks.filter(({ text }) => words.some((word) => text.includes(word) && !row.text.includes(word))) : [];
    for (const { item } of row.checks) item.hidden = !found.some((check) => check.item === item);
    row.list.hidden = !found.length;
    return words.every((word) => row.text.includes(word) || found.some(({ text }) => text.includes(word)));
  }

  function show() {
    const view = dtype();
    for (const element of document.querySelectorAll("[data-view], [data-kind], [data-total]")) {
      const { view: ofView, kind: ofKind, total } = element.dataset;
      element.hidden = (ofView ?? view) !== view || (total ?? kind()) !== kind() || (ofKind !== undefined && !isAbout(ofKind));
    }
    const [backends, chapter, verdicts] = ["backend", "chapter", "verdict"].map(chosen);
    const differing = chosen("differ").size > 0;
    const words = sought();
    const wanted = names.filter((name) =>
      (!backends.size || backends.has(name)) &&
      (!words.backends.length || words.backends.some((word) => plain(name) === word || plain(name).split(/[-:. ]/).includes(word))));
    // Backends that were asked for by name are shown, whatever the cell, unless there are some with that cell.
    const ofKind = wanted.filter((name) => isAbout(kindOf[name]));
    const shown = new Set(ofKind.length || !(backends.size + words.backends.length) ? ofKind : wanted);
    for (const element of columns) element.hidden = !shown.has(element.dataset.backend);
    let clauses = 0;
    for (const { name, head, body, button, rows, cells } of chapters) {
      const fitting = new Set();
      let left = 0;
      for (const row of rows) {
        const said = row.cells.map((cell) => ({ ...cell, verdict: inView(cell)?.dataset.verdict }));
        const fit = said.filter(({ backend, verdict }) => verdict && shown.has(backend) && (!verdicts.size || verdicts.has(verdict)));
        for (const { td, verdict } of said) td.classList.toggle("faded", verdicts.size > 0 && !verdicts.has(verdict));
        const differs = new Set(said.filter(({ backend }) => shown.has(backend)).map(({ verdict }) => verdict)).size > 1;
        const fits = matches(row, words.rows) && (!chapter.size || chapter.has(name)) && (!differing || differs);
        row.row.hidden = !fits || !fit.length;
        if (row.row.hidden) continue;
        left += 1;
        for (const { backend } of fit) fitting.add(backend);
      }
      clauses += left;
      head.hidden = body.hidden = !left;
      for (const { td, backend } of cells) td.classList.toggle("faded", !fitting.has(backend));
      body.classList.toggle("folded", !open.has(name));
      button.setAttribute("aria-expanded", open.has(name));
    }
    const narrowed = chapter.size + verdicts.size + words.rows.length > 0 || differing;
    const others = matrix.querySelector("tbody.others");
    if (others) others.hidden = narrowed;
    for (const box of boxes) {
      if (box.name === "verdict") box.parentElement.hidden = !box.checked && !box.parentElement.querySelector(".how-many:not([hidden])");
    }
    const filtered = narrowed || backends.size + words.backends.length > 0;
    const on = shown.size === 2 && differing ? [...shown].join(" and ") : `${shown.size} backend${shown.size === 1 ? "" : "s"}`;
    filters.querySelector("output").textContent = differing
      ? `${clauses} of ${total} clauses differ between ${on}`
      : filtered ? `${clauses} of ${total} clauses, on ${on}` : `${clauses === total ? total : `${clauses} of ${total}`} clauses`;
    unfold.textContent = chapters.every(({ name, head }) => head.hidden || open.has(name)) ? "Fold all" : "Unfold all";
    reset.hidden = !filtered;
    matrix.hidden = clauses === 0 || shown.size === 0;
    document.querySelector(".nothing").hidden = !matrix.hidden;
    const two = backends.size === 2 ? [...backends] : ["", ""];
    if (backends.size) pair.forEach((select, i) => (select.value = two[i]));
  }

  // The state is the fragment of the address, so that what is seen can be linked: #dtype=float64&verdict=fails&open=3
  function save() {
    const state = new URLSearchParams(boxes.filter((box) => box.checked).map((box) => [box.name, box.value]));
    if (dtype() !== first) state.append("dtype", dtype());
    if (kind() !== firstKind) state.append("cell", kind());
    if (search.value.trim()) state.append("search", search.value.trim());
    for (const { name } of chapters) if (open.has(name)) state.append("open", name);
    history.replaceState(null, "", `#${state}`);
  }

  function restore() {
    const text = location.hash.slice(1);
    if (text !== "" && !text.includes("=")) return; // the anchor of a heading
    const state = new URLSearchParams(text);
    for (const box of boxes) box.checked = state.getAll(box.name).includes(box.value);
    const wanted = dtypes.find((input) => input.value === (state.get("dtype") ?? first));
    if (wanted) wanted.checked = true;
    const about = kinds.find((input) => input.value === (state.get("cell") ?? firstKind));
    if (about) about.checked = true;
    search.value = state.get("search") ?? "";
    open.clear();
    for (const name of state.getAll("open")) open.add(name);
    if (chosen("chapter").size + (chosen("differ").size ? 0 : chosen("backend").size)) filters.querySelector("details").open = true;
    if (["verdict", "search", "differ"].some((name) => state.has(name)) && !state.has("open")) openAll();
    show();
  }

  function openAll() {
    for (const { name } of chapters) open.add(name);
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
      if (box.name === "verdict" && chosen("verdict").size === 1 && box.checked) openAll();
      if (box.name === "differ" && box.checked) openAll();
      if (["verdict", "differ"].includes(box.name) && !chosen("verdict").size && !chosen("differ").size) open.clear();
      change();
    });
  }
  for (const input of dtypes) input.addEventListener("change", change);
  for (const input of kinds) {
    input.addEventListener("change", () => {
      const others = boxes.filter((box) => box.name === "backend" && box.checked && !isAbout(kindOf[box.value]));
      for (const box of boxes) if (others.includes(box) || (others.length && box.name === "differ")) box.checked = false;
      for (const select of pair) if (others.length) select.value = "";
      change();
    });
  }
  for (const select of pair) {
    select.addEventListener("change", () => {
      const two = new Set(pair.map(({ value }) => value).filter(Boolean));
      if (two.size < 2) return;
      if (![...two].every((name) => isAbout(kindOf[name]))) kinds.find((input) => input.value === "all").checked = true;
      for (const box of boxes) {
        if (box.name === "backend") box.checked = two.has(box.value);
        if (box.name === "differ") box.checked = true;
      }
      openAll();
      change();
    });
  }
  let before = "";
  search.addEventListener("input", () => {
    const now = search.value.trim();
    if (now && !before) openAll();
    if (!now && before) open.clear();
    before = now;
    change();
  });
  unfold.addEventListener("click", () => {
    const every = chapters.every(({ name, head }) => head.hidden || open.has(name));
    for (const { name } of chapters) if (every) open.delete(name); else open.add(name);
    change();
  });
  reset.addEventListener("click", () => {
    for (const box of boxes) box.checked = false;
    for (const select of pair) select.value = "";
    search.value = before = "";
    open.clear();
    change();
    search.focus();
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
