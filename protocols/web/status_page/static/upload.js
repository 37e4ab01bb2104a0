// Files that are dropped or chosen are stored one by one by STOW-RS, some at a time; the page says of each what became
// of it. Nothing of a file is read here but by the browser's own sending.

import { refresh } from "./acting.js";
import { authorization, reasonOf } from "./asking.js";

const AT_ONCE = 3;
const SHOWN_MAX = 200; // lines of the list; all are counted
const FILES_MAX = 100_000;
const part = (id) => document.getElementById(id);

let batch = null;

function begin(files) {
  if (!files.length) return;
  if (!batch || batch.isOver) {
    batch = { queue: [], at: 0, sent: 0, total: 0, bytes: 0, kept: 0, warned: 0, failed: 0, running: new Map(), isOver: false };
    part("upload-list").replaceChildren();
  }
  const taken = files.slice(0, FILES_MAX - batch.queue.length);
  batch.queue.push(...taken);
  batch.total += taken.reduce((sum, { file }) => sum + file.size, 0);
  part("upload").hidden = false;
  part("upload-stop").hidden = false;
  for (let lane = batch.running.size; lane < AT_ONCE; lane += 1) next(batch);
  if (taken.length < files.length) line(`${files.length - taken.length} more`, "bad", `not taken: at most ${FILES_MAX} at a time; filmroom import has no such bound`);
  show(batch);
}

function next(one) {
  if (one.at >= one.queue.length) {
    if (!one.running.size && !one.isOver) finish(one);
    return;
  }
  const { file, name } = one.queue[one.at];
  one.queue[one.at] = null;
  one.at += 1;
  send(one, file, name);
}

function send(one, file, name) {
  const request = new XMLHttpRequest();
  one.running.set(request, 0);
  request.upload.addEventListener("progress", (event) => {
    one.running.set(request, Math.min(event.loaded, file.size));
    show(one);
  });
  request.addEventListener("loadend", () => {
    one.running.delete(request);
    one.bytes += file.size;
    one.sent += 1;
    const { kind, words } = outcome(request);
    one[kind === "good" ? "kept" : kind === "warn" ? "warned" : "failed"] += 1;
    if (kind === "warn") one.kept += 1;
    line(name, kind, words);
    show(one);
    next(one);
  });
  request.open("POST", "dicomweb/studies");
  request.setRequestHeader("Content-Type", "application/dicom");
  request.setRequestHeader("Accept", "application/dicom+json");
  for (const [header, value] of Object.entries(authorization())) request.setRequestHeader(header, value);
  request.send(file);
}

// What an answer to a store says of its one instance (PS3.18 10.5.3).
function outcome(request) {
  if (request.status === 0) return { kind: "bad", words: "not sent" };
  let said = {};
  try {
    said = JSON.parse(request.responseText);
  } catch {
    return { kind: "bad", words: reasonOf(request.status, request.responseText) };
  }
  const comment = (tag) => said[tag]?.Value?.[0]?.["00000902"]?.Value?.[0];
  if (request.status === 200) return { kind: "good", words: "stored" };
  if (request.status === 202) return { kind: "warn", words: comment("00081199") ?? "stored" };
  if (request.status === 401) document.dispatchEvent(new Event("token-needed"));
  return { kind: "bad", words: comment("00081198") ?? comment("0008119A") ?? reasonOf(request.status, request.responseText) };
}

function line(name, kind, words) {
  const list = part("upload-list");
  if (kind === "good" && list.children.length >= SHOWN_MAX) return;
  const item = document.createElement("li");
  const path = document.createElement("bdi");
  const state = document.createElement("span");
  path.textContent = name;
  state.textContent = words;
  state.className = kind;
  item.append(path, " ", state);
  list.prepend(item);
  while (list.children.length > SHOWN_MAX) (list.querySelector(":scope > li:has(> .good):last-of-type") ?? list.lastElementChild).remove();
}

function show(one) {
  const running = [...one.running.values()].reduce((sum, count) => sum + count, 0);
  part("upload-bar").value = one.total ? (one.bytes + running) / one.total : 1;
  const said = [`${one.sent} of ${one.queue.length} files`, `${one.kept} stored`];
  if (one.warned) said.push(`${one.warned} of them with a remark`);
  if (one.failed) said.push(`${one.failed} not stored`);
  part("upload-sum").textContent = said.join(" · ");
}

function finish(one) {
  one.isOver = true;
  part("upload-stop").hidden = true;
  show(one);
  refresh();
}

function stop() {
  if (!batch || batch.isOver) return;
  batch.queue.length = batch.at;
  for (const request of batch.running.keys()) request.abort();
}

// Files of a drop, also those within folders; a folder gives its entries piece by piece.
async function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = entries.length ? [] : items.map((item) => item.getAsFile()).map((file) => ({ file, name: file.name }));
  while (entries.length && found.length < FILES_MAX) {
    const entry = entries.pop();
    if (entry.isFile) {
      const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
      if (file) found.push({ file, name: entry.fullPath.replace(/^\//, "") });
      continue;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
      if (!some.length) break;
      entries.push(...some);
    }
  }
  return found.sort((one, other) => one.name.localeCompare(other.name));
}

const hasFiles = (event) => event.dataTransfer?.types.includes("Files") && part("drop");

for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    part("drop").classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) part("drop")?.classList.remove("over");
});
document.addEventListener("drop", async (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  part("drop").classList.remove("over");
  begin(await dropped(event.dataTransfer));
});
document.addEventListener("change", (event) => {
  if (!event.target.matches("#files, #folder")) return;
  begin([...event.target.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })));
  event.target.value = "";
});
document.addEventListener("click", (event) => {
  if (event.target.id === "upload-stop") stop();
});
