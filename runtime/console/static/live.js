"use strict";
// The live page: what the box says over /live/stream is put where it belongs. All values come from there.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const TRAIL_MS = 8000, TRAIL_POINTS = 40, LIT_MS = 7000, LINES = 40, AGAIN_MS = 2000;
  const at = (id) => document.getElementById(id);
  const plan = at("plan"), text = Number(plan.dataset.text);
  const people = new Map();

  function element(name, attributes, parent) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (parent) parent.append(made);
    return made;
  }

  function say(node, words) {
    if (node && node.textContent !== words) node.textContent = words;
  }

  function find(list, attribute, value) {
    return [...list.querySelectorAll(`[${attribute}]`)].find((node) => node.getAttribute(attribute) === value);
  }

  function appear(id) {
    const group = element("g", { class: "person", "data-person": id }, at("people"));
    element("circle", { class: "dot" }, group);
    element("text", { class: "halo", x: text * 0.8, y: -text * 0.5 }, group).textContent = id;
    return { group, trail: element("polyline", { class: "trail" }, at("trails")), points: [] };
  }

  function movePeople(now) {
    const seen = new Set(), time = performance.now();
    for (const [id, x, y] of now.people) {
      seen.add(id);
      if (!people.has(id)) people.set(id, appear(id));
      const person = people.get(id), [cx, cy] = [x * 100, y * 100];
      person.group.setAttribute("transform", `translate(${cx} ${cy})`);
      person.group.dataset.x = x;
      person.group.dataset.y = y;
      person.at = [cx, cy];
      for (const link of at("links").querySelectorAll("line")) {
        if (link.dataset.visitor !== id) continue;
        link.setAttribute("x2", cx);
        link.setAttribute("y2", cy);
      }
      person.points.push([time, cx, cy]);
      while (person.points.length > TRAIL_POINTS || time - person.points[0][0] > TRAIL_MS) person.points.shift();
      person.trail.setAttribute("points", person.points.map(([, px, py]) => `${px},${py}`).join(" "));
    }
    for (const [id, person] of people) {
      if (seen.has(id)) continue;
      person.group.remove();
      person.trail.remove();
      people.delete(id);
    }
    at("blind").hidden = now.known;
    at("nobody").hidden = !(now.known && now.people.length === 0);
    for (const [name, count] of Object.entries(now.zones)) {
      const row = at("zones") && find(at("zones"), "data-zone", name);
      if (row) say(row.querySelector("[data-value=people]"), count === null ? "?" : String(count));
    }
  }

  function count(now) {
    for (const [name, [entered, left]] of Object.entries(now.gates)) {
      const row = at("gates") && find(at("gates"), "data-gate", name);
      if (!row) continue;
      say(row.querySelector("[data-value=in]"), String(entered));
      say(row.querySelector("[data-value=out]"), String(left));
    }
    for (const device of now.devices) {
      const item = find(at("devices"), "data-device", `${device.kind}:${device.name}`);
      if (!item) continue;
      item.querySelector("[data-value=level]").className = `state ${device.level}`;
      say(item.querySelector("p[data-value=words]"), device.words);
      for (const part of device.parts) {
        const row = find(item, "data-part", part.name);
        if (!row) continue;
        row.firstElementChild.className = part.level;
        say(row.querySelector("[data-value=words]"), part.words);
      }
    }
    at("unread").hidden = !now.fault;
    say(at("unread"), now.fault);
  }

  function tell(lines) {
    const ticker = at("ticker");
    for (const line of lines) {
      if (find(ticker, "data-seq", line.seq)) continue;
      const item = document.createElement("li"), time = document.createElement("time"), words = document.createElement("span");
      item.dataset.seq = line.seq;
      item.className = line.kind;
      time.textContent = line.time;
      words.textContent = line.words;
      item.append(time, " ", words);
      ticker.prepend(item);
    }
    while (ticker.children.length > LINES) ticker.lastElementChild.remove();
    at("quiet").hidden = ticker.children.length > 0;
  }

  function middleOf(node) {
    const box = node.getBBox();
    return [box.x + box.width / 2, box.y + box.height / 2];
  }

  function light(handled) {
    const rack = handled.rack && find(plan, "data-rack", handled.rack);
    if (!rack) return;
    rack.classList.add("handled");
    rack.dataset.lit = Number(rack.dataset.lit || 0) + 1;
    const group = element("g", { "data-handled": handled.rack }, at("links"));
    const [rx, ry] = middleOf(rack), person = people.get(handled.visitor);
    const to = person ? person.at : handled.at && handled.at.map((metres) => metres * 100);
    if (handled.visitor && to) {
      element("line", { class: "link", x1: rx, y1: ry, x2: to[0], y2: to[1], "data-visitor": handled.visitor }, group);
    }
    element("text", { class: "halo sure", x: rx, y: ry + text * 0.35, "text-anchor": "middle" }, group).textContent = handled.words;
    setTimeout(() => {
      group.remove();
      rack.dataset.lit = Number(rack.dataset.lit) - 1;
      if (rack.dataset.lit === "0") rack.classList.remove("handled");
    }, LIT_MS);
  }

  // A picture comes for as long as its element is there; two minutes are the box's own limit.
  function look(button) {
    const name = decodeURIComponent(button.dataset.camera), frames = at("frames");
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    button.firstChild.textContent = open ? "Look" : "Stop looking";
    if (open) {
      const figure = find(frames, "data-camera", name);
      figure.querySelector("img").removeAttribute("src");
      figure.remove();
    } else {
      const figure = document.createElement("figure"), image = document.createElement("img"), caption = document.createElement("figcaption");
      figure.dataset.camera = name;
      image.alt = `Camera ${name} now, heads blurred`;
      image.src = `/cameras/${button.dataset.camera}/pictures`;
      image.onerror = () => say(caption, `${name}: no picture (two people look already, or the two minutes are over)`);
      caption.textContent = name;
      figure.append(image, caption);
      frames.append(figure);
    }
    at("pictures").hidden = frames.children.length === 0;
  }
  for (const button of document.querySelectorAll("button.look")) button.addEventListener("click", () => look(button));

  function connected(yes) {
    at("lost").hidden = yes;
    plan.closest("section").classList.toggle("old", !yes);
  }

  function listen() {
    const source = new EventSource("/live/stream");
    const on = (name, act) => source.addEventListener(name, (event) => { connected(true); act(JSON.parse(event.data)); });
    on("all", (now) => { movePeople(now); count(now); tell(now.ticker); });
    on("people", movePeople);
    on("news", (now) => { count(now); tell(now.ticker); now.handled.forEach(light); });
    source.onerror = async () => {
      connected(false);
      if (source.readyState !== EventSource.CLOSED) return;
      const answer = await fetch("/live/now").catch(() => null);
      if (answer && answer.status === 401) window.location.reload();
      else setTimeout(listen, AGAIN_MS);
    };
  }
  listen();
})();
