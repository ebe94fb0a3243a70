// A result table: typed columns, numbers right-aligned, NULL told apart from text, sortable.
import { useMemo, useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { Cell, Exact, ExactTime, IsNumberType, IsTimeType } from "../lib/format.js";

// columns: [{name, type}]; rows: arrays. `Action(row)` may return {label, OnClick, is_active} and
// makes the row's first cell a button.
export function DataTable({ columns, rows, label, rows_max = 1000, Action = null }) {
  const [sort, set_sort] = useState(null); // {column, descending}
  const sorted = useMemo(() => Sorted(rows, sort), [rows, sort]);
  const OnSort = (column) =>
    set_sort((present) =>
      present?.column !== column
        ? { column, descending: IsNumberType(columns[column].type) }
        : present.descending === IsNumberType(columns[column].type)
          ? { column, descending: !present.descending }
          : null,
    );
  return html`
    <div class="table-scroll" tabindex="0" role="group" aria-label=${label}>
      <table class="data">
        <thead><tr>
          ${columns.map(
            (column, i) => html`
            <th key=${i} class=${IsNumberType(column.type) ? "number" : ""} scope="col"
              aria-sort=${sort?.column === i ? (sort.descending ? "descending" : "ascending") : "none"}>
              <button onClick=${() => OnSort(i)} title="${column.type}: sort">
                ${column.name}<span class="sort" aria-hidden="true">${
                  sort?.column === i ? (sort.descending ? "▾" : "▴") : ""
                }</span>
              </button>
            </th>`,
          )}
        </tr></thead>
        <tbody>
          ${sorted.slice(0, rows_max).map(
            (row, r) => html`
            <${Row} key=${r} columns=${columns} row=${row} action=${Action ? Action(row) : null} />`,
          )}
        </tbody>
      </table>
      ${
        rows.length > rows_max &&
        html`
        <p class="muted table-more">${Exact(rows.length - rows_max)} more rows are not shown.</p>`
      }
      ${rows.length === 0 && html`<p class="muted table-more">No rows.</p>`}
    </div>`;
}

const Row = ({ columns, row, action }) => html`
  <tr class=${action?.is_active ? "active" : ""}>
    ${columns.map((column, i) => {
      const text = Cell(row[i], column.type);
      const classes = [IsNumberType(column.type) && "number", row[i] === null && "null"];
      const exact =
        IsTimeType(column.type) && typeof row[i] === "number" ? ExactTime(row[i]) : text;
      return html`<td key=${i} class=${classes.filter(Boolean).join(" ")} title=${exact}>
        ${
          i === 0 && action
            ? html`
          <button class="cell-button" aria-pressed=${action.is_active ? "true" : "false"}
            aria-label=${action.label} onClick=${action.OnClick}>${text}</button>`
            : text
        }
      </td>`;
    })}
  </tr>`;

function Sorted(rows, sort) {
  if (!sort) return rows;
  const { column, descending } = sort;
  const direction = descending ? -1 : 1;
  // NULLs last, whichever the direction.
  return [...rows].sort((a, b) => {
    const [x, y] = [a[column], b[column]];
    if (x === null || y === null) return (x === null) - (y === null);
    return x < y ? -direction : x > y ? direction : 0;
  });
}
