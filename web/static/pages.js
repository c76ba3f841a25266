"use strict";
// A session that has ended: what was to be exchanged in a page is answered with 401, and the page is loaded anew.
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 401) window.location.reload();
});
