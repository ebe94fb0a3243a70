// The side panel of the selected stage. The URL holds the selection; Esc or Close ends it.
import { useEffect, useRef } from "preact/hooks";
import { html } from "../lib/html.js";
import { StateMark } from "../components/state_mark.js";
import { ErrorNote } from "../components/error_note.js";
import { Duration, ExactTime, Time } from "../lib/format.js";
import { JobPanel } from "./job_panel.js";
import { NodePanel } from "./node_panel.js";

export function Panel({ id, node, OnClose }) {
  const heading = useRef();
  useEffect(() => {
    // On a phone the panel covers the page, so the focus goes along; beside the graph it stays.
    if (matchMedia("(max-width: 720px)").matches) heading.current?.focus();
  }, []);
  return html`
    <aside class="panel" aria-label="Stage ${node?.name ?? id}">
      <div class="panel-head">
        <div>
          <h2 ref=${heading} tabindex="-1">${node?.name ?? id}</h2>
          ${node && html`<span class="muted">${node.kind}</span> <${StateMark} state=${node.state} />`}
        </div>
        <button class="quiet" onClick=${OnClose}>Close <kbd>Esc</kbd></button>
      </div>
      <div class="panel-body" tabindex="0" role="region" aria-label="Details">
        ${
          node?.error &&
          html`<${ErrorNote} error=${node.error}>
          ${
            node.error.since_ms &&
            html`<div class="muted" title=${ExactTime(node.error.since_ms)}>
            since ${Time(node.error.since_ms)}, ${Duration(Math.max(1, Math.floor((Date.now() - node.error.since_ms) / 1000)) * 1000)}</div>`
          }
        <//>`
        }
        ${
          !node
            ? html`<p>This stage is not part of the pipeline any more.</p>`
            : node.kind === "job"
              ? html`<${JobPanel} node=${node} />`
              : html`<${NodePanel} node=${node} />`
        }
      </div>
    </aside>`;
}
