// Comfort only: a chosen day opens at once, and a retry that is under way says so and is not pressed twice.

document.getElementById("day")?.addEventListener("change", (event) => event.target.form.submit());

for (const form of document.querySelectorAll("form[data-working]")) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button");
    button.textContent = form.dataset.working;
    button.setAttribute("aria-busy", "true");
    setTimeout(() => (button.disabled = true)); // after the form has left
  });
}

// Going back shows the page as it was left, buttons included.
addEventListener("pageshow", (event) => event.persisted && location.reload());
