// Topics: what the log holds, and a look at a topic's newest records.
import { html } from "../lib/html.js";
import { Href, Link, useRoute } from "../lib/route.js";
import { useJson } from "../lib/api.js";
import { Bytes, Count, Duration, Exact, Rate } from "../lib/format.js";
import { Empty } from "../components/empty.js";
import { ErrorNote } from "../components/error_note.js";
import { Records } from "./records.js";

const kSend = `curl -X POST ${location.origin}/v1/events/page-views \\
  -d '{"user_id": "u1", "page_url": "/", "event_time": "2025-11-21 10:00:00"}'`;

export function TopicsPage() {
  const { path } = useRoute();
  const name = decodeURIComponent(path.split("/")[2] ?? "");
  const { data: topics, error } = useJson("/api/topics", { every_ms: 2000 });
  return html`
    <h1>Topics</h1>
    ${error && html`<${ErrorNote} error=${error} />`}
    ${
      !topics
        ? !error && html`<p class="loading muted">Loading …</p>`
        : topics.length === 0
          ? html`
        <${Empty} title="No topics yet" command=${kSend}>
          This page lists the topics of the log with their size and rate, and shows their records. A topic comes
          with the table that reads it; then send it an event:<//>`
          : html`<${TopicTable} topics=${topics} selected=${name} />`
    }
    ${name && html`<${Records} key=${name} name=${name} topic=${topics?.find((topic) => topic.name === name)} />`}`;
}

const TopicTable = ({ topics, selected }) => html`
  <div class="table-scroll" tabindex="0" role="group" aria-label="Topics">
    <table class="data">
      <thead><tr>
        <th scope="col">Topic</th><th scope="col" class="number">Partitions</th><th scope="col" class="number">In</th>
        <th scope="col" class="number">Records</th><th scope="col" class="number">Size</th>
        <th scope="col" class="number">Kept for</th>
      </tr></thead>
      <tbody>${topics.map(
        (topic) => html`
        <tr key=${topic.name} class=${topic.name === selected ? "active" : ""}>
          <td><${Link} href=${Href(`/topics/${encodeURIComponent(topic.name)}`)}
            aria-current=${topic.name === selected ? "true" : null}>${topic.name}<//></td>
          <td class="number">${topic.partitions.length}</td>
          <td class="number">${Rate(topic.rate_in)}</td>
          <td class="number" title=${Exact(topic.records)}>${Count(topic.records)}</td>
          <td class="number" title="${Exact(topic.size_bytes)} bytes">${Bytes(topic.size_bytes)}</td>
          <td class="number">${topic.retention_ms > 0 ? Duration(topic.retention_ms) : "ever"}</td>
        </tr>`,
      )}</tbody>
    </table>
  </div>`;
