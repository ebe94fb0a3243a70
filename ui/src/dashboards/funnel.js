// A funnel: each step as a bar of the first one, with its share of the first and of the step before.
import { html } from "../lib/html.js";
import { Exact, WithUnit } from "../lib/format.js";
import { ErrorNote } from "../components/error_note.js";
import { CanDrill, Drill } from "./drill.js";
import { Steps } from "./series.js";

export function Funnel({ board, chart, params, answer }) {
  let steps;
  try {
    steps = Steps(chart, answer);
  } catch (error) {
    return html`<${ErrorNote} error=${error} />`;
  }
  const first = steps[0]?.value ?? 0;
  const max = Math.max(1e-9, ...steps.map((step) => step.value ?? 0));
  return html`
    <ol class="funnel">${steps.map((step, i) => {
      const before = i > 0 ? steps[i - 1].value : null;
      const is_drillable = CanDrill(chart, board.filters, chart.x, step.name);
      const text = html`
        <span class="funnel-head"><b>${step.name}</b>
          <span class="funnel-value" title=${Exact(step.value)}>${WithUnit(step.value, chart.unit)}</span></span>
        <span class="bar-track"><span class="bar-fill"
          style=${{ width: `${(100 * Math.max(0, step.value ?? 0)) / max}%` }}></span></span>
        <span class="muted funnel-share">${
          i === 0
            ? "\u00a0"
            : `${Share(step.value, before)} of ${steps[i - 1].name}${i > 1 ? `, ${Share(step.value, first)} of ${steps[0].name}` : ""}`
        }</span>`;
      return html`<li key=${step.name}>${
        is_drillable
          ? html`<button class="funnel-step" aria-pressed=${params[chart.click] === step.name ? "true" : "false"}
            onClick=${() => Drill(chart, params, step.name)}>${text}</button>`
          : html`<div class="funnel-step">${text}</div>`
      }</li>`;
    })}</ol>`;
}

const Share = (value, whole) =>
  value === null || !(whole > 0) ? "–" : WithUnit(Math.round((1000 * value) / whole) / 10, "%");
