// Every stage as a row: the graph in numbers, most urgent first.
import { useMemo, useRef } from "preact/hooks";
import { html } from "../lib/html.js";
import { Href, Link } from "../lib/route.js";
import { Coarse, Count, Exact, ExactTime, Rate } from "../lib/format.js";
import { AbnormalDelay, AbnormalLag, StateOf } from "../lib/states.js";
import { StateMark } from "../components/state_mark.js";

const kEveryMs = 1000; // digits that change faster cannot be read

export function StageTable({ nodes, time_ms, selected_id }) {
  const states = nodes.map((node) => node.id + node.state).join("\n");
  const shown = useRef(null);
  if (
    shown.current === null ||
    shown.current.states !== states ||
    time_ms - shown.current.time_ms >= kEveryMs - 50
  ) {
    shown.current = { nodes, states, time_ms };
  }
  const held = shown.current;
  return useMemo(
    () => html`<${Table} nodes=${held.nodes} selected_id=${selected_id} />`,
    [held, selected_id],
  );
}

function Table({ nodes, selected_id }) {
  // Sorted by state only, and in the server's order within one: rows do not wander with the rates.
  const order = nodes.map((node) => node.id + node.state).join("\n");
  const sorted_ids = useMemo(
    () =>
      nodes
        .map((node, i) => [StateOf(node.state).urgency, i, node.id])
        .sort((a, b) => a[0] - b[0] || a[1] - b[1])
        .map(([, , id]) => id),
    [order],
  );
  const by_id = new Map(nodes.map((node) => [node.id, node]));
  return html`
    <section class="stages" aria-label="Stages">
      <div class="table-scroll" tabindex="0" role="group" aria-label="Table of stages">
        <table class="data stage-table">
          <thead><tr>
            <th scope="col">Stage</th><th scope="col">Kind</th><th scope="col">State</th>
            <th scope="col" class="number">In</th><th scope="col" class="number">Out</th>
            <th scope="col" class="number">Rows in</th><th scope="col" class="number">Lag</th>
            <th scope="col" class="number"><abbr title="how far the watermark is behind the clock">Behind</abbr></th>
          </tr></thead>
          <tbody>${sorted_ids.map(
            (id) =>
              by_id.has(id) &&
              html`
            <${Row} key=${id} node=${by_id.get(id)} is_selected=${id === selected_id} />`,
          )}</tbody>
        </table>
      </div>
    </section>`;
}

function Row({ node, is_selected }) {
  const delay =
    node.watermark_delay_ms === null || node.watermark_delay_ms === undefined
      ? "–"
      : Coarse(node.watermark_delay_ms);
  const cells = [
    Rate(node.rate_in),
    Rate(node.rate_out),
    Count(node.rows_in),
    Count(node.lag_rows),
    delay,
  ];
  return useMemo(
    () => html`
    <tr class=${is_selected ? "active" : ""}>
      <td><${Link} href=${Href("/pipeline", { node: node.id })}>${node.name}<//></td>
      <td class="muted">${node.kind}</td>
      <td><${StateMark} state=${node.state} /></td>
      <td class="number">${cells[0]}</td>
      <td class="number">${cells[1]}</td>
      <td class="number" title=${Exact(node.rows_in)}>${cells[2]}</td>
      <td class="number ${AbnormalLag(node) ? "alarm" : ""}" title=${Exact(node.lag_rows)}>${cells[3]}</td>
      <td class="number ${AbnormalDelay(node) ? "alarm" : ""}" title=${ExactTime(node.watermark_ms)}>${cells[4]}</td>
    </tr>`,
    [node.id, node.name, node.kind, node.state, is_selected, ...cells],
  );
}
