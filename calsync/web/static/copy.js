// Adds a button that copies what is typed elsewhere. Without this script the text is selected by hand.
"use strict";
for (const text of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break; // not without HTTPS
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = text.dataset.copy;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text.textContent.trim());
    button.textContent = text.dataset.copied;
    setTimeout(() => { button.textContent = text.dataset.copy; }, 2000);
  });
  text.after(button);
}
