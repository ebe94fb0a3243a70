// A single number with its change and, over time, a sparkline.
import { useMemo } from "preact/hooks";
import { html } from "../lib/html.js";
import { Exact, Headline, WithUnit } from "../lib/format.js";
import { ErrorNote } from "../components/error_note.js";
import { Sparkline } from "../components/sparkline.js";
import { NumberOf } from "./series.js";

export function NumberChart({ chart, answer }) {
  const shaped = useMemo(() => {
    try {
      return NumberOf(chart, answer);
    } catch (error) {
      return { error };
    }
  }, [chart, answer]);
  if (shaped.error) return html`<${ErrorNote} error=${shaped.error} />`;
  const { value, previous, history } = shaped;
  return html`
    <div class="number-chart">
      <div>
        <div class="number-value" title=${Exact(value)}>${Headline(value, chart.unit)}</div>
        <div class="muted number-change">${Change(value, previous, chart.unit)}</div>
      </div>
      ${history && html`<${Sparkline} time_ms=${history.time_ms} values=${history.values} label="${chart.title} over time" />`}
    </div>`;
}

function Change(value, previous, unit) {
  if (value === null || previous === null) return "\u00a0";
  if (value === previous) return "= as before";
  const arrow = value > previous ? "▲" : "▼";
  // The change of a share is told in points, not in percent of percent.
  if (unit === "%" || previous === 0)
    return `${arrow} ${WithUnit(Math.abs(value - previous), unit === "%" ? "" : unit)}${
      unit === "%" ? " points" : ""
    } from ${Headline(previous, unit)}`;
  return `${arrow} ${WithUnit(Math.abs((100 * (value - previous)) / previous), "%")} from ${Headline(previous, unit)}`;
}
