"use strict";
// Drawing the shop: a camera's picture beside the plan, with the same lines in it as they lie on its floor.
(() => {
  if (!Draw.root || !Draw.at("look")) return;
  const { model, at } = Draw, STEP_M = 0.2, still = at("still"), marks = at("marks");

  const chosen = () => at("camera").value;

  function lines() {
    const found = [];
    for (const place of Draw.places()) {
      const it = Draw.thing(place), kind = Draw.kindOf(place);
      if (it.polygon && it.polygon.length > 2) found.push([place, kind, [...it.polygon, it.polygon[0]]]);
      else if (it.line) found.push([place, kind, it.line]);
    }
    return found;
  }

  // The pieces of a way on the floor that lie before the camera, pixels.
  function inPicture(way, view) {
    const m = view.to_image, [width, height] = view.size, pieces = [[]];
    for (let leg = 0; leg + 1 < way.length; leg += 1) {
      const [[ax, ay], [bx, by]] = [way[leg], way[leg + 1]], steps = Math.max(1, Math.ceil(Math.hypot(bx - ax, by - ay) / STEP_M));
      for (let step = leg === 0 ? 0 : 1; step <= steps; step += 1) {
        const x = ax + ((bx - ax) * step) / steps, y = ay + ((by - ay) * step) / steps, [u, v, w] = m.map((row) => row[0] * x + row[1] * y + row[2]);
        const seen = w > 0 && Math.abs(u / w) < 3 * width && Math.abs(v / w) < 3 * height;
        if (seen) pieces[pieces.length - 1].push(`${(u / w).toFixed(1)},${(v / w).toFixed(1)}`);
        else if (pieces[pieces.length - 1].length) pieces.push([]);
      }
    }
    return pieces.filter((piece) => piece.length > 1);
  }

  function draw() {
    if (!model.drawing) return;
    const picker = at("camera"), names = model.drawing.cameras.filter((one) => one.was).map((one) => one.was);
    if ([...picker.options].map((one) => one.value).join("\n") !== names.join("\n")) {
      const before = picker.value;
      picker.replaceChildren(...names.map((name) => Draw.make("option", { value: name }, name)));
      if (names.includes(before)) picker.value = before;
    }
    const it = model.selected.startsWith("cameras/") && Draw.thing(model.selected);
    if (it && names.includes(it.was) && it.was !== picker.value) { picker.value = it.was; forget(); }
    at("pane").hidden = names.length === 0;
    const view = model.views[chosen()];
    at("unmapped").hidden = Boolean(view) || names.length === 0;
    at("to-calibrate").href = `/calibrate?camera=${encodeURIComponent(chosen())}`;
    marks.replaceChildren();
    if (!view) return;
    marks.setAttribute("viewBox", `0 0 ${view.size[0]} ${view.size[1]}`);
    for (const [place, kind, way] of lines()) {
      for (const piece of inPicture(way, view)) Draw.element("polyline", { class: `${kind} ${place === model.selected ? "selected" : ""}`, points: piece.join(" "), "data-in-picture": place }, marks);
    }
  }

  at("look").addEventListener("click", () => {
    at("still-words").textContent = "The picture is being fetched.";
    still.src = `/calibrate/${encodeURIComponent(chosen())}/still.jpg?${Date.now()}`;
    still.alt = `Camera ${chosen()}, heads blurred`;
    at("framed").hidden = false;
  });
  function forget() {
    still.removeAttribute("src");
    at("framed").hidden = true;
  }

  at("camera").addEventListener("change", () => { forget(); draw(); });
  still.addEventListener("load", () => { at("still-words").textContent = "One still picture, heads blurred; the log says that you looked."; });
  still.addEventListener("error", () => { if (still.getAttribute("src")) at("still-words").textContent = "There is no picture: nobody looks at this camera now, or two people look already."; });
  Draw.onChange(draw);
})();
