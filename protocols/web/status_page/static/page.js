// The page as a whole: what htmx fetches is shown, tokens are asked for, keys do what they say.

import { refresh } from "./acting.js";
import { authorization, forgetToken, isLocked, keepToken, reasonOf, token } from "./asking.js";
import { say } from "./saying.js";
import "./upload.js";

const part = (id) => document.getElementById(id);
let seen = part("figures")?.dataset.change;
let isUnreachable = false;
document.documentElement.classList.add("scripting");

// -- what htmx fetches ------------------------------------------------------------------------------------------------

document.addEventListener("htmx:config:request", (event) => {
  Object.assign(event.detail.ctx.request.headers, authorization());
});

document.addEventListener("htmx:response:error", (event) => {
  const { response, text } = event.detail.ctx;
  if (response.status === 401) askForToken(token() ? reasonOf(401, text) : "");
  else say(reasonOf(response.status, text), { isBad: true });
});

document.addEventListener("htmx:error", () => {
  if (!isUnreachable) say("The node cannot be reached", { isBad: true });
  isUnreachable = true;
});

document.addEventListener("htmx:after:swap", (event) => {
  isUnreachable = false;
  const target = event.detail.ctx.target;
  if (target?.id === "sheet-body") openSheet();
  if (target?.id === "tiles") lookForChanges();
});

// What others store and delete shows by itself, unless the reader is about to do something with what is shown.
function lookForChanges() {
  const change = part("figures")?.dataset.change;
  const isBusy = document.querySelector("dialog[open], #search:focus-within") !== null;
  if (change === seen || isBusy) return;
  seen = change;
  part("search")?.dispatchEvent(new Event("refresh"));
}

// -- a study ----------------------------------------------------------------------------------------------------------

function openSheet() {
  const sheet = part("sheet");
  if (!sheet.open) sheet.showModal();
  const article = sheet.querySelector("[data-wants]");
  const first = article?.dataset.wants === "send" ? part("destination") : sheet.querySelector("[data-close]");
  first?.focus();
}

document.addEventListener("click", (event) => {
  const sheet = part("sheet");
  if (event.target.closest("[data-close]") || event.target === sheet) sheet.close();
});

// -- a token ----------------------------------------------------------------------------------------------------------

function askForToken(trouble = "") {
  const dialog = part("sign-in");
  if (!dialog) return;
  part("sign-in-trouble").textContent = trouble;
  if (!dialog.open) dialog.showModal();
  part("token").focus();
}

document.addEventListener("token-needed", () => askForToken("this token is not taken any more"));

if (isLocked) {
  part("sign-out").hidden = !token();
  part("sign-in").addEventListener("cancel", (event) => event.preventDefault());
  part("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    keepToken(part("token").value.trim());
    part("token").value = "";
    part("sign-in").close();
    part("sign-out").hidden = false;
    refresh();
  });
  part("sign-out").addEventListener("click", () => {
    forgetToken();
    location.reload();
  });
}

// -- keys -------------------------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea, dialog") !== null;
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey && part("q")) {
    event.preventDefault();
    part("q").focus();
    part("q").select();
  }
  if (event.key === "Escape" && event.target.id === "q") {
    event.target.value = "";
    event.target.form.dispatchEvent(new Event("refresh"));
    event.target.blur();
  }
});
