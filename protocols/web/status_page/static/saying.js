// What the page says to its reader: sentences that come and go, questions before something is done.

const TOAST_MS = 8000;
const TOASTS_COUNT_MAX = 5;

// A sentence; `act` is what its button does. Gives a function that says something else in its place.
export function say(sentence, { isBad = false, label = "", act = null, stays = false } = {}) {
  const toasts = document.getElementById("toasts");
  const toast = document.createElement("div");
  const text = document.createElement("span");
  text.textContent = sentence;
  toast.className = isBad ? "toast bad" : "toast";
  toast.append(text);
  if (act) toast.append(button(label, () => { toast.remove(); act(); }));
  const close = button("✕", () => toast.remove());
  close.setAttribute("aria-label", "Dismiss");
  toast.append(close);
  toasts.append(toast);
  while (toasts.children.length > TOASTS_COUNT_MAX) toasts.firstElementChild.remove();
  let timer = stays ? 0 : setTimeout(() => toast.remove(), TOAST_MS);
  return (other, { isOver = false, failed = false } = {}) => {
    text.textContent = other;
    toast.classList.toggle("bad", failed);
    if (isOver) {
      clearTimeout(timer);
      timer = setTimeout(() => toast.remove(), TOAST_MS);
    }
  };
}

// Ask before something is done. Gives whether it is meant.
export function confirmed(title, text, yes) {
  const dialog = document.getElementById("ask");
  document.getElementById("ask-title").textContent = title;
  document.getElementById("ask-text").textContent = text;
  document.getElementById("ask-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function button(label, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label;
  made.addEventListener("click", act);
  return made;
}
