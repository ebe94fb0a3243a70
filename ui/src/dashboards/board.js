// One dashboard: title, filters, time range, charts. Filters and range live in the URL.
import { html } from "../lib/html.js";
import { SetParams, useRoute } from "../lib/route.js";
import { useJson } from "../lib/api.js";
import { ErrorNote } from "../components/error_note.js";
import { ChartFrame } from "./chart_frame.js";

export const kRanges = [
  ["15m", 900e3],
  ["1h", 3600e3],
  ["6h", 6 * 3600e3],
  ["24h", 24 * 3600e3],
  ["7d", 7 * 86400e3],
];
const kRangeDefault = "1h";

export function Board({ name }) {
  const { params } = useRoute();
  const url = `/api/dashboards/${encodeURIComponent(name)}`;
  const { data: board, error } = useJson(url);
  const range =
    kRanges.find(([text]) => text === params.range) ??
    kRanges.find(([text]) => text === kRangeDefault);
  const answer = useJson(board ? DataUrl(url, board, params, range[0]) : null, {
    every_ms: 10000,
    on_data: true,
  });
  if (!board) {
    return html`<h1 class="hidden">Dashboard ${name}</h1>${
      error ? html`<${ErrorNote} error=${error} />` : html`<p class="loading muted">Loading …</p>`
    }`;
  }
  const active = board.filters.filter((filter) => params[filter.name]);
  return html`
    <div class="board-head">
      <div>
        <h1>${board.title || board.name}</h1>
        ${board.description && html`<p class="muted board-text">${board.description}</p>`}
      </div>
      <div class="board-controls">
        ${board.filters.map((filter) => html`<${Filter} key=${filter.name} filter=${filter} value=${params[filter.name] ?? ""} />`)}
        <button class="quiet clear" disabled=${active.length === 0}
          onClick=${() => SetParams(Object.fromEntries(board.filters.map((filter) => [filter.name, null])))}>
          Clear filters</button>
        <div class="ranges" role="group" aria-label="Time range">${kRanges.map(
          ([text]) => html`
          <button key=${text} aria-pressed=${text === range[0] ? "true" : "false"}
            onClick=${() => SetParams({ range: text === kRangeDefault ? null : text })}>${text}</button>`,
        )}</div>
      </div>
    </div>
    ${answer.error && html`<${ErrorNote} error=${answer.error} />`}
    <div class="charts">
      ${board.charts.map(
        (chart) => html`
        <${ChartFrame} key=${chart.id} board=${board} chart=${chart} params=${params} range_ms=${range[1]}
          answer=${answer.data?.charts?.[chart.id] ?? null} time_ms=${answer.data?.time_ms ?? null}
          at_ms=${answer.at_ms} />`,
      )}
    </div>`;
}

function DataUrl(url, board, params, range) {
  const query = new URLSearchParams();
  for (const filter of board.filters)
    if (params[filter.name]) query.set(filter.name, params[filter.name]);
  query.set("since", range);
  return `${url}/data?${query}`;
}

function Filter({ filter, value }) {
  // A shared link may hold a value that is not (or no longer) among the known ones.
  const values =
    value && !filter.values.map(String).includes(value) ? [value, ...filter.values] : filter.values;
  return html`
    <label class="filter ${value ? "set" : ""}">
      <span>${filter.label || filter.name}</span>
      <select value=${value} onChange=${(event) => SetParams({ [filter.name]: event.target.value })}>
        <option value="">all</option>
        ${values.map((one) => html`<option key=${one} value=${one} selected=${String(one) === value}>${one}</option>`)}
      </select>
    </label>`;
}
