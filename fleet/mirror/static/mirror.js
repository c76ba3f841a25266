"use strict";
// What hangs in a room has changed: its screen, and the staff's, is fetched anew. A lost stream comes back by itself.
(() => {
  const now = document.getElementById("now");
  const base = now.dataset.base;
  const room = decodeURIComponent(base.split("/").pop());
  const refresh = () => htmx.ajax("GET", base + "/now", { target: "#now" });
  const stream = new EventSource(base + "/stream");
  stream.addEventListener("all", refresh);
  stream.addEventListener("room", (event) => {
    if (room === "staff" || JSON.parse(event.data) === room) refresh();
  });
})();
