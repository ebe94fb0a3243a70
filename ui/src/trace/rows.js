// Rows as a trace has them: columns by name, values as text, NULL told apart from text.
import { html } from "../lib/html.js";

export const Rows = ({ rows, label }) => html`
  <div class="table-scroll" tabindex="0" role="group" aria-label=${label}>
    <table class="data">
      <thead><tr>${rows.columns.map((name) => html`<th key=${name} scope="col">${name}</th>`)}</tr></thead>
      <tbody>${rows.rows.map(
        (row, r) => html`<tr key=${r}>${row.map(
          (cell, c) =>
            html`<td key=${c} class=${cell === null ? "null" : ""} title=${cell ?? "NULL"}>${cell ?? "NULL"}</td>`,
        )}</tr>`,
      )}</tbody>
    </table>
  </div>`;

// "currency=EUR, day=2026-03-01"
export const RowText = (rows, index = 0) =>
  rows.columns.map((name, c) => `${name}=${rows.rows[index]?.[c] ?? "NULL"}`).join(", ");
