"use strict";
// Drawing the shop: the drawing itself, its history, and what is selected. Metres; x to the right, y downwards.
window.Draw = (() => {
  const MOST_STEPS = 200;
  const KINDS = {
    entrances: { one: "Entrance", many: "Entrances" },
    zones: { one: "Zone", many: "Zones" },
    fixtures: { one: "Rack", many: "Racks and fitting rooms" },
    cameras: { one: "Camera", many: "Cameras" },
    readers: { one: "Reader", many: "Readers" },
    antennas: { one: "Antenna", many: "Antennas" },
  };
  const root = document.getElementById("draw");
  const store = `tagsight-draw-${root ? root.dataset.box : ""}`;
  const listeners = [];
  const model = { drawing: null, saved: "", version: "", views: {}, selected: "floor", mistakes: [], unchecked: true, past: [], future: [] };

  const copy = (value) => JSON.parse(JSON.stringify(value));
  const round = (metres) => Math.round(metres * 100) / 100;
  const snap = (metres, free) => (free ? round(metres) : Math.round(metres * 20) / 20);

  // A thing is named by its place: "zones/2", "readers/0/antennas/1", or "floor".
  function thing(place) {
    if (place === "floor") return model.drawing.floor;
    return place.split("/").reduce((found, step) => (found === undefined || found === null ? undefined : found[step]), model.drawing);
  }

  const kindOf = (place) => (place.includes("antennas") ? "antennas" : place.split("/")[0]);
  const listOf = (place) => thing(place.split("/").slice(0, -1).join("/"));

  function places() {
    const found = [];
    for (const section of ["entrances", "zones", "fixtures", "cameras"]) model.drawing[section].forEach((_, at) => found.push(`${section}/${at}`));
    model.drawing.readers.forEach((reader, at) => {
      found.push(`readers/${at}`);
      reader.antennas.forEach((_, port) => found.push(`readers/${at}/antennas/${port}`));
    });
    return found;
  }

  function extent() {
    const floor = model.drawing.floor;
    if (Array.isArray(floor.extent_m) && floor.extent_m.length === 4 && floor.extent_m.every(Number.isFinite) && floor.extent_m[0] < floor.extent_m[2] && floor.extent_m[1] < floor.extent_m[3]) return floor.extent_m;
    return model.shown || [0, 0, 20, 12];
  }

  // The places that can be dragged: how to read and how to move each.
  function handles(place) {
    const it = thing(place);
    if (!it || place === "floor") return [];
    const found = [], spot = (key) => found.push({ key, at: it[key], move: (to) => { it[key] = to; } });
    if (it.line) it.line.forEach((at, end) => found.push({ key: `line[${end}]`, at, move: (to) => { it.line[end] = to; } }));
    if (it.inside) spot("inside");
    if (it.polygon) it.polygon.forEach((at, corner) => found.push({ key: `polygon[${corner}]`, at, corner, move: (to) => { it.polygon[corner] = to; } }));
    if (it.at) spot("at");
    return found.filter((handle) => Array.isArray(handle.at) && handle.at.every(Number.isFinite));
  }

  function moveAll(place, dx, dy) {
    for (const handle of handles(place)) handle.move([round(handle.at[0] + dx), round(handle.at[1] + dy)]);
  }

  const text = () => JSON.stringify(model.drawing);

  // Before a change: what stands goes into the history.
  function remember() {
    if (model.past[model.past.length - 1] === text()) return;
    model.past.push(text());
    if (model.past.length > MOST_STEPS) model.past.shift();
    model.future.length = 0;
  }

  function change(act) {
    const before = text();
    act();
    if (text() === before) return;
    model.past.push(before);
    if (model.past.length > MOST_STEPS) model.past.shift();
    model.future.length = 0;
    tell();
  }

  function step(from, to) {
    if (from.length === 0) return;
    to.push(text());
    model.drawing = JSON.parse(from.pop());
    if (!thing(model.selected)) model.selected = "floor";
    tell();
  }

  function freeName(list, stem) {
    const taken = new Set(list.map((item) => item.name));
    let number = 1;
    while (taken.has(`${stem} ${number}`)) number += 1;
    return `${stem} ${number}`;
  }

  // Who is named elsewhere is named anew there, too.
  function rename(place, name) {
    const kind = kindOf(place), old = thing(place).name;
    thing(place).name = name;
    if (kind === "cameras") for (const gate of model.drawing.entrances) if (gate.cameras) gate.cameras = gate.cameras.map((one) => (one === old ? name : one));
    const key = { zones: "zone", fixtures: "fixture" }[kind];
    if (key) for (const reader of model.drawing.readers) for (const antenna of reader.antennas) if (antenna[key] === old) antenna[key] = name;
  }

  function remove(place) {
    const list = listOf(place);
    if (place === "floor" || !Array.isArray(list)) return;
    change(() => list.splice(Number(place.split("/").pop()), 1));
    select("floor");
  }

  function select(place) {
    model.selected = place;
    tell(false);
  }

  // `drawn` says whether the drawing is another one, or only how it is looked at.
  function tell(drawn = true) {
    if (drawn) { model.unchecked = true; keep(); }
    for (const listener of listeners) listener(drawn);
  }

  const isChanged = () => model.drawing !== null && text() !== model.saved;

  // What is not saved yet survives that the browser is closed.
  function keep() {
    try {
      if (isChanged()) localStorage.setItem(store, JSON.stringify({ version: model.version, drawing: model.drawing }));
      else localStorage.removeItem(store);
    } catch { /* the browser keeps nothing; the page still does */ }
  }

  function kept() {
    try {
      return JSON.parse(localStorage.getItem(store) || "null");
    } catch {
      return null;
    }
  }

  function open(told) {
    model.drawing = told.drawing;
    for (const section of ["entrances", "zones", "fixtures", "cameras", "readers"]) model.drawing[section] = model.drawing[section] || [];
    for (const reader of model.drawing.readers) reader.antennas = reader.antennas || [];
    model.views = told.views;
    model.version = told.version;
    model.saved = text();
    model.past.length = model.future.length = 0;
    if (!thing(model.selected)) model.selected = "floor";
  }

  return {
    KINDS, root, model, thing, kindOf, listOf, places, extent, handles, moveAll, remember, change, freeName, rename, remove, select, tell, open, kept, keep, isChanged, round, snap, copy,
    undo: () => step(model.past, model.future),
    redo: () => step(model.future, model.past),
    onChange: (listener) => listeners.push(listener),
    at: (id) => document.getElementById(id),
  };
})();
