// Lineage: every table with its columns; a click on one shows where it comes from and goes to.
import { useMemo } from "preact/hooks";
import { html } from "../lib/html.js";
import { Href, Link, SetParams, useRoute } from "../lib/route.js";
import { useJson } from "../lib/api.js";
import { CheckWord, useCheckResults } from "../components/checks.js";
import { Empty } from "../components/empty.js";
import { ErrorNote } from "../components/error_note.js";
import { Shape } from "../components/state_mark.js";
import { EdgePath, LayOut, kHead, kRow, kWidth } from "./layout.js";
import { PlaceKey, WaysOf } from "./ways.js";
import { WayList } from "./way_list.js";

export function LineagePage() {
  const { params } = useRoute();
  const { data, error } = useJson("/api/lineage");
  if (error && !data) {
    return html`<h1 class="hidden">Lineage</h1>
      <${ErrorNote} error=${error} />`;
  }
  if (!data) {
    return html`<h1 class="hidden">Lineage</h1><p class="loading muted">Loading the lineage …</p>`;
  }
  if (data.nodes.length === 0) {
    return html`<h1 class="hidden">Lineage</h1>
      <${Empty} title="No tables yet" command="millrace lineage">
        This page will show which columns your tables come from, from the collector to the dashboards, as the
        statements in <code>sql/*.sql</code> say it. The same in a terminal:
      <//>`;
  }
  return html`<h1 class="hidden">Lineage</h1>
    <${LineageGraph} body=${data} node=${params.node ?? null} column=${params.column ?? null} />`;
}

function LineageGraph({ body, node, column }) {
  const layout = useMemo(() => LayOut(body), [body]);
  const nodes = useMemo(() => new Map(body.nodes.map((entry) => [entry.id, entry])), [body]);
  const ways = useMemo(
    () => (node && nodes.has(node) ? WaysOf(body, node, column) : null),
    [body, nodes, node, column],
  );
  const on_the_way = useMemo(() => NodesOf(ways), [ways]);
  const results = useCheckResults(body);
  return html`
    <div class="lineage">
      <${Sentence} nodes=${nodes} node=${node} column=${column} />
      <section class="graph" aria-label="Graph of the lineage">
        <div class="graph-frame lineage-frame" tabindex="0" role="group" aria-label="Tables, in the order of the flow">
          <div class="lineage-canvas" style=${{ width: `${layout.width}px`, height: `${layout.height}px` }}>
            <svg class="edges" width=${layout.width} height=${layout.height} aria-hidden="true">
              ${layout.links.map((path) => html`<path class="edge ${ways ? "still" : ""}" d=${path} />`)}
              ${
                ways &&
                [...ways.edges].map((edge) => {
                  const path = EdgePath(layout.boxes, nodes, edge);
                  return (
                    path &&
                    html`<path class="way ${edge.type === "DIRECT" ? "" : "indirect"}" d=${path}>
                      <title>${edge.subtype ?? "rows"}</title></path>`
                  );
                })
              }
            </svg>
            ${body.nodes.map(
              (entry) => html`<${Box} key=${entry.id} node=${entry} box=${layout.boxes.get(entry.id)}
                ways=${ways} is_on=${on_the_way?.has(entry.id)} is_selected=${entry.id === node}
                column=${entry.id === node ? column : null} result=${results[entry.name]} />`,
            )}
          </div>
        </div>
      </section>
      ${ways && html`<${WayList} ways=${ways} nodes=${nodes} node=${node} column=${column} />`}
    </div>`;
}

function NodesOf(ways) {
  if (!ways) return null;
  const ids = new Set([...ways.places].map((key) => key.split("\t")[0]));
  for (const edge of ways.edges) if (edge.by) ids.add(edge.by);
  return ids;
}

function Sentence({ nodes, node, column }) {
  if (!node) {
    return html`<p class="summary-text">Choose a table or a column to see where it comes from and where it goes.</p>`;
  }
  const entry = nodes.get(node);
  if (!entry) {
    return html`<p class="summary-text">The project has no “${node}” any more.</p>`;
  }
  return html`<p class="summary-text">
    <span>The ways of <b>${column ? `${entry.name}.${column}` : entry.name}</b>: solid lines carry its values,
      dashed ones decide which rows or values there are.</span>
    <button class="quiet" onClick=${() => SetParams({ node: null, column: null })}>Show all</button>
  </p>`;
}

function Box({ node, box, ways, is_on, is_selected, column, result }) {
  const check = node.kind === "check" ? CheckWord(result) : null;
  const classes = [
    "lineage-box",
    `lineage-${node.kind}`,
    ways && !is_on ? "off" : "",
    is_selected && !column ? "selected" : "",
  ].join(" ");
  return html`
    <div class=${classes} style=${{
      left: `${box.x}px`,
      top: `${box.y}px`,
      width: `${kWidth}px`,
      height: `${box.height}px`,
    }}>
      <${Link} class="lineage-head" style=${{ height: `${kHead}px` }} href=${Href("/lineage", { node: node.id })}
        aria-current=${is_selected && !column ? "true" : null}>
        <span class="lineage-kind">${node.kind}${node.connector ? ` · ${node.connector}` : ""}${
          check && html` · <${Shape} state=${check.state} /> ${check.word}`
        }</span>
        <span class="lineage-name" title=${node.note ?? node.name}>${node.name}${node.note ? " (?)" : ""}</span>
      <//>
      ${node.columns.map(
        (entry) => html`<${Link} key=${entry.name} style=${{ height: `${kRow}px` }}
          class="lineage-column ${ways?.places.has(PlaceKey(node.id, entry.name)) ? "on" : ""} ${
            column === entry.name ? "selected" : ""
          }" aria-current=${column === entry.name ? "true" : null}
          href=${Href("/lineage", { node: node.id, column: entry.name })}>
          <span class="lineage-name">${entry.name}</span><span class="lineage-type">${entry.type.toLowerCase()}</span>
        <//>`,
      )}
    </div>`;
}
