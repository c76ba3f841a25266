"use strict";
// Drawing the shop: the plan, on which things are made by dragging and moved by their handles or by arrow keys.
(() => {
  if (!Draw.root) return;
  const SVG = "http://www.w3.org/2000/svg", CM = 100, EDGE_M = 1;
  const { model, at } = Draw, plan = at("plan"), layer = at("things"), handles = at("handles");
  const WORDS = {
    select: "Choose a thing on the plan or in the list. Drag it, or move it with the arrow keys (Shift: 1 m).",
    entrances: "Drag across the doorway, from one post to the other.",
    zones: "Drag from one corner of the zone to the opposite one.",
    rooms: "Drag over the fitting rooms. Tags that are read there are tried on.",
    fixtures: "Drag over the rack.",
    antennas: "Click where the antenna hangs.",
    cameras: "Click where the camera hangs.",
  };
  let tool = "select", drag = null;

  function element(name, attributes, parent, words) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (words !== undefined) made.textContent = words;
    parent.append(made);
    return made;
  }

  const points = (list) => list.map(([x, y]) => `${x * CM},${y * CM}`).join(" ");
  const size = () => { const [x0, y0, x1, y1] = Draw.extent(); return Math.max(x1 - x0, y1 - y0) * CM; };
  const middle = (list) => [list.reduce((sum, one) => sum + one[0], 0) / list.length, list.reduce((sum, one) => sum + one[1], 0) / list.length];

  function drawFloor() {
    const [x0, y0, x1, y1] = Draw.extent(), box = { x: x0 * CM, y: y0 * CM, width: (x1 - x0) * CM, height: (y1 - y0) * CM };
    const edge = Math.max(EDGE_M * CM, size() / 24) / 2;
    plan.setAttribute("viewBox", `${box.x - edge} ${box.y - edge} ${box.width + 2 * edge} ${box.height + 2 * edge}`);
    const floor = at("floor");
    floor.replaceChildren();
    element("rect", { class: "floor", ...box }, floor);
    const image = model.drawing.floor.image;
    if (image) element("image", { class: "drawing", href: image.startsWith("plan-") ? `/draw/picture/${encodeURIComponent(image)}` : "/floor-drawing", ...box, preserveAspectRatio: "none" }, floor);
    const step = size() / CM > 60 ? 5 : 1;
    for (let x = Math.ceil(x0 / step) * step; x <= x1; x += step) element("line", { class: x % 5 ? "mesh" : "mesh bold", x1: x * CM, x2: x * CM, y1: box.y, y2: y1 * CM }, floor);
    for (let y = Math.ceil(y0 / step) * step; y <= y1; y += step) element("line", { class: y % 5 ? "mesh" : "mesh bold", y1: y * CM, y2: y * CM, x1: box.x, x2: x1 * CM }, floor);
  }

  function label(group, [x, y], words, kind = "") {
    const text = size() / (window.innerWidth < 640 ? 28 : 46);
    element("text", { class: `halo ${kind}`, x: x * CM, y: y * CM, "font-size": text, "stroke-width": text / 4, "text-anchor": "middle" }, group, words);
  }

  function inward(it) {
    const [[ax, ay], [bx, by]] = it.line, [mx, my] = middle(it.line), length = Math.hypot(bx - ax, by - ay) || 1;
    let [nx, ny] = [-(by - ay) / length, (bx - ax) / length];
    if ((it.inside[0] - ax) * nx + (it.inside[1] - ay) * ny < 0) [nx, ny] = [-nx, -ny];
    const arm = size() / CM / 45;
    return [[mx - ny * arm * 0.6, my + nx * arm * 0.6], [mx + nx * arm * 1.3, my + ny * arm * 1.3], [mx + ny * arm * 0.6, my - nx * arm * 0.6]];
  }

  function drawThing(place) {
    const zoned = new Set(model.drawing.zones.map((one) => one.name)), it = Draw.thing(place), kind = Draw.kindOf(place), mark = size() / 90;
    const level = model.mistakes.filter((one) => one.place === place).map((one) => one.weight);
    const wrong = level.includes("refused") ? "wrong" : level.length ? "remarked" : "";
    const group = element("g", { class: `thing ${kind} ${wrong} ${place === model.selected ? "selected" : ""}`, "data-place": place }, layer);
    if (kind === "cameras" && model.views[it.was] && place === model.selected) element("polygon", { class: "seen", points: points(model.views[it.was].seen) }, group);
    if (it.polygon && it.polygon.length) {
      element("polygon", { class: kind === "zones" ? `zone ${it.kind || "area"}` : "rack", points: points(it.polygon) }, group);
      const top = Math.min(...it.polygon.map((one) => one[1])), [x] = middle(it.polygon);
      const under = size() / (window.innerWidth < 640 ? 24 : 40) / CM;
      if (kind === "zones") label(group, [x, top + under], it.name, "faint");
      else if (!zoned.has(it.name)) label(group, [x, top - mark / CM / 2], it.name);
    } else if (kind === "entrances" && it.line) {
      const [[x1, y1], [x2, y2]] = it.line;
      element("line", { class: "touch", x1: x1 * CM, y1: y1 * CM, x2: x2 * CM, y2: y2 * CM, "stroke-width": mark * 2.4 }, group);
      element("line", { class: "gate", x1: x1 * CM, y1: y1 * CM, x2: x2 * CM, y2: y2 * CM }, group);
      const arrow = inward(it), [mx, my] = middle(it.line), away = 0.9;
      element("polygon", { class: "inward", points: points(arrow) }, group);
      label(group, [mx - (arrow[1][0] - mx) * away, my - (arrow[1][1] - my) * away + mark / CM / 3], it.name, "gate-name");
    } else if (it.at) {
      const [x, y] = it.at.map((metres) => metres * CM);
      if (kind === "cameras") element("path", { class: "camera", d: `M${x - mark} ${y - mark * 0.7}h${mark * 1.3}v${mark * 1.4}h${-mark * 1.3}zM${x + mark * 0.45} ${y}l${mark * 0.8} ${-mark * 0.6}v${mark * 1.2}z` }, group);
      else if (kind === "antennas") { element("circle", { class: "antenna", cx: x, cy: y, r: mark * 0.9 }, group); element("circle", { class: "ripple", cx: x, cy: y, r: mark * 1.7 }, group); }
      else element("rect", { class: "rack", x: x - mark * 1.6, y: y - mark * 1.6, width: mark * 3.2, height: mark * 3.2 }, group);
      if (kind !== "antennas" || place === model.selected) label(group, [it.at[0], it.at[1] - mark * 2.2 / CM], it.name);
    }
  }

  function drawHandles() {
    handles.replaceChildren();
    if (!Draw.thing(model.selected)) return;
    const bad = model.mistakes.filter((one) => one.place === model.selected).map((one) => one.key), mark = size() / 110;
    for (const handle of Draw.handles(model.selected)) {
      const [x, y] = handle.at, kind = handle.key === "inside" ? "handle inside" : "handle";
      element("circle", { class: `${kind} ${bad.includes(handle.key) ? "wrong" : ""}`, cx: x * CM, cy: y * CM, r: mark, "data-key": handle.key }, handles);
    }
    const it = Draw.thing(model.selected);
    if (!it.polygon) return;
    it.polygon.forEach((one, corner) => {
      const [x, y] = middle([one, it.polygon[(corner + 1) % it.polygon.length]]);
      element("circle", { class: "handle between", cx: x * CM, cy: y * CM, r: mark * 0.7, "data-between": corner }, handles);
    });
  }

  function draw(drawn = true) {
    if (!model.drawing) return;
    if (drawn) drawFloor();
    layer.replaceChildren();
    const order = { zones: 0, fixtures: 1, entrances: 2, antennas: 3, cameras: 4, readers: 5 };
    for (const place of Draw.places().sort((one, other) => order[Draw.kindOf(one)] - order[Draw.kindOf(other)])) drawThing(place);
    drawHandles();
  }

  function where(event) {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(plan.getScreenCTM().inverse());
    return [place.x / CM, place.y / CM].map((metres) => Draw.snap(metres, event.altKey));
  }

  const box = ([x0, y0], [x1, y1]) => [[x0, y0], [x1, y0], [x1, y1], [x0, y1]].map((one) => one.map(Draw.round));

  // A new thing between two places, which are the same after a click.
  function make(kind, from, to) {
    const far = Math.hypot(to[0] - from[0], to[1] - from[1]), { drawing } = model, [fx, fy] = from;
    const add = (section, item) => { drawing[section].push(item); return `${section}/${drawing[section].length - 1}`; };
    const area = (side) => (far > 0.2 ? box([Math.min(fx, to[0]), Math.min(fy, to[1])], [Math.max(fx, to[0]), Math.max(fy, to[1])]) : box([fx - side, fy - side / 2], [fx + side, fy + side / 2]));
    if (kind === "zones") return add("zones", { name: Draw.freeName(drawing.zones, "zone"), polygon: area(1.5) });
    if (kind === "rooms") return add("zones", { name: Draw.freeName(drawing.zones, "fitting room"), kind: "fitting_room", polygon: area(1) });
    if (kind === "fixtures") return add("fixtures", { name: Draw.freeName(drawing.fixtures, "rack"), polygon: area(0.6) });
    if (kind === "cameras") return add("cameras", { name: Draw.freeName(drawing.cameras, "camera"), uri: "", at: from });
    if (kind === "antennas") return antenna(from);
    const [ax, ay, bx, by] = far > 0.2 ? [fx, fy, ...to] : [fx - 1, fy, fx + 1, fy], [x0, y0, x1, y1] = Draw.extent();
    const line = [[ax, ay], [bx, by]].map((one) => one.map(Draw.round)), long = Math.hypot(bx - ax, by - ay) || 1;
    let [nx, ny] = [-(by - ay) / long, (bx - ax) / long];
    if (((x0 + x1) / 2 - ax) * nx + ((y0 + y1) / 2 - ay) * ny < 0) [nx, ny] = [-nx, -ny];
    const [mx, my] = middle(line), inside = [mx + nx * 1.2, my + ny * 1.2].map(Draw.round);
    return add("entrances", { name: Draw.freeName(drawing.entrances, "entrance"), line, inside });
  }

  function antenna(place) {
    const { drawing } = model;
    if (drawing.readers.length === 0) drawing.readers.push({ name: "reader 1", host: "", antennas: [] });
    const chosen = model.selected.startsWith("readers/") ? Number(model.selected.split("/")[1]) : drawing.readers.length - 1;
    const list = drawing.readers[chosen].antennas, ports = new Set(list.map((one) => one.port));
    let port = 1;
    while (ports.has(port)) port += 1;
    const rack = drawing.fixtures.find((one) => one.polygon && Math.hypot(...middle(one.polygon).map((metres, axis) => metres - place[axis])) < 2);
    list.push({ port, name: Draw.freeName(list, "antenna"), at: place, ...(rack ? { fixture: rack.name } : {}) });
    return `readers/${chosen}/antennas/${list.length - 1}`;
  }

  function pick(name) {
    tool = name;
    for (const button of document.querySelectorAll("#tools [data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === name));
    plan.classList.toggle("making", name !== "select");
    at("hint").textContent = WORDS[name];
  }

  for (const button of document.querySelectorAll("#tools [data-tool]")) {
    button.addEventListener("click", (event) => {
      const name = button.dataset.tool;
      if (event.detail === 0 && name !== "select") {
        // By keyboard: the new thing stands in the middle, and arrow keys move it.
        const [x0, y0, x1, y1] = Draw.extent(), centre = [(x0 + x1) / 2, (y0 + y1) / 2].map((metres) => Draw.snap(metres));
        let place = "";
        Draw.change(() => { place = make(name, centre, centre); });
        Draw.select(place);
        plan.focus();
      } else pick(name);
    });
  }

  plan.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !model.drawing) return;
    const from = where(event), handle = event.target.closest("[data-key]"), between = event.target.closest("[data-between]"), group = event.target.closest("[data-place]");
    const before = JSON.stringify(model.drawing);
    if (tool !== "select") drag = { from, to: from, make: tool };
    else if (handle) drag = { from, to: from, key: handle.dataset.key, before };
    else if (between) {
      const corner = Number(between.dataset.between) + 1;
      Draw.remember();
      Draw.thing(model.selected).polygon.splice(corner, 0, from);
      drag = { from, to: from, key: `polygon[${corner}]`, before };
    } else if (group) {
      if (group.dataset.place !== model.selected) Draw.select(group.dataset.place);
      drag = { from, to: from, all: true, before };
    } else { Draw.select("floor"); return; }
    try { plan.setPointerCapture(event.pointerId); } catch { /* a pointer that is up already */ }
    event.preventDefault();
    plan.focus({ preventScroll: true });
  });

  plan.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const to = where(event);
    if (to[0] === drag.to[0] && to[1] === drag.to[1]) return;
    if (drag.make) {
      const ghost = at("ghost"), round = drag.make === "entrances";
      drag.to = to;
      ghost.replaceChildren();
      if (round) element("line", { x1: drag.from[0] * CM, y1: drag.from[1] * CM, x2: to[0] * CM, y2: to[1] * CM }, ghost);
      else if (drag.make !== "cameras" && drag.make !== "antennas") element("polygon", { points: points(box(drag.from, to)) }, ghost);
      return;
    }
    if (!drag.moved) { Draw.remember(); drag.moved = true; }
    if (drag.all) Draw.moveAll(model.selected, to[0] - drag.to[0], to[1] - drag.to[1]);
    else Draw.handles(model.selected).find((one) => one.key === drag.key).move(to);
    drag.to = to;
    Draw.tell();
  });

  function drop() {
    const done = drag;
    drag = null;
    at("ghost").replaceChildren();
    if (!done || !done.make) return;
    let place = "";
    Draw.change(() => { place = make(done.make, done.from, done.to); });
    pick("select");
    Draw.select(place);
  }
  plan.addEventListener("pointerup", drop);
  plan.addEventListener("pointercancel", () => { drag = null; at("ghost").replaceChildren(); });

  plan.addEventListener("dblclick", (event) => {
    const handle = event.target.closest("[data-key]"), it = Draw.thing(model.selected);
    const corner = handle && Draw.handles(model.selected).find((one) => one.key === handle.dataset.key);
    if (corner && corner.corner !== undefined && it.polygon.length > 3) Draw.change(() => it.polygon.splice(corner.corner, 1));
  });

  plan.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 1 : 0.1;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (moves[event.key] && Draw.handles(model.selected).length) Draw.change(() => Draw.moveAll(model.selected, ...moves[event.key]));
    else if ((event.key === "Delete" || event.key === "Backspace") && model.selected !== "floor") Draw.remove(model.selected);
    else if (event.key === "Escape") { pick("select"); drag = null; at("ghost").replaceChildren(); }
    else return;
    event.preventDefault();
  });

  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.target.matches("input, textarea")) return;
    const key = event.key.toLowerCase();
    if (key === "z" && !event.shiftKey) Draw.undo();
    else if (key === "y" || (key === "z" && event.shiftKey)) Draw.redo();
    else return;
    event.preventDefault();
  });

  Draw.onChange(draw);
  Draw.element = element;
  pick("select");
})();
