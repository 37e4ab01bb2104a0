// Requests of the page: to DICOMweb and REST, as any client's. A token, where one is needed, is kept in this tab alone, where
// the viewer finds it too.

const KEY = "filmroom.token";

export const isLocked = document.body.hasAttribute("data-locked");
export const token = () => sessionStorage.getItem(KEY) ?? "";
export const keepToken = (text) => sessionStorage.setItem(KEY, text);
export const forgetToken = () => sessionStorage.removeItem(KEY);
export const authorization = () => (token() ? { Authorization: `Bearer ${token()}` } : {});

// What went wrong, in the words of the answer (RFC 9457).
export function reasonOf(status, text) {
  let said = {};
  try {
    said = JSON.parse(text);
  } catch {
    // no document: the status says it
  }
  return said.detail || said.title || `the node answered ${status}`;
}

// Ask for a change. Gives the answer's JSON, or throws an Error with a sentence.
export async function ask(method, path, body) {
  const headers = { Accept: "application/json", "Content-Type": "application/json", ...authorization() };
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Error("the node cannot be reached");
  }
  const text = await answer.text();
  if (!answer.ok) {
    if (answer.status === 401) document.dispatchEvent(new Event("token-needed"));
    throw new Error(reasonOf(answer.status, text));
  }
  return text ? JSON.parse(text) : {};
}
