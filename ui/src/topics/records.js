// The newest records of one partition. They stand still until asked for again, so they can be read.
import { useEffect, useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { Link, SetParams, useRoute } from "../lib/route.js";
import { GetJson } from "../lib/api.js";
import { Exact, ExactTime, Time } from "../lib/format.js";
import { ErrorNote } from "../components/error_note.js";
import { TraceHref } from "../trace/place.js";

const kRecords = 50;

export function Records({ name, topic }) {
  const { params } = useRoute();
  const partition = Number(params.partition ?? 0) || 0;
  const [round, set_round] = useState(0);
  const [answer, set_answer] = useState({ records: null, error: null });
  useEffect(() => {
    const abort = new AbortController();
    GetJson(
      `/api/topics/${encodeURIComponent(name)}/records?partition=${partition}&offset=-${kRecords}&limit=${kRecords}`,
      abort.signal,
    )
      .then((records) => set_answer({ records: records.reverse(), error: null }))
      .catch((error) => abort.signal.aborted || set_answer({ records: null, error }));
    return () => abort.abort();
  }, [name, partition, round]);
  const count = topic?.partitions.length ?? 1;
  return html`
    <section aria-labelledby="records-of">
      <div class="section-head">
        <h2 id="records-of">Newest records of ${name}</h2>
        ${
          count > 1 &&
          html`<label class="filter"><span>Partition</span>
          <select value=${partition} onChange=${(event) => SetParams({ partition: event.target.value })}>
            ${Array.from({ length: count }, (_, i) => html`<option key=${i} value=${i} selected=${i === partition}>${i}</option>`)}
          </select></label>`
        }
        <button class="quiet" onClick=${() => set_round(round + 1)}>Look again</button>
      </div>
      ${answer.error && html`<${ErrorNote} error=${answer.error} />`}
      ${answer.records?.length === 0 && html`<p class="muted">Partition ${partition} holds no records.</p>`}
      ${
        answer.records?.length > 0 &&
        html`
        <div class="table-scroll" tabindex="0" role="group" aria-label="Records">
          <table class="data">
            <thead><tr><th scope="col" class="number">Offset</th><th scope="col">Written</th><th scope="col">Key</th>
              <th scope="col">Value</th></tr></thead>
            <tbody>${answer.records.map(
              (record) => html`
              <tr key=${record.offset}>
                <td class="number"><${Link} href=${TraceHref({ topic: name, partition, offset: record.offset })}
                  title="Trace this record">${Exact(record.offset)}<//></td>
                <td title=${ExactTime(record.timestamp_ms)}>${Time(record.timestamp_ms)}</td>
                <td class=${record.key === null ? "null" : ""}>${Bytewise(record, "key")}</td>
                <td class="payload">${Bytewise(record, "value")}</td>
              </tr>`,
            )}</tbody>
          </table>
        </div>`
      }
    </section>`;
}

// Bytes that are not text come as base64, and are marked as such.
export function Bytewise(record, field) {
  if (record[`${field}_base64`] !== undefined) {
    return html`<span class="muted">base64 </span>${record[`${field}_base64`]}`;
  }
  return record[field] === null || record[field] === undefined ? "NULL" : record[field];
}
