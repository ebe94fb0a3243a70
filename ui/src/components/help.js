// `?`: the keys.
import { html } from "../lib/html.js";
import { kPages } from "../lib/pages.js";
import { overlay } from "../lib/keys.js";
import { Dialog } from "./dialog.js";

export const Help = () => html`
  <${Dialog} label="Keyboard">
    <div class="dialog-head">
      <h2>Keyboard</h2>
      <button class="quiet" onClick=${() => overlay.Set(null)}>Close</button>
    </div>
    <dl class="keys">
      <dt><kbd>/</kbd></dt><dd>search stages, dashboards, topics</dd>
      ${kPages.map((page) => html`<dt><kbd>g</kbd> <kbd>${page.key}</kbd></dt><dd>go to ${page.title}</dd>`)}
      <dt><kbd>Tab</kbd> <kbd>Enter</kbd></dt><dd>walk through stages and marks, open one</dd>
      <dt><kbd>Ctrl</kbd> <kbd>Enter</kbd></dt><dd>run the query on the SQL page</dd>
      <dt><kbd>Esc</kbd></dt><dd>close what is open</dd>
      <dt><kbd>?</kbd></dt><dd>this list</dd>
    </dl>
    <p class="muted">Everything shown here comes from the HTTP API under <code>/api</code>. The address bar
      holds selection, filters and time range: copy it to share what you see.</p>
  <//>`;
