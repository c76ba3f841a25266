// What a page shows, by place: for tests that compare it with events.
const text = (node) => node.textContent.trim();
const value = (node, key) => text(node.querySelector(`[data-value=${key}]`));
const all = (selector) => [...document.querySelectorAll(selector)];

function liveValues() {
  const found = {};
  for (const row of all("[data-gate]")) {
    for (const side of ["in", "out"]) found[`gate ${row.dataset.gate} ${side}`] = value(row, side);
  }
  for (const item of all("[data-device]")) {
    found[item.dataset.device.replace(":", " ")] = text(item.querySelector("p[data-value=words]")).split(":")[0];
    for (const part of item.querySelectorAll("[data-part]")) {
      found[`antenna ${part.dataset.part}`] = value(part, "words");
    }
  }
  for (const line of all("#ticker li").slice(0, 8)) {
    found[`ticker ${line.dataset.seq}`] = text(line).replace(/\s+/g, " ");
  }
  return found;
}

function floorValues() {
  const zones = all("[data-zone]").map((row) => [row.dataset.zone, value(row, "people")]);
  const people = all("[data-person]").map((one) => [one.dataset.person, Number(one.dataset.x), Number(one.dataset.y)]);
  return { people, zones: Object.fromEntries(zones) };
}

function todayValues() {
  const found = {};
  const rows = (list, name, keys, of) => {
    for (const row of all(list)) for (const key of keys) found[`${name} ${of(row)} ${key}`] = value(row, key);
  };
  for (const one of all("dl [data-value]")) found[one.dataset.value] = text(one);
  rows("#hours tr[data-hour]", "hour", ["in", "out"], (row) => row.dataset.hour);
  rows("#stays tr[data-zone]", "zone", ["stays", "median", "total"], (row) => row.dataset.zone);
  rows("#garments tr[data-sku]", "garment", ["turned", "somebody"], (row) => row.dataset.sku);
  rows("#flows tr[data-way]", "way", ["people"], (row) => row.dataset.way);
  for (const cell of all("rect.heat")) {
    found[`cell ${Number(cell.getAttribute("x"))} ${Number(cell.getAttribute("y"))}`] = text(cell);
  }
  return found;
}
