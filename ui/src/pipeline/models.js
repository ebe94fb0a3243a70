// What the last change of the models' files amounts to: an error with its place, or what it reaches.
import { html } from "../lib/html.js";
import { ExactTime, Time } from "../lib/format.js";
import { Shape } from "../components/state_mark.js";

export function Models({ models }) {
  if (!models) return null;
  return html`
    <div class=${models.ok ? "models" : "models trouble"} aria-live="polite">
      <${Shape} state=${models.ok ? "running" : "failing"} />
      <div>
        <span class="muted" title=${ExactTime(models.at_ms)}>Models changed at ${Time(models.at_ms)}</span>
        <pre>${models.text}</pre>
      </div>
    </div>`;
}
