// What every chart has: a title, how fresh it is, the SQL behind it, its rows, its error. The body
// has a fixed height per type, so nothing moves while data comes and goes.
import { useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { Href, Link } from "../lib/route.js";
import { useClock } from "../lib/store.js";
import { Coarse, Duration } from "../lib/format.js";
import { DataTable } from "../components/data_table.js";
import { ErrorNote } from "../components/error_note.js";
import { SqlText } from "../components/sql_text.js";
import { TimeChart } from "./time_chart.js";
import { BarChart } from "./bar_chart.js";
import { Funnel } from "./funnel.js";
import { TableChart } from "./table_chart.js";
import { NumberChart } from "./number_chart.js";

const kTypes = {
  line: TimeChart,
  area: TimeChart,
  bar: BarChart,
  funnel: Funnel,
  table: TableChart,
  number: NumberChart,
};
const kNamesUnit = new Set(["line", "area", "bar"]);
const kWidths = new Set(["third", "half", "full"]);

export function ChartFrame({ board, chart, params, range_ms, answer, time_ms, at_ms }) {
  const [view, set_view] = useState("chart");
  const Toggle = (name) => set_view((present) => (present === name ? "chart" : name));
  const heading = `chart-${chart.id}`;
  const ignored = board.filters.filter(
    (filter) => params[filter.name] && !chart.filters?.includes(filter.name),
  );
  return html`
    <section class="chart chart-${chart.type} width-${kWidths.has(chart.width) ? chart.width : "half"}"
      aria-labelledby=${heading} data-chart=${chart.id}>
      <div class="chart-head">
        <h2 id=${heading}>${chart.title || chart.id}</h2>
        ${chart.unit && kNamesUnit.has(chart.type) && html`<span class="muted chart-unit">${chart.unit}</span>`}
        ${
          ignored.length > 0 &&
          html`
          <span class="muted chart-note" title="this chart does not have these filters">not filtered by ${ignored
            .map((filter) => filter.label || filter.name)
            .join(", ")}</span>`
        }
        <span class="chart-tools">
          <${Freshness} answer=${answer} at_ms=${at_ms} />
          <button class="quiet" aria-pressed=${view === "rows" ? "true" : "false"} onClick=${() => Toggle("rows")}>rows</button>
          <button class="quiet" aria-pressed=${view === "sql" ? "true" : "false"} onClick=${() => Toggle("sql")}>show SQL</button>
        </span>
      </div>
      <div class="chart-body">
        ${
          view === "sql"
            ? html`<div class="chart-sql"><${SqlText} text=${chart.sql} />
              <${Link} href=${Href("/sql", { q: chart.sql })}>Open on the SQL page<//></div>`
            : html`<${Body} view=${view} board=${board} chart=${chart} params=${params} range_ms=${range_ms}
              answer=${answer} time_ms=${time_ms} />`
        }
      </div>
    </section>`;
}

function Body({ view, board, chart, params, range_ms, answer, time_ms }) {
  if (answer === null) return html`<p class="muted chart-empty">Loading …</p>`;
  if (answer.error) {
    return html`<${ErrorNote} error=${typeof answer.error === "string" ? { message: answer.error } : answer.error} />`;
  }
  if (view === "rows") {
    return html`<${DataTable} columns=${answer.columns} rows=${answer.rows} label="Rows of ${chart.title}" rows_max=${200} />`;
  }
  if (answer.rows.length === 0) {
    return html`<p class="muted chart-empty">No results in this time range${
      Object.keys(params).some((name) => chart.filters?.includes(name)) ? " with these filters" : ""
    }.
      <br />They appear here when a job commits them.</p>`;
  }
  const Type = kTypes[chart.type];
  if (!Type) {
    return html`<${ErrorNote} error=${{
      message: `chart type "${chart.type}" is not known`,
      hint: `use one of ${Object.keys(kTypes).join(", ")}`,
    }} />`;
  }
  return html`<${Type} board=${board} chart=${chart} params=${params} range_ms=${range_ms} answer=${answer}
    time_ms=${time_ms} />`;
}

// Always short, since it stands in a place of fixed width.
const Age = (ms) =>
  ms < 1000 ? Duration(ms) : ms < 60e3 ? Duration(Math.floor(ms / 1000) * 1000) : Coarse(ms);

// The age of the newest result, counted on between answers.
function Freshness({ answer, at_ms }) {
  const now_ms = useClock(1000);
  if (answer === null || answer.fresh_ms === null || answer.fresh_ms === undefined) return null;
  const age_ms = answer.fresh_ms + Math.max(0, now_ms - at_ms);
  return html`<span class="muted fresh" title="age of the newest result">${Age(age_ms)} old</span>`;
}
