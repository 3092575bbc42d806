// The answers page: a table of one dataset's records, filtered by what one or two models answered.
// All text goes into the page as text, never as markup.
(async () => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const at = (id) => document.getElementById(id);
  const url = URL.createObjectURL(new Blob([read("bundle")], { type: "text/javascript" }));
  const { default: DataTable } = await import(url);
  URL.revokeObjectURL(url);
  const { datasets, states } = read("data");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark", dark.matches);
  dark.addEventListener("change", follow);
  follow();

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const options = (select, names, first = []) =>
    select.replaceChildren(...first, ...names.map((name) => new Option(name, name)));
  const count = (number) => number.toLocaleString("en");

  datasets.forEach((dataset, i) => at("dataset").append(new Option(dataset.name, i)));
  Object.entries(states).forEach(([letter, name]) => at("state").append(new Option(name, letter)));
  const dataset = () => datasets[at("dataset").value];
  const metric = () => dataset().metrics.indexOf(at("metric").value);

  // --- what the table shows of a record

  const state = (record, model) => record.models[model]?.states[metric()];
  const answer = (record, model) => record.models[model]?.answers[metric()];
  const said = (record, model) => {
    const found = record.models[model];
    if (!found) return "";
    return found.error ?? answer(record, model) ?? found.replies.find((reply) => reply)?.text ?? "";
  };
  const asked = (record) => record.prompt.map(([, content]) => content).join("\n");
  const everything = (record) =>
    [record.id, record.gold ?? "", asked(record)]
      .concat(...[at("model").value, at("other").value].map((model) => {
        const found = record.models[model];
        if (!found) return [];
        const replies = found.replies.filter((reply) => reply);
        return [found.error ?? ""].concat(...replies.map((r) => [r.reasoning ?? "", r.text]));
      }))
      .join("\n");

  const text = DataTable.render.text();
  const cell = (value, width = 160) => (record, kind) => {
    const whole = value(record) ?? "";
    if (kind !== "display") return whole;
    const short = whole.length > width ? `${whole.slice(0, width)} …` : whole;
    return text.display(short);
  };
  const mark = (role) => (record, kind) => {
    const letter = state(record, at(role).value);
    if (kind !== "display" || !letter) return states[letter] ?? "";
    return `<span class="state ${states[letter].split(" ")[0]}">${states[letter]}</span>`;
  };
  const opener = '<button type="button" class="open" aria-expanded="false">open</button>';
  const column = (title, render, more = {}) => ({ title, data: null, render, ...more });
  const columns = [
    column("", () => opener, { orderable: false, searchable: false, className: "opener" }),
    column("record", cell((record) => record.id, 40), { searchable: false }),
    column("prompt", cell(asked), { searchable: false, className: "prompt" }),
    column("gold", cell((record) => record.brief ?? record.gold, 80), { searchable: false }),
    column("answer", cell((record) => said(record, at("model").value), 80), { searchable: false }),
    column("is", mark("model"), { searchable: false }),
    column("other answers", cell((record) => said(record, at("other").value), 80), { searchable: false }),
    column("is", mark("other"), { searchable: false }),
    column("everything", (record, kind) => (kind === "filter" ? everything(record) : ""), {
      visible: false, orderable: false,
    }),
  ];
  const table = new DataTable("#answers", {
    columns,
    data: [],
    deferRender: true,
    autoWidth: false,
    order: [],
    pageLength: 25,
    layout: { topStart: "pageLength", topEnd: "search", bottomStart: "info", bottomEnd: "paging" },
  });

  // --- filters

  const differs = {
    answers: (record, one, other) => answer(record, one) !== answer(record, other),
    gain: (record, one, other) => state(record, one) === "r" && state(record, other) !== "r",
    loss: (record, one, other) => state(record, one) !== "r" && state(record, other) === "r",
  };
  table.search.fixed("chosen", (_, record) => {
    const [one, other] = [at("model").value, at("other").value];
    if (at("state").value && state(record, one) !== at("state").value) return false;
    const differ = other && differs[at("differ").value];
    return !differ || differ(record, one, other);
  });
  const tell = () => {
    const { records, every } = dataset();
    const seen = table.rows({ search: "applied" }).data().toArray();
    const right = seen.filter((record) => state(record, at("model").value) === "r").length;
    const part = every > 1 ? ` Only every ${every}th record is on this page, for its size.` : "";
    at("said").textContent = `${count(seen.length)} of ${count(records.length)} records; ` +
      `${at("model").value} is right in ${count(right)} of those shown.${part}`;
  };
  const show = () => {
    const other = at("other").value;
    at("differ").disabled = !other;
    [6, 7].forEach((place) => table.column(place).visible(Boolean(other), false));
    const head = (place, name) => table.column(place).title(name);
    head(4, at("model").value);
    head(6, other || "other");
    const model = at("model").value;
    table.clear().rows.add(dataset().records.filter((record) => record.models[model])).draw();
  };
  const choose = () => {
    const models = [...new Set(dataset().records.flatMap((record) => Object.keys(record.models)))];
    const [one, other, reading] = ["model", "other", "metric"].map((id) => at(id).value);
    options(at("model"), models);
    options(at("other"), models, [new Option("no other model", "")]);
    options(at("metric"), dataset().metrics);
    at("model").value = models.includes(one) ? one : models.at(-1);
    at("other").value = models.includes(other) ? other : "";
    at("metric").value = dataset().metrics.includes(reading) ? reading : dataset().metrics[0];
    show();
  };
  table.on("draw", tell);
  at("dataset").addEventListener("change", choose);
  ["model", "other", "metric"].forEach((id) => at(id).addEventListener("change", show));
  ["state", "differ"].forEach((id) => at(id).addEventListener("change", () => table.draw()));

  // --- one record, opened

  const block = (title, body) => {
    const made = element("section");
    made.append(element("h3", title), element("pre", body));
    return made;
  };
  const replyOf = (reply, number, many) => {
    const made = element("li");
    if (!reply) {
      made.append(element("p", "failed"));
      return made;
    }
    if (reply.reasoning) made.append(element("pre", reply.reasoning, "reasoning"));
    made.append(element("pre", reply.text));
    const reading = reply.read[metric()] ?? "nothing";
    made.append(element("p", `${many ? `vote ${number + 1}, ` : ""}read as: ${reading}`));
    return made;
  };
  const modelOf = (record, model) => {
    const found = record.models[model];
    const made = element("section", undefined, "model");
    const is = states[state(record, model)];
    made.append(element("h3", `${model}: ${answer(record, model) ?? "no answer"} (${is})`));
    if (found.error) made.append(element("p", found.error));
    const list = element("ol");
    list.append(...found.replies.map((r, i) => replyOf(r, i, found.replies.length > 1)));
    made.append(list);
    return made;
  };
  const details = (record) => {
    const made = element("div", undefined, "details");
    made.append(...record.prompt.map(([role, content]) => block(`prompt, ${role}`, content)));
    made.append(block("gold answer", record.gold ?? "none"));
    const others = Object.keys(record.models).filter((name) => name !== at("model").value);
    const models = element("div", undefined, "models");
    models.append(...[at("model").value, ...others].map((name) => modelOf(record, name)));
    made.append(models);
    return made;
  };
  table.on("click", "tbody tr", (event) => {
    const row = table.row(event.target.closest("tr"));
    if (event.target.closest(".details") || !row.data() || String(getSelection())) return;
    const opened = !row.child.isShown();
    if (opened) row.child(details(row.data()), "opened").show();
    else row.child.hide();
    row.node().querySelector("button.open").setAttribute("aria-expanded", opened);
  });

  choose();
  document.documentElement.dataset.ready = "yes";
})();
