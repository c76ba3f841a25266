"use strict";
// A store or day that is chosen is shown at once; without scripts there is a button.
document.documentElement.classList.add("scripted");
document.addEventListener("change", (event) => {
  if (event.target.closest(".choose") && event.target.value) event.target.form.submit();
});
