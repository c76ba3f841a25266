"use strict";
// Camera to floor: a click in the picture and one on the plan make a pair; the box judges all pairs anew each time.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const at = (id) => document.getElementById(id);
  const root = at("calibrate");
  if (!root) return;
  const still = at("still"), marks = at("marks"), plan = at("plan"), pairs = [], tapes = [];
  let taping = false, tapeEnd = null, waiting = null, judged = null, asked = 0;

  function element(name, attributes, parent) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    parent.append(made);
    return made;
  }

  function point(parent, x, y, radius, number, kind) {
    element("circle", { class: `point ${kind}`, cx: x, cy: y, r: radius }, parent);
    if (number) element("text", { class: "number-label", x: x + radius, y: y - radius, "font-size": radius * 2.2, "stroke-width": radius / 2 }, parent).textContent = number;
  }

  function cell(row, words, numeric) {
    const made = row.insertCell();
    if (numeric) made.className = "number";
    made.textContent = words;
    return made;
  }

  function draw() {
    const [width, height] = [still.naturalWidth || 640, still.naturalHeight || 360], radius = width / 110;
    marks.setAttribute("viewBox", `0 0 ${width} ${height}`);
    marks.replaceChildren();
    at("places").replaceChildren();
    for (const line of (judged && judged.grid) || []) element("polyline", { class: "grid", points: line.map((one) => one.join(",")).join(" ") }, marks);
    const body = at("pairs").tBodies[0];
    body.replaceChildren();
    pairs.forEach(([u, v, x, y], index) => {
      const far = judged && judged.left_out_cm[index], wrong = far !== null && far > 50 ? "wrong" : "";
      point(marks, u, v, radius, index + 1, wrong);
      point(at("places"), x * 100, y * 100, Number(root.dataset.text) * 0.45, index + 1, wrong);
      const row = body.insertRow();
      cell(row, String(index + 1));
      cell(row, `${u.toFixed(0)}, ${v.toFixed(0)}`, true);
      cell(row, `${x.toFixed(2)}, ${y.toFixed(2)}`, true);
      for (const list of ["errors_cm", "left_out_cm"]) {
        const value = judged && judged[list][index];
        cell(row, value === null || value === undefined ? "?" : value.toFixed(1), true).dataset.value = list;
      }
      const remove = document.createElement("button"), unseen = document.createElement("span");
      remove.type = "button";
      remove.className = "quiet";
      unseen.className = "unseen";
      unseen.textContent = ` point ${index + 1}`;
      remove.append("Remove", unseen);
      remove.addEventListener("click", () => { pairs.splice(index, 1); change(); });
      const last = row.insertCell();
      last.className = "end";
      last.append(remove);
    });
    for (const [index, tape] of tapes.entries()) {
      element("line", { class: "tape-line", x1: tape[0], y1: tape[1], x2: tape[2], y2: tape[3] }, marks);
      for (const end of [0, 2]) point(marks, tape[end], tape[end + 1], radius * 0.7, "", "tape-end");
    }
    if (tapeEnd) point(marks, tapeEnd[0], tapeEnd[1], radius, "", "waiting");
    if (waiting) point(marks, waiting[0], waiting[1], radius * 1.3, "", "waiting");
    at("pairs").hidden = pairs.length === 0;
    at("next").textContent = waiting ? "Now the same place on the plan." : "Click the next place in the picture.";
  }

  function tell() {
    const place = at("judged");
    place.replaceChildren();
    const say = (kind, words) => { const line = document.createElement("p"); line.className = kind; line.textContent = words; place.append(line); };
    at("tapes").textContent = tapes.map((tape, index) => { const long = judged && judged.tapes_m && judged.tapes_m[index]; return `${tape[4]} m: ${long === null || long === undefined ? "?" : `${long.toFixed(2)} m`} on the map`; }).join("; ");
    if (!judged) return;
    for (const words of judged.refused) say("fault", words);
    for (const words of judged.remarks) if (!judged.refused.includes(words)) say("note", words);
    if (judged.refused.length === 0 && judged.left_out_p95_cm !== null) say("done", `Predicted from the others, 95 % of the points are right to ${judged.left_out_p95_cm} cm.`);
    at("result").hidden = judged.lines === "";
    at("lines").textContent = judged.lines;
  }

  async function change() {
    const turn = (asked += 1);
    draw();
    if (pairs.length === 0) { judged = null; tell(); at("result").hidden = true; return; }
    at("saved") && (at("saved").hidden = true);
    const form = new URLSearchParams({ pairs: JSON.stringify(pairs), tapes: JSON.stringify(tapes), width: still.naturalWidth, height: still.naturalHeight, token: root.dataset.token });
    const answer = await fetch(`/calibrate/${root.dataset.camera}/judge`, { method: "POST", body: form });
    if (turn !== asked) return;
    const told = await answer.json();
    judged = answer.ok ? told : { refused: [told.error], remarks: [], errors_cm: [], left_out_cm: [], left_out_p95_cm: null, grid: [], lines: "" };
    draw();
    tell();
  }

  still.addEventListener("click", (event) => {
    const box = still.getBoundingClientRect();
    const place = [((event.clientX - box.left) / box.width) * still.naturalWidth, ((event.clientY - box.top) / box.height) * still.naturalHeight];
    if (!taping) waiting = place;
    else if (!tapeEnd) tapeEnd = place;
    else {
      tapes.push([...tapeEnd, ...place, Number(at("tape-m").value.replace(",", ".")) || 2].map((value) => Math.round(value * 100) / 100));
      tape(false);
      change();
      return;
    }
    draw();
  });

  function tape(on) {
    taping = on;
    tapeEnd = null;
    at("tape").setAttribute("aria-pressed", String(on));
    draw();
  }
  at("tape").addEventListener("click", () => tape(!taping));

  plan.addEventListener("click", (event) => {
    if (!waiting) return;
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(plan.getScreenCTM().inverse());
    pairs.push([...waiting, place.x / 100, place.y / 100].map((value) => Math.round(value * 1000) / 1000));
    waiting = null;
    change();
  });
  at("typed").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target, pair = ["u", "v", "x", "y"].map((name) => Number(form.elements[name].value.replace(",", ".")));
    if (pair.some((value) => !Number.isFinite(value))) return;
    pairs.push(pair);
    form.reset();
    change();
  });
  at("undo").addEventListener("click", () => { if (tapeEnd) tapeEnd = null; else if (waiting) waiting = null; else if (pairs.length) pairs.pop(); else tapes.pop(); change(); });
  if (at("save")) at("save").addEventListener("click", async () => {
    const form = new URLSearchParams({ pairs: JSON.stringify(pairs), tapes: JSON.stringify(tapes), width: still.naturalWidth, height: still.naturalHeight, token: root.dataset.token, version: root.dataset.version });
    const answer = await fetch(`/calibrate/${root.dataset.camera}/save`, { method: "POST", body: form }), told = await answer.json(), saved = at("saved");
    if (answer.ok) root.dataset.version = told.version;
    saved.className = answer.ok ? "done" : "fault";
    saved.textContent = answer.ok ? "Saved. The daemon takes it up." : told.error;
    saved.hidden = false;
  });
  at("copy").addEventListener("click", () => navigator.clipboard.writeText(at("lines").textContent));
  still.addEventListener("load", draw);
  let tries = 0;
  still.addEventListener("error", () => {
    tries += 1;
    at("still-words").textContent = tries < 20 ? "There is no picture yet: nobody looks at this camera, or two people look already. Trying again." : "There is no picture: see Health, then load the page again.";
    if (tries < 20) window.setTimeout(() => { still.src = `/calibrate/${root.dataset.camera}/still.jpg?${tries}`; }, 3000);
  });
  still.addEventListener("load", () => { at("still-words").textContent = "One still picture, heads blurred; the log says that you looked."; });
  if (still.complete && still.naturalWidth) draw();
})();
