// Dead letters: what was not processed, where, why, its bytes, and what became of it; letters are
// sent again or discarded here. Filters live in the URL.
import { useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { Link, SetParams, useRoute } from "../lib/route.js";
import { PostJson, useJson } from "../lib/api.js";
import { Exact, ExactTime, Time } from "../lib/format.js";
import { Empty } from "../components/empty.js";
import { ErrorNote } from "../components/error_note.js";
import { Bytewise } from "../topics/records.js";
import { TraceHref } from "../trace/place.js";

const kLimit = 200;
const kFilters = ["state", "stage", "kind", "topic"];
const kSettled = ["replayed", "edited+replayed", "discarded"];

export function DeadLettersPage() {
  const { params } = useRoute();
  const { data: letters, error } = useJson(`/api/dead-letters?limit=${kLimit}`, {
    every_ms: 5000,
    on_data: true,
    min_ms: 2000,
  });
  const [open_key, set_open_key] = useState(null);
  const [outcomes, set_outcomes] = useState({}); // by id, until the list says the same
  if (!letters) {
    return html`<h1>Dead letters</h1>
      ${error ? html`<${ErrorNote} error=${error} />` : html`<p class="loading muted">Loading …</p>`}`;
  }
  if (letters.length === 0) {
    return html`<h1>Dead letters</h1>
      <${Empty} title="No dead letters" command="millrace dlq">
        Nothing was refused. Events that are malformed, of the wrong type or too late would be listed here with their
        bytes, the reason and their position; no row is dropped without being counted. In a terminal:<//>`;
  }
  const shown = letters.filter((letter) =>
    kFilters.every((name) => !params[name] || letter[name] === params[name]),
  );
  return html`
    <h1>Dead letters</h1>
    ${error && html`<${ErrorNote} error=${error} />`}
    <div class="section-head">
      ${kFilters.map((name) => html`<${Filter} key=${name} name=${name} letters=${letters} value=${params[name] ?? ""} />`)}
      <span class="muted" role="status">${Exact(shown.length)} shown of the newest ${Exact(letters.length)}</span>
    </div>
    <div class="table-scroll" tabindex="0" role="group" aria-label="Dead letters">
      <table class="data letters">
        <thead><tr><th scope="col">Time</th><th scope="col">Stage</th><th scope="col">Kind</th><th scope="col">Reason</th>
          <th scope="col">Position</th><th scope="col">State</th></tr></thead>
        <tbody>${shown.map((letter) => {
          const key = letter.id;
          return html`<${Letter} key=${key} letter=${WithOutcome(letter, outcomes)} is_open=${key === open_key}
            OnToggle=${() => set_open_key(key === open_key ? null : key)}
            OnOutcome=${(outcome) => set_outcomes((before) => ({ ...before, [key]: outcome }))} />`;
        })}</tbody>
      </table>
      ${shown.length === 0 && html`<p class="muted table-more">None of the newest ${letters.length} has these.</p>`}
    </div>`;
}

const WithOutcome = (letter, outcomes) =>
  outcomes[letter.id] && !kSettled.includes(letter.state)
    ? { ...letter, state: outcomes[letter.id] }
    : letter;

function Filter({ name, letters, value }) {
  const counts = new Map();
  for (const letter of letters)
    if (letter[name]) counts.set(letter[name], (counts.get(letter[name]) ?? 0) + 1);
  if (value && !counts.has(value)) counts.set(value, 0);
  return html`
    <label class="filter ${value ? "set" : ""}"><span>${name[0].toUpperCase() + name.slice(1)}</span>
      <select value=${value} onChange=${(event) => SetParams({ [name]: event.target.value })}>
        <option value="">all</option>
        ${[...counts]
          .sort(([, a], [, b]) => b - a)
          .map(
            ([one, count]) => html`
          <option key=${one} value=${one} selected=${one === value}>${one} (${count})</option>`,
          )}
      </select>
    </label>`;
}

// What can be done with one letter, and what came of it.
function Actions({ letter, OnOutcome }) {
  const [reason, set_reason] = useState("");
  const [is_busy, set_busy] = useState(false);
  const [refusal, set_refusal] = useState(null);
  const [error, set_error] = useState(null);
  const Act = async (action, more) => {
    set_busy(true);
    set_error(null);
    set_refusal(null);
    try {
      const answer = await PostJson("/api/dead-letters/actions", {
        action,
        ids: [letter.id],
        who: "page",
        ...more,
      });
      const [one] = answer.letters;
      if (one.outcome === "refused") set_refusal(one.reason);
      else OnOutcome(one.outcome);
    } catch (failure) {
      set_error(failure);
    }
    set_busy(false);
  };
  if (kSettled.includes(letter.state)) {
    const last = letter.last;
    return html`<p class="muted">${letter.state}${last?.who ? ` by ${last.who}` : ""}${
      last?.topic ? ` to ${last.topic} ${last.partition}:${last.offset ?? "?"}` : ""
    }${last?.reason ? `: ${last.reason}` : ""}</p>`;
  }
  return html`
    <div class="letter-actions">
      <button disabled=${is_busy} onClick=${() => Act("replay", letter.kind === "late" ? { late: true } : {})}>
        ${letter.kind === "late" ? "Replay, though it is late" : letter.state === "edited" ? "Replay as edited" : "Retry"}</button>
      <label>Reason <input value=${reason} disabled=${is_busy} onInput=${(event) => set_reason(event.target.value)} /></label>
      <button disabled=${is_busy || !reason.trim()} onClick=${() => Act("discard", { reason })}>Discard</button>
    </div>
    <p role="status">${refusal && `Refused: ${refusal}`}</p>
    ${error && html`<${ErrorNote} error=${error} />`}`;
}

function Letter({ letter, is_open, OnToggle, OnOutcome }) {
  const has_position = letter.offset !== null && letter.offset !== undefined && letter.offset >= 0;
  return html`
    <tr class=${is_open ? "active" : ""}>
      <td title=${ExactTime(letter.time_ms)}>
        <button class="cell-button" aria-expanded=${is_open ? "true" : "false"} onClick=${OnToggle}>${Time(letter.time_ms)}</button>
      </td>
      <td>${letter.stage}</td>
      <td>${letter.kind}</td>
      <td class="reason">${letter.column && html`<code>${letter.column}</code>: `}${letter.reason}</td>
      <td>${letter.topic}${has_position ? ` ${letter.partition}:${Exact(letter.offset)}` : ""}</td>
      <td class="letter-state">${letter.state}</td>
    </tr>
    ${
      is_open &&
      html`
      <tr class="letter-value"><td colspan="6">
        <p class="muted">${[
          letter.stage,
          letter.table && `table ${letter.table}`,
          letter.topic && `topic ${letter.topic}`,
          has_position && `partition ${letter.partition}, offset ${Exact(letter.offset)}`,
        ]
          .filter(Boolean)
          .join(" · ")}${
            has_position && html` · <${Link} href=${TraceHref(letter)}>Trace this record<//>`
          }</p>
        <pre class="code" tabindex="0">${Bytewise(letter, "value")}</pre>
        ${
          letter.edited_value !== undefined &&
          html`<p class="muted">edited to</p>
          <pre class="code" tabindex="0">${letter.edited_value}</pre>`
        }
        <${Actions} letter=${letter} OnOutcome=${OnOutcome} /></td></tr>`
    }`;
}
