// What buttons and filters do. Without this script everything is there, unfolded, and no control that would do nothing.
"use strict";

for (const button of document.querySelectorAll("button.copy")) {
  const source = button.parentElement.querySelector("code");
  button.hidden = false;
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(source);
    let copied = true;
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      copied = document.execCommand("copy"); // where a page of a file may not write to the clipboard
    }
    button.textContent = copied ? "Copied" : "Selected";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}
