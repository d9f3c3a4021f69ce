// The editor of a slot. Every button works without this; here the page only need not be loaded anew, pictures can be
// dropped, and what is typed is not lost by accident.

let changed = false;
let asked = 0;

const form = () => document.getElementById("slot-form");

function show(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const fresh = page.getElementById("slot-form");
  if (!fresh) return false;
  const focused = document.activeElement;
  const where = focused && form().contains(focused) && (focused.id || focused.value);
  const name = focused && focused.name;
  form().replaceWith(fresh);
  document.getElementById("said").replaceWith(page.getElementById("said"));
  dress();
  if (where) {
    const again = document.getElementById(where) ||
      [...fresh.elements].find((each) => each.name === name && each.value === where && !each.disabled);
    if (again) again.focus();
  }
  return true;
}

async function ask(address, body) {
  const turn = ++asked;
  form().setAttribute("aria-busy", "true");
  try {
    // Not relative: fetch refuses what a page's own address may have, a login in it.
    const answer = await fetch(new URL(address, location.origin), { method: "POST", body, credentials: "same-origin" });
    const text = await answer.text();
    if (turn !== asked) return true; // something newer is on its way
    if (!show(text)) tell(JSON.parse(text).message);
    return answer.ok;
  } catch {
    tell(form().dataset.failed);
    return false;
  } finally {
    form().removeAttribute("aria-busy");
  }
}

function tell(text) {
  const place = form().querySelector("[data-progress]");
  if (place) place.textContent = text;
}

function look(what) {
  const said = new FormData(form());
  said.delete("file");
  said.set("do", what);
  changed = true;
  return ask(form().getAttribute("action"), new URLSearchParams(said));
}

async function add(files) {
  for (const file of files) {
    if (file.size > Number(form().dataset.largest)) {
      tell(form().dataset.tooLarge);
      return;
    }
    tell(`${form().dataset.uploading} ${file.name}`);
    const said = new FormData(form());
    said.delete("file");
    said.set("file", file);
    changed = true;
    if (!(await ask(form().dataset.upload, said))) return;
  }
}

function count(field) {
  const place = document.getElementById(field.dataset.count);
  place.hidden = false;
  place.querySelector("span").textContent = [...field.value].length.toLocaleString(document.documentElement.lang);
}

function dress() {
  const here = form();
  for (const button of here.querySelectorAll("[data-plain], [data-add]")) button.hidden = true;
  const prompt = here.querySelector("[data-count]");
  count(prompt);
  prompt.addEventListener("input", () => count(prompt));
  const picker = here.querySelector("#file");
  if (picker) {
    picker.multiple = true;
    picker.addEventListener("change", () => add([...picker.files]));
  }
  here.addEventListener("input", () => (changed = true));
  here.addEventListener("change", (event) => {
    if (event.target.matches("[data-decides]")) look("look");
  });
  here.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-quick]");
    if (!button) return;
    event.preventDefault();
    look(button.value);
  });
  here.addEventListener("submit", () => (changed = false));
  const place = here.querySelector("#references");
  if (!place) return;
  for (const kind of ["dragenter", "dragover"]) {
    place.addEventListener(kind, (event) => {
      event.preventDefault();
      place.classList.add("over");
    });
  }
  place.addEventListener("dragleave", (event) => {
    if (!place.contains(event.relatedTarget)) place.classList.remove("over");
  });
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("over");
    add([...event.dataTransfer.files]);
  });
}

window.addEventListener("beforeunload", (event) => {
  if (changed) event.preventDefault();
});
// A picture that misses its place must not take the page away.
window.addEventListener("dragover", (event) => event.preventDefault());
window.addEventListener("drop", (event) => event.preventDefault());

dress();
if (document.querySelector('#said [role="alert"]')) changed = true;
