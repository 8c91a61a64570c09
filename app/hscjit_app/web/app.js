// Ties the box, the question, the conversation and the connection together.

import { Combobox } from "/web/combobox.js";
import { Log, explain } from "/web/log.js";
import { Connection } from "/web/socket.js";
import { explainVersion } from "/web/version.js";

const $ = (id) => document.getElementById(id);
const DRAFT = "draft";
const STATES = {
  open: "Connected",
  connecting: "Connecting…",
  lost: "No connection, trying again…",
  misfit: "Not connected",
};

const say = (text) => { $("announce").textContent = text; };
const connection = new Connection();
const log = new Log($("log"), $("scroll"), say);
const combobox = new Combobox({ input: $("product"), list: $("matches"), clear: $("clear"), announce: say });

let problemTimer = 0;

function problem(text, seconds = 0) {
  clearTimeout(problemTimer);
  $("problem").textContent = text;
  $("problem").hidden = !text;
  if (seconds) problemTimer = setTimeout(() => problem(""), seconds * 1000);
}

function refresh() {
  $("send").disabled = !connection.open || !$("question").value.trim();
  $("intro").hidden = !log.empty;
  $("export").hidden = $("forget").hidden = log.empty;
}

connection.addEventListener("state", ({ detail }) => {
  $("badge").dataset.state = detail;
  $("badge-text").textContent = STATES[detail];
  $("reload").hidden = detail !== "misfit";
  if (detail === "open" && $("product").value && !combobox.product) {
    connection.send({ type: "typing", content: $("product").value });
  }
  refresh();
});

connection.addEventListener("misfit", ({ detail: { theirs, reload } }) => {
  if (reload) reloadPage();
  else problem(`${explainVersion(theirs)} Reload it to try again.`);
});

$("reload").addEventListener("click", reloadPage);

connection.addEventListener("frame", ({ detail: frame }) => {
  if (frame.type === "prediction") combobox.offer(frame.content, frame.data);
  else if (frame.type === "resync_required") log.resync(frame.id);
  else if (frame.id) log.show(frame);
  else if (frame.type === "error") problem(explain(frame), frame.retry_after ?? 8);
  refresh();
});

combobox.addEventListener("typed", ({ detail }) => {
  if (detail.trim()) connection.send({ type: "typing", content: detail });
});

combobox.addEventListener("choose", ({ detail }) => {
  problem("");
  if (detail) $("question").focus();
});

log.addEventListener("related", ({ detail }) => combobox.choose(detail));
log.addEventListener("ended", refresh);
log.addEventListener("rated", ({ detail }) => {
  call("POST", "/api/feedback", detail).then(() => say("Thank you"));
});

$("question").addEventListener("input", refresh);
$("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("form").requestSubmit();
  }
});

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const query = $("question").value.trim();
  if (!query || $("send").disabled) return;
  const product = combobox.product;
  const message = product ? { type: "lock_and_query", product_id: product.id, query } : { type: "query", query };
  if (connection.send(message)) {
    problem("");
    $("question").value = "";
    refresh();
  }
});

$("export").addEventListener("click", async () => {
  const answer = await call("GET", "/api/conversation/export");
  if (!answer) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = "conversation.json";
  link.click();
  URL.revokeObjectURL(link.href);
});

$("forget").addEventListener("click", async () => {
  if (!confirm("Delete this conversation for good?")) return;
  if (!(await call("DELETE", "/api/conversation"))) return;
  log.clear();
  combobox.choose(null);
  $("product").value = "";
  connection.restart();
  refresh();
});

document.addEventListener("keydown", (event) => {
  const writing = event.target.closest?.("input, textarea");
  if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    $("product").focus();
  }
});

async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${connection.session}` };
  if (body) headers["Content-Type"] = "application/json";
  try {
    const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    if (answer.ok) return answer;
    problem(explain((await answer.json()).error), 8);
  } catch {
    problem("The server can't be reached", 8);
  }
  return null;
}

/** Fetch the page anew; what is written but not sent stays in its boxes. */
function reloadPage() {
  const draft = { product: $("product").value, question: $("question").value };
  sessionStorage.setItem(DRAFT, JSON.stringify(draft));
  location.reload();
}

function restoreDraft() {
  const { product = "", question } = JSON.parse(sessionStorage.getItem(DRAFT) ?? "{}");
  sessionStorage.removeItem(DRAFT);
  $("product").value = product;
  $("question").value = question ?? new URLSearchParams(location.search).get("q") ?? "";
}

restoreDraft();
connection.connect();
refresh();
