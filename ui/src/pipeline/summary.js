// Is it all right? If not, where, since when, and what to do.
import { html } from "../lib/html.js";
import { Href, Link } from "../lib/route.js";
import { useStore } from "../lib/store.js";
import { connection } from "../lib/live.js";
import { Duration, ExactTime, Time } from "../lib/format.js";
import { Shape, StateMark } from "../components/state_mark.js";

const kTroublesShown = 3;

export function Summary({ body }) {
  const is_stale = useStore(connection, (value) => value.state === "disconnected");
  const troubles = body.nodes.filter((node) => node.state === "failing");
  return html`
    <div class="summary">
      <p class="summary-text" aria-live="polite">
        <${Shape} state=${body.summary.ok ? "running" : troubles.length > 0 ? "failing" : "late"} />
        <span>${is_stale && html`<span class="muted" title=${ExactTime(body.time_ms)}>As of ${Time(body.time_ms)}: </span>`}${
          body.summary.text
        }</span>
      </p>
      ${troubles.slice(0, kTroublesShown).map(
        (node) => html`
        <${Trouble} key=${node.id} node=${node} now_ms=${body.time_ms} />`,
      )}
      ${
        troubles.length > kTroublesShown &&
        html`
        <p class="muted">and ${troubles.length - kTroublesShown} more; the table below lists failing stages first</p>`
      }
    </div>`;
}

const Trouble = ({ node, now_ms }) => html`
  <div class="trouble">
    <${StateMark} state="failing" />
    <div>
      <${Link} href=${Href("/pipeline", { node: node.id })}>${node.kind} <b>${node.name}</b><//>
      ${
        node.error?.since_ms &&
        html`
        <span class="muted" title=${ExactTime(node.error.since_ms)}> since ${Time(node.error.since_ms)}
          ${" "}(${Duration(Math.max(1, Math.floor((now_ms - node.error.since_ms) / 1000)) * 1000)})</span>`
      }
      ${node.error && html`<div>${node.error.message}</div>`}
      ${node.error?.hint && html`<div><b>Hint:</b> ${node.error.hint}</div>`}
    </div>
  </div>`;
