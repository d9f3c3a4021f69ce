// Copy buttons: <button hidden data-copy="id of an input" data-done="Copied">. Without scripts they stay hidden.

async function copied(field) {
  field.focus();
  field.select();
  if (window.isSecureContext && navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(field.value);
      return true;
    } catch {
      // the browser forbids it; the old way may still work
    }
  }
  // A booth's laptop reaches us by plain http, where there is no clipboard object.
  return document.execCommand("copy");
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const said = button.textContent;
    if (!(await copied(document.getElementById(button.dataset.copy)))) return;
    button.focus();
    button.textContent = button.dataset.done;
    button.setAttribute("aria-live", "polite");
    setTimeout(() => (button.textContent = said), 2000);
  });
}
