// What can be done with a study: delete, restore, send, promote. Each is one request of DICOMweb or REST.

import { ask } from "./asking.js";
import { confirmed, say } from "./saying.js";

const JOB_LOOK_MS = 700;

// The view and the figures are fetched anew.
export function refresh() {
  for (const one of document.querySelectorAll("#tiles, #view [hx-trigger*=refresh]")) {
    one.dispatchEvent(new Event("refresh"));
  }
}

const whoOf = (element) => element.querySelector(".who")?.textContent ?? "";

async function tried(work) {
  try {
    await work();
  } catch (error) {
    say(error.message, { isBad: true });
  }
}

async function restore(uid, who) {
  await tried(async () => {
    const { instance_count: count } = await ask("POST", `api/v1/studies/${uid}/restore`, {});
    say(`Restored ${count} instances of ${who}`);
    refresh();
  });
}

async function remove(article, days) {
  const uid = article.dataset.study;
  const who = whoOf(article);
  const grace = days === undefined ? "It can be restored until the grace is over." : `It can be restored for ${days} days; then its bytes go.`;
  if (!(await confirmed("Delete this study?", `${who}: it is hidden at once. ${grace}`, "Delete"))) return;
  await tried(async () => {
    await ask("DELETE", `dicomweb/studies/${uid}`);
    document.getElementById("sheet").close();
    say(`Deleted the study of ${who}`, { label: "Undo", act: () => restore(uid, who) });
    if (document.querySelector("#view [data-view=study]")) location.assign("./?view=deleted");
    refresh();
  });
}

async function send(uid, destination) {
  await tried(async () => {
    const job = await ask("POST", "api/v1/jobs", { do: "send", query: { StudyInstanceUID: uid }, destination });
    document.getElementById("sheet").close();
    await followed(job, say(`Sending to ${destination} …`, { stays: true }));
  });
}

// Say how far a sending is, until it has ended.
async function followed(job, tell) {
  let one = job;
  while (one.state === "running") {
    await new Promise((resolve) => setTimeout(resolve, JOB_LOOK_MS));
    one = await ask("GET", `api/v1/jobs/${job.id}`);
    tell(`Sending to ${job.destination}: ${one.counts.sent ?? 0} of ${one.counts.matched ?? "…"}`);
  }
  const { sent = 0, failed = 0 } = one.counts;
  const isBad = one.state !== "done" || failed > 0;
  const why = one.reason || one.findings?.[0]?.reason;
  const words = isBad ? `${failed ? `${failed} not sent` : one.state}${why ? `: ${why}` : ""}` : "all of it";
  tell(`Sent ${sent} to ${job.destination}, ${words}`, { isOver: true, failed: isBad });
}

async function promote(uid, { series, instance, promote: key }) {
  const meant = await confirmed("Promote this version?", "It becomes the current one: searches and retrieval give it from now on. The others stay.", "Promote");
  if (!meant) return;
  await tried(async () => {
    await ask("POST", `api/v1/studies/${uid}/series/${series}/instances/${instance}/promote`, { key });
    say("Promoted: it is the current version now");
    reopened(uid);
    refresh();
  });
}

function reopened(uid) {
  if (document.getElementById("sheet").open) htmx.ajax("GET", `page/studies/${uid}`, { target: "#sheet-body" });
  else location.reload();
}

document.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-delete], [data-restore], [data-promote], [data-cancel]");
  if (!chosen) return;
  const place = chosen.closest("[data-study], [data-job]");
  if (chosen.matches("[data-delete]")) remove(place, chosen.dataset.graceDays);
  else if (chosen.matches("[data-restore]")) restore(place.dataset.study, whoOf(place));
  else if (chosen.matches("[data-promote]")) promote(place.dataset.study, chosen.dataset);
  else tried(async () => { await ask("DELETE", `api/v1/jobs/${place.dataset.job}`); refresh(); });
});

document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-send]")) return;
  event.preventDefault();
  send(event.target.closest("[data-study]").dataset.study, new FormData(event.target).get("destination"));
});
