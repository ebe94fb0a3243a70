// A source, topic, table, sink or collector: rates, positions, and where to look further.
import { html } from "../lib/html.js";
import { useJson } from "../lib/api.js";
import { Href, Link } from "../lib/route.js";
import { HistoryOf } from "../lib/rate_history.js";
import { Bytes, Count, Duration, Exact, ExactTime, Rows, Time } from "../lib/format.js";
import { ReconcilePart } from "../components/checks.js";
import { Facts, Part } from "./facts.js";
import { Spark } from "./job_panel.js";

export function NodePanel({ node }) {
  const history = HistoryOf(node.id);
  return html`
    <div class="sparks">
      ${
        node.rate_in !== null &&
        html`
        <${Spark} title="in" rate=${node.rate_in} time_ms=${history?.time_ms} values=${history?.rate_in} />`
      }
      ${
        node.rate_out !== null &&
        html`
        <${Spark} title="out" rate=${node.rate_out} time_ms=${history?.time_ms} values=${history?.rate_out} />`
      }
    </div>
    <${Facts} facts=${[
      ["Rows in", Count(node.rows_in), Exact(node.rows_in)],
      ["Rows out", Count(node.rows_out), Exact(node.rows_out)],
      ["Lag", Rows(node.lag_rows), Exact(node.lag_rows)],
      node.watermark_ms && ["Watermark", Time(node.watermark_ms), ExactTime(node.watermark_ms)],
      node.watermark_ms && ["Behind", Duration(node.watermark_delay_ms)],
    ]} />
    ${node.kind === "topic" && html`<${TopicPart} name=${node.name} />`}
    ${
      node.kind === "table" &&
      html`
      <p><${Link} href=${Href("/sql", { q: `SELECT * FROM ${Quoted(node.name)} LIMIT 100` })}>Ask this table in SQL<//>; there a click on a row traces it.</p>`
    }
    ${["table", "sink", "source"].includes(node.kind) && html`<${ReconcilePart} table=${node.name} />`}
    ${
      node.kind === "collector" &&
      html`
      <p>Events that are not valid go to the <${Link} href="/dead-letters">dead letters<//>.</p>`
    }`;
}

function TopicPart({ name }) {
  const { data: topic } = useJson(`/api/topics/${encodeURIComponent(name)}`, { every_ms: 2000 });
  return html`
    <${Part} title="Partitions">
      ${
        !topic
          ? html`<p class="muted">Loading …</p>`
          : html`
        <table class="data">
          <thead><tr><th scope="col" class="number">Partition</th><th scope="col" class="number">From offset</th>
            <th scope="col" class="number">To</th><th scope="col" class="number">Size</th></tr></thead>
          <tbody>${topic.partitions.map(
            (partition) => html`
            <tr key=${partition.partition}><td class="number">${partition.partition}</td>
              <td class="number">${Exact(partition.start_offset)}</td>
              <td class="number">${Exact(partition.end_offset)}</td>
              <td class="number">${Bytes(partition.size_bytes)}</td></tr>`,
          )}</tbody>
        </table>`
      }
      <p><${Link} href=${`/topics/${encodeURIComponent(name)}`}>Look at its records<//></p>
    <//>`;
}

const Quoted = (name) =>
  /^[a-z_][a-z0-9_]*$/i.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
