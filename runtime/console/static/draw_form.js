"use strict";
// Drawing the shop: the list of all things, and the keys of the one that is selected, each with what is wrong with it.
(() => {
  if (!Draw.root) return;
  const { model, at } = Draw;
  const number = (words) => (words.trim() === "" ? null : Number(words.replace(",", ".")));
  const spot = (words) => { const found = words.split(/[\s;]+|,(?=\s)/).filter(Boolean).map(number); return found.length === 0 ? null : found; };
  const show = (value) => (value === undefined || value === null ? "" : String(value));
  const pair = (value) => (Array.isArray(value) ? value.join(", ") : "");
  const names = (section) => model.drawing[section].map((one) => one.name);

  // Each key: its words, how it is typed, and how it is read.
  const text = (key, words, more = {}) => ({ key, words, read: (typed) => typed, show, ...more });
  const amount = (key, words, more = {}) => ({ key, words, read: number, show, decimal: true, ...more });
  const point = (key, words) => ({ key, words, read: spot, show: pair, hint: "x, y in metres" });
  const among = (key, words, options) => ({ key, words, options, read: (typed) => typed || null, show });
  const corners = { key: "polygon", words: "Corners", lines: true, show: (value) => (value || []).map(pair).join("\n"), read: (typed) => typed.split("\n").filter((line) => line.trim()).map(spot), hint: "x, y in metres, one corner a line" };
  const FIELDS = {
    floor: () => [
      { key: "extent_m", words: "Edges", show: pair, read: spot, hint: "left, top, right, bottom in metres" },
      amount("grid_m", "Side of a heatmap cell, m", { otherwise: "1" }),
    ],
    entrances: () => [
      text("name", "Name"),
      { key: "line", words: "Line", lines: true, show: (value) => (value || []).map(pair).join("\n"), read: corners.read, hint: "x, y in metres, one end a line" },
      point("inside", "A place on the shop's side"),
      { key: "cameras", words: "Cameras that count here", many: () => names("cameras"), hint: "none chosen: every camera that sees it" },
    ],
    zones: () => [text("name", "Name"), among("kind", "Kind", [["", "area"], ["fitting_room", "fitting room"]]), corners],
    fixtures: (it) => [text("name", "Name"), among("kind", "Kind", [["", "rack"], ["fitting_room", "fitting room"]]), it.at ? point("at", "Place") : corners],
    cameras: () => [
      text("name", "Name"),
      text("uri", "Address", { hint: "rtsp://192.0.2.10:554/stream1, a file, v4l2:/dev/video0 or csi:0", wide: true }),
      point("at", "Where it hangs"),
      amount("analysis_fps", "Pictures looked at a second", { otherwise: "10" }),
      { key: "entrance", words: "Watches an entrance", tick: true },
    ],
    readers: () => [
      text("name", "Name"),
      text("host", "Address", { hint: "name or number in the network" }),
      amount("port", "Port", { otherwise: "5084" }),
      amount("population", "Tags expected at once", { otherwise: "32" }),
    ],
    antennas: () => [
      text("name", "Name"),
      amount("port", "Port of the reader"),
      point("at", "Where it hangs"),
      among("fixture", "Rack it covers", [["", "none"], ...names("fixtures").map((name) => [name, name])]),
      among("zone", "Zone it covers", [["", "none"], ...names("zones").map((name) => [name, name])]),
      amount("power_dbm", "Power, dBm", { otherwise: "the reader's own" }),
    ],
  };

  function make(name, attributes = {}, ...inside) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "class") made.className = value;
      else if (value !== false) made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...inside);
    return made;
  }

  const about = (place, key) => model.mistakes.filter((one) => one.place === place && (key === undefined ? true : one.key === key || one.key.startsWith(`${key}[`)));

  function put(place, field, value) {
    const it = Draw.thing(place);
    if (field.key === "name") { Draw.change(() => { Draw.rename(place, value); }); return; }
    Draw.change(() => {
      if (value === null || value === "" || (Array.isArray(value) && value.length === 0)) {
        // What stands in the file is taken out by null; what never stood there is not mentioned.
        if (it.was !== undefined || place === "floor") it[field.key] = null;
        else delete it[field.key];
        if (["uri", "host"].includes(field.key)) it[field.key] = "";
      } else it[field.key] = value;
    });
  }

  function control(place, field, id) {
    const it = Draw.thing(place), value = it[field.key], described = `${id}-words`;
    if (field.tick) {
      const box = make("input", { type: "checkbox", id, "aria-describedby": described });
      box.checked = Boolean(value);
      box.addEventListener("change", () => put(place, field, box.checked || null));
      return box;
    }
    if (field.options) {
      const choice = make("select", { id, "aria-describedby": described }, ...field.options.map(([key, words]) => make("option", { value: key }, words)));
      choice.value = field.options.some(([key]) => key === show(value)) ? show(value) : "";
      choice.addEventListener("change", () => put(place, field, field.read(choice.value)));
      return choice;
    }
    const input = field.lines ? make("textarea", { id, rows: Math.min(8, Math.max(2, (value || []).length)), "aria-describedby": described }) : make("input", { id, "aria-describedby": described, placeholder: field.otherwise || false, inputmode: field.decimal ? "decimal" : false, spellcheck: "false", autocomplete: "off" });
    input.value = field.show(value);
    input.addEventListener("change", () => put(place, field, field.read(input.value)));
    return input;
  }

  function several(place, field, id) {
    const it = Draw.thing(place), chosen = new Set(it[field.key] || []), group = make("fieldset", {}, make("legend", {}, field.words));
    for (const name of field.many()) {
      const box = make("input", { type: "checkbox" });
      box.checked = chosen.has(name);
      box.addEventListener("change", () => {
        if (box.checked) chosen.add(name);
        else chosen.delete(name);
        put(place, field, field.many().filter((one) => chosen.has(one)));
      });
      group.append(make("label", { class: "choice" }, box, name));
    }
    group.append(make("p", { class: "hint", id: `${id}-words` }, field.hint));
    return group;
  }

  function fields() {
    const place = model.selected, it = Draw.thing(place), form = at("keys"), kind = Draw.kindOf(place);
    const focused = document.activeElement && form.contains(document.activeElement) ? document.activeElement.id : "";
    at("chosen").textContent = place === "floor" ? "Floor" : it.name || Draw.KINDS[kind].one;
    at("chosen-kind").textContent = place === "floor" ? "the whole plan" : Draw.KINDS[kind].one.toLowerCase();
    form.replaceChildren();
    for (const field of FIELDS[place === "floor" ? "floor" : kind](it)) {
      const id = `key-${field.key}`, row = make("div", { class: "key" });
      if (field.many) row.append(several(place, field, id));
      else if (field.tick) row.append(make("label", { class: "choice", for: id }, control(place, field, id), field.words));
      else row.append(make("label", { for: id }, field.words, control(place, field, id)));
      const words = make("p", { class: "hint", id: `${id}-words` }, field.many ? "" : field.hint || "");
      if (!field.many) row.append(words);
      for (const one of about(place, field.key)) row.append(make("p", { class: `said ${one.weight}` }, one.words));
      form.append(row);
    }
    const shown = FIELDS[place === "floor" ? "floor" : kind](it).map((field) => field.key);
    for (const one of about(place)) if (!shown.some((key) => one.key === key || one.key.startsWith(`${key}[`))) form.append(make("p", { class: `said ${one.weight}` }, `${one.key ? `${one.key}: ` : ""}${one.words}`));
    at("picture-of-plan").hidden = place !== "floor";
    at("remove").hidden = place === "floor";
    at("place-it").hidden = !(["cameras", "antennas"].includes(kind) && !it.at);
    at("calibrate-it").hidden = !(kind === "cameras" && it.was);
    if (kind === "cameras") at("calibrate-it").href = `/calibrate?camera=${encodeURIComponent(it.was || "")}`;
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
  }

  function entry(place) {
    const it = place === "floor" ? { name: "Floor" } : Draw.thing(place), found = about(place);
    const worst = found.some((one) => one.weight === "refused") ? "wrong" : found.length ? "remarked" : "";
    const button = make("button", { type: "button", class: `entry ${worst}`, "aria-pressed": String(place === model.selected), "data-choose": place }, it.name || "without a name");
    if (found.length) button.append(make("span", { class: "unseen" }, worst === "wrong" ? ": has a mistake" : ": has a remark"));
    button.addEventListener("click", () => Draw.select(place));
    return make("li", { class: place.includes("antennas") ? "below" : "" }, button);
  }

  function list() {
    const focused = document.activeElement && document.activeElement.dataset.choose;
    const place = at("list");
    place.replaceChildren(make("ul", {}, entry("floor")));
    for (const section of ["entrances", "zones", "fixtures", "cameras", "readers"]) {
      const found = Draw.places().filter((one) => one.startsWith(`${section}/`));
      if (found.length) place.append(make("h3", {}, section === "readers" ? "Readers and antennas" : Draw.KINDS[section].many), make("ul", {}, ...found.map(entry)));
    }
    const again = focused && [...place.querySelectorAll("[data-choose]")].find((one) => one.dataset.choose === focused);
    if (again) again.focus();
  }

  function verdict() {
    const stopping = model.mistakes.filter((one) => one.stops), words = at("verdict");
    words.className = stopping.length ? "fault" : model.mistakes.length ? "note" : "done";
    const count = (list, one, many) => `${list.length} ${list.length === 1 ? one : many}`;
    words.textContent = model.unchecked ? "Being checked." : stopping.length ? `${count(stopping, "mistake", "mistakes")}: it cannot be saved yet.` : model.mistakes.length ? `${count(model.mistakes, "remark", "remarks")}; it can be saved.` : "No mistakes: it can be saved.";
    const said = at("mistakes");
    said.replaceChildren(...model.mistakes.map((one) => {
      const it = one.place && Draw.thing(one.place), name = one.place === "floor" ? "Floor" : it ? it.name : one.section;
      const button = make("button", { type: "button", class: "quiet" }, name || "store.yaml");
      button.addEventListener("click", () => Draw.select(it ? one.place : "floor"));
      return make("li", { class: `said ${one.weight}`, "data-mistake": `${one.place} ${one.key}` }, button, ` ${one.words}`);
    }));
  }

  function draw() {
    if (!model.drawing) return;
    fields();
    list();
    verdict();
    at("undo").disabled = model.past.length === 0;
    at("redo").disabled = model.future.length === 0;
    at("review").disabled = !Draw.isChanged();
    at("unsaved").textContent = Draw.isChanged() ? "not saved yet" : "as saved";
  }

  at("undo").addEventListener("click", Draw.undo);
  at("redo").addEventListener("click", Draw.redo);
  at("remove").addEventListener("click", () => Draw.remove(model.selected));
  at("add-reader").addEventListener("click", () => {
    Draw.change(() => model.drawing.readers.push({ name: Draw.freeName(model.drawing.readers, "reader"), host: "", antennas: [] }));
    Draw.select(`readers/${model.drawing.readers.length - 1}`);
  });
  at("place-it").addEventListener("click", () => {
    const [x0, y0, x1, y1] = Draw.extent();
    Draw.change(() => { Draw.thing(model.selected).at = [Draw.snap((x0 + x1) / 2), Draw.snap((y0 + y1) / 2)]; });
    at("plan").focus();
  });
  at("keys").addEventListener("submit", (event) => event.preventDefault());
  Draw.make = make;
  Draw.onChange(draw);
})();
