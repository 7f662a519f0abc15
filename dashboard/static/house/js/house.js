// Small helps on top of pages that work without them: copying, closing menus, and words for what allauth's scripts report.
(function () {
  "use strict";

  document.querySelectorAll("button[data-copy]").forEach(function (button) {
    const source = document.getElementById(button.dataset.copy);
    if (!source || !navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", function () {
      const text = "value" in source ? source.value : source.textContent.trim();
      navigator.clipboard.writeText(text).then(function () {
        button.textContent = button.dataset.done;
      }, function () {});
    });
  });

  function closeMenus(except) {
    document.querySelectorAll("details.menu[open], .bar details[open]").forEach(function (menu) {
      if (!menu.contains(except)) menu.open = false;
    });
  }
  document.addEventListener("click", function (event) { closeMenus(event.target); });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") closeMenus(null);
  });

  // A cancelled or failed passkey prompt is an ordinary thing: say it on the page, where the person is looking.
  document.addEventListener("allauth.error", function (event) {
    const place = document.getElementById("passkey-problem");
    if (!place) return;
    event.preventDefault();
    place.hidden = false;
    place.focus();
  });

  // After a refused form the reader begins at what needs a change, not at the top of the page.
  const problems = document.querySelector("[data-problems]");
  if (problems) problems.focus();

  // Passkeys need the browser's help; without it the button would do nothing.
  if (!window.PublicKeyCredential) {
    document.querySelectorAll("[data-needs-passkey]").forEach(function (part) { part.hidden = true; });
  }

  document.querySelectorAll("form[data-once]").forEach(function (form) {
    form.addEventListener("submit", function () {
      window.setTimeout(function () {
        form.querySelectorAll("button").forEach(function (button) { button.disabled = true; });
      });
    });
  });

  const zone = document.querySelector("input[data-time-zone]");
  if (zone && !zone.value) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
})();
