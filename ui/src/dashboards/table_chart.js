// A table of results. With `click`, a row sets the filter of the column with that name.
import { html } from "../lib/html.js";
import { DataTable } from "../components/data_table.js";
import { CanDrill, Drill } from "./drill.js";
import { ColumnIndex } from "./series.js";

export function TableChart({ board, chart, params, answer }) {
  const named = chart.click ? ColumnIndex(answer.columns, chart.click) : -1;
  const column = named >= 0 ? named : 0;
  const Action = !chart.click
    ? null
    : (row) => {
        const value = row[column];
        if (!CanDrill(chart, board.filters, answer.columns[column]?.name, value)) return null;
        const is_active = params[chart.click] === String(value);
        return {
          label: `${is_active ? "unset" : "set"} ${chart.click} ${value}`,
          is_active,
          OnClick: () => Drill(chart, params, value),
        };
      };
  return html`<${DataTable} columns=${answer.columns} rows=${answer.rows} label=${chart.title} rows_max=${200} Action=${Action} />`;
}
