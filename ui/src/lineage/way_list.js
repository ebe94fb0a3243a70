// The ways as words, for who wants to read or copy them: one row per step, up first.
import { html } from "../lib/html.js";
import { Href, Link } from "../lib/route.js";
import { kInfluences } from "./ways.js";

export function WayList({ ways, nodes, node, column }) {
  const rows = [...ways.edges].filter((edge) => edge.subtype !== null);
  if (rows.length === 0) {
    const name = nodes.get(node)?.name ?? node;
    return html`<p class="muted">No value of ${column ? `${name}.${column}` : name} comes from or goes to another column.</p>`;
  }
  return html`
    <div class="table-scroll" tabindex="0" role="group" aria-label="Steps">
      <table class="data lineage-steps">
        <caption class="hidden">The steps of the ways</caption>
        <thead><tr><th scope="col">From</th><th scope="col">To</th><th scope="col">How</th><th scope="col">By</th></tr></thead>
        <tbody>
          ${rows.map(
            (edge) => html`<tr key=${JSON.stringify([edge.from, edge.to, edge.subtype, edge.by])}>
              <td><${Place} nodes=${nodes} place=${edge.from} /></td>
              <td><${Place} nodes=${nodes} place=${edge.to} /></td>
              <td>${edge.subtype} <span class="muted">${kInfluences[edge.subtype]}${edge.masking ? ", not readable from it" : ""}</span></td>
              <td>${edge.by ? (nodes.get(edge.by)?.name ?? edge.by) : "the same thing"}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

function Place({ nodes, place }) {
  const name = nodes.get(place.node)?.name ?? place.node;
  return html`<${Link} href=${Href("/lineage", { node: place.node, column: place.column })}>
    ${place.column ? `${name}.${place.column}` : `${name}, all rows`}<//>`;
}
