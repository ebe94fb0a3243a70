// Bars over categories: horizontal, zero-based, largest first, the value at the end of the bar. Over
// time the bars stand on the time axis that line and area share.
import { useMemo } from "preact/hooks";
import { html } from "../lib/html.js";
import { useStore } from "../lib/store.js";
import { CurrentTheme, theme } from "../lib/theme.js";
import { Exact, IsTimeType, WithUnit } from "../lib/format.js";
import { ErrorNote } from "../components/error_note.js";
import { ColourOf } from "./colours.js";
import { CanDrill, Drill } from "./drill.js";
import { Categories, ColumnIndex } from "./series.js";
import { TimeChart } from "./time_chart.js";

const kRowsMax = 9;

export function BarChart(props) {
  const { board, chart, params, answer } = props;
  const colours = useStore(theme, () => CurrentTheme());
  const x = ColumnIndex(answer.columns, chart.x);
  const is_time = x >= 0 && IsTimeType(answer.columns[x].type);
  const shaped = useMemo(() => {
    if (is_time) return null;
    try {
      return Categories(chart, answer, kRowsMax);
    } catch (error) {
      return { error };
    }
  }, [chart, answer, is_time]);
  if (is_time) return html`<${TimeChart} ...${props} />`;
  if (shaped.error) return html`<${ErrorNote} error=${shaped.error} />`;

  const { categories, names } = shaped;
  const max = Math.max(1e-9, ...categories.map((category) => category.total));
  const scope = `${board.name}/${chart.series || chart.y.join()}`;
  const is_split = names.length > 1;
  return html`
    ${
      is_split &&
      html`<div class="bar-key">${names.map(
        (name) => html`
      <span key=${name}><span class="swatch" style=${{ background: ColourOf(colours, scope, name) }}></span>${name}</span>`,
      )}</div>`
    }
    <ul class="bars">${categories.map(
      (category) => html`
      <${Bar} key=${category.name} chart=${chart} board=${board} params=${params} category=${category} max=${max}
        colour_of=${(name) => (is_split ? ColourOf(colours, scope, name) : null)} />`,
    )}</ul>`;
}

function Bar({ chart, board, params, category, max, colour_of }) {
  const is_drillable = !category.is_rest && CanDrill(chart, board.filters, chart.x, category.name);
  const is_active = params[chart.click] === category.name;
  const text = html`
    <span class="bar-name">${category.name}</span>
    <span class="bar-track">${category.parts.map(
      (part) => html`
      <span key=${part.name} class="bar-fill" title="${part.name}: ${Exact(part.value)}"
        style=${{ width: `${(100 * Math.max(0, part.value ?? 0)) / max}%`, background: colour_of(part.name) }}></span>`,
    )}</span>
    <span class="bar-value" title=${Exact(category.total)}>${WithUnit(category.total, chart.unit === "%" || chart.unit === "ms" ? chart.unit : "")}</span>`;
  return html`<li>${
    is_drillable
      ? html`<button class="bar ${is_active ? "active" : ""}" aria-pressed=${is_active ? "true" : "false"}
        onClick=${() => Drill(chart, params, category.name)}>${text}</button>`
      : html`<div class="bar ${category.is_rest ? "rest" : ""}">${text}</div>`
  }</li>`;
}
