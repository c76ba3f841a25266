"use strict";
// Drawing the shop: the box checks while one draws; the differences are looked at before they are saved.
(() => {
  if (!Draw.root) return;
  const { model, at } = Draw, WAIT_MS = 350, AGAIN_MS = 700, TRIES = 40;
  const dialog = at("differences");
  let timer = 0, turn = 0, reviewed = "";

  async function ask(path, body, type = "application/json") {
    try {
      const answer = await fetch(path, { method: body === undefined ? "GET" : "POST", body, headers: { "X-CSRF-Token": Draw.root.dataset.token, ...(body === undefined ? {} : { "Content-Type": type }) } });
      if (answer.status === 401) { window.location.reload(); return { status: 401, told: { error: "" } }; }
      const kind = answer.headers.get("content-type") || "";
      return { status: answer.status, told: kind.includes("json") ? await answer.json() : { error: await answer.text() } };
    } catch {
      return { status: 0, told: { error: "The box does not answer. What you drew is still on this page." } };
    }
  }

  function say(kind, words, ...more) {
    const place = at("said");
    place.className = kind;
    place.replaceChildren(words, ...more);
    place.hidden = !words;
  }

  const sent = (version) => JSON.stringify({ drawing: model.drawing, version });

  function place(one) {
    if (one.section === "floor") return { place: "floor", key: one.key };
    if (one.index === null) return { place: "", key: one.key };
    const antenna = one.key.match(/^antennas\[(\d+)\]\.?(.*)$/);
    if (antenna && one.section === "readers") return { place: `readers/${one.index}/antennas/${antenna[1]}`, key: antenna[2] };
    return { place: `${one.section}/${one.index}`, key: one.key };
  }

  async function check() {
    const mine = (turn += 1), { status, told } = await ask("/draw/check", sent(model.version));
    if (mine !== turn) return null;
    model.unchecked = false;
    if (status !== 200) { say("fault", told.error); return null; }
    model.mistakes = told.mistakes.map((one) => ({ ...one, ...place(one) }));
    if (told.version !== model.version) changedByOthers();
    Draw.tell(false);
    return told;
  }

  function changedByOthers() {
    const theirs = Draw.make("button", { type: "button", class: "quiet" }, "Drop mine, open theirs");
    theirs.addEventListener("click", () => begin(false));
    say("note", "Somebody else has saved the shop since you opened it. What you drew is kept here; the differences show what it would change of theirs. ", theirs);
  }

  function later() {
    turn += 1; // what is being checked is not what is drawn any more
    window.clearTimeout(timer);
    timer = window.setTimeout(check, WAIT_MS);
  }

  function lineOf(words) {
    const kind = words.startsWith("@@") || words.startsWith("---") || words.startsWith("+++") ? "where" : words.startsWith("+") ? "new" : words.startsWith("-") ? "old" : "";
    return Draw.make("span", { class: kind }, `${words}\n`);
  }

  async function review() {
    window.clearTimeout(timer);
    const told = await check();
    if (!told) return;
    reviewed = told.version;
    at("diff").replaceChildren(...told.diff.map(lineOf));
    at("nothing").hidden = told.diff.length > 0;
    at("save").disabled = !told.is_sound || told.diff.length === 0;
    at("unsound").hidden = told.is_sound;
    dialog.showModal();
  }

  async function save() {
    at("save").disabled = true;
    const { status, told } = await ask("/draw/save", sent(reviewed));
    dialog.close();
    if (status === 409) { say("fault", `${told.error} `, again()); return; }
    if (status !== 200) { say("fault", `${told.error} `, takeAway()); return; }
    await begin(false);
    say("done", "Saved. The daemon takes it up.");
    await inForce(told.version);
  }

  function again() {
    const button = Draw.make("button", { type: "button", class: "quiet" }, "Look at the differences to theirs");
    button.addEventListener("click", review);
    return button;
  }

  function takeAway() {
    const button = Draw.make("button", { type: "button", class: "quiet" }, "Take store.yaml away as a file");
    button.addEventListener("click", download);
    return button;
  }

  async function download() {
    const answer = await fetch("/draw/text", { method: "POST", body: sent(model.version), headers: { "X-CSRF-Token": Draw.root.dataset.token, "Content-Type": "application/json" } });
    if (!answer.ok) { say("fault", (await answer.json()).error); return; }
    const link = Draw.make("a", { href: URL.createObjectURL(await answer.blob()), download: "store.yaml" });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  async function inForce(version) {
    for (let tries = 0; ; tries += 1) {
      const { status, told } = await ask("/draw/state.json");
      if (status === 200 && told.version !== version) return;
      if (status === 200 && told.in_force) { say("done", "Saved, and in force."); await freshViews(); return; }
      if (status === 200 && told.fault) { say("fault", `Saved, and not in force: ${told.fault}`); return; }
      if (tries === TRIES) say("note", "Saved. The daemon has not said yet that it is in force; see Health.");
      await new Promise((done) => window.setTimeout(done, AGAIN_MS));
    }
  }

  async function freshViews() {
    const { status, told } = await ask("/draw/shop.json");
    if (status !== 200) return;
    model.views = told.views;
    model.shown = told.extent_m;
    Draw.tell(false);
  }

  async function begin(withKept = true) {
    const { status, told } = await ask("/draw/shop.json");
    if (status !== 200) { say("fault", told.error); return; }
    const kept = withKept ? Draw.kept() : null;
    model.shown = told.extent_m;
    Draw.open(told);
    if (kept && JSON.stringify(kept.drawing) !== JSON.stringify(told.drawing)) {
      model.past.push(JSON.stringify(told.drawing));
      model.drawing = kept.drawing;
      const drop = Draw.make("button", { type: "button", class: "quiet" }, "Drop it");
      drop.addEventListener("click", () => begin(false));
      say("note", "What you drew before and did not save is here again. ", drop);
    } else if (!withKept) say("", "");
    Draw.keep();
    Draw.tell();
  }

  at("plan-file").addEventListener("change", async () => {
    const file = at("plan-file").files[0];
    if (!file) return;
    const { status, told } = await ask("/draw/plan", file, file.name.toLowerCase().endsWith(".dxf") ? "image/vnd.dxf" : "application/octet-stream");
    at("plan-file").value = "";
    if (status !== 200) { say("fault", told.error); return; }
    const [x0, y0, x1] = Draw.extent(), wide = told.metres ? told.metres[0] : Draw.round(x1 - x0);
    const high = told.metres ? told.metres[1] : Draw.round((wide * told.height) / told.width);
    Draw.change(() => Object.assign(model.drawing.floor, { image: told.file, scale_px_per_m: null, extent_m: [x0, y0, Draw.round(x0 + wide), Draw.round(y0 + high)] }));
    say("note", told.metres ? "The drawing's own size was taken over." : `The picture fills the floor, ${wide} m wide. Set its right width beside the plan.`);
  });
  at("plan-none").addEventListener("click", () => Draw.change(() => Object.assign(model.drawing.floor, { image: null, scale_px_per_m: null, extent_m: Draw.extent() })));
  at("plan-wide").addEventListener("change", () => {
    const wide = Number(at("plan-wide").value.replace(",", ".")), [x0, y0, x1, y1] = Draw.extent();
    at("plan-wide").value = "";
    if (wide > 0) Draw.change(() => { model.drawing.floor.extent_m = [x0, y0, Draw.round(x0 + wide), Draw.round(y0 + (wide * (y1 - y0)) / (x1 - x0))]; model.drawing.floor.scale_px_per_m = null; });
  });

  at("review").addEventListener("click", review);
  at("save").addEventListener("click", save);
  at("take-away").addEventListener("click", download);
  at("close").addEventListener("click", () => dialog.close());
  Draw.onChange((drawn) => { if (drawn) later(); });
  begin();
})();
