// What a job does and how it does it: rates, latency, ledger, state, SQL, plan.
import { html } from "../lib/html.js";
import { useJson } from "../lib/api.js";
import { Bytes, Duration, Exact, ExactTime, Rate, Rows, Time } from "../lib/format.js";
import { ErrorNote } from "../components/error_note.js";
import { Sparkline } from "../components/sparkline.js";
import { SqlText } from "../components/sql_text.js";
import { Facts, Part } from "./facts.js";
import { Ledger } from "./ledger.js";
import { Lookups } from "./lookups.js";

export function JobPanel({ node }) {
  const { data: job, error } = useJson(`/api/jobs/${encodeURIComponent(node.name)}`, {
    every_ms: 1000,
  });
  if (job === null) {
    return error ? html`<${ErrorNote} error=${error} />` : html`<p class="muted">Loading …</p>`;
  }
  const { history, latency_ms, ledger } = job;
  return html`
    ${error && html`<${ErrorNote} error=${error} />`}
    ${job.error && !node.error && html`<${ErrorNote} error=${job.error} />`}
    <div class="sparks">
      <${Spark} title="in" rate=${job.rate_in} time_ms=${history?.time_ms} values=${history?.rate_in} />
      <${Spark} title="out" rate=${job.rate_out} time_ms=${history?.time_ms} values=${history?.rate_out} />
    </div>
    <${Facts} facts=${[
      ["Latency", html`p50 ${Duration(latency_ms?.p50)}, p99 ${Duration(latency_ms?.p99)}`],
      ["Lag", Rows(job.lag_rows), Exact(job.lag_rows)],
      ["Watermark", Time(job.watermark_ms), ExactTime(job.watermark_ms)],
      ["Guarantee", job.guarantee ?? "–"],
      ["Epoch", `${Exact(job.epoch)}, checkpoint at ${Exact(job.checkpoint_epoch)}`],
      ["Restarts", Exact(job.restarts)],
      [
        "State",
        `${Rows(job.state_rows)}, ${Bytes(job.state_bytes)}`,
        `${Exact(job.state_rows)} rows, ${Exact(job.state_bytes)} bytes`,
      ],
      ["Freed by", job.state_freed_by || "nothing: it grows with the input"],
    ]} />
    ${job.lookups?.length > 0 && html`<${Part} title="Asks"><${Lookups} lookups=${job.lookups} /><//>`}
    ${ledger && html`<${Part} title="Ledger"><${Ledger} ledger=${ledger} stage=${job.name} /><//>`}
    ${job.sql && html`<${Part} title="SQL"><${SqlText} text=${job.sql} /><//>`}
    ${job.plan && html`<${Part} title="Plan"><pre class="code plan" tabindex="0">${job.plan}</pre><//>`}`;
}

export const Spark = ({ title, rate, time_ms, values }) => html`
  <div class="spark">
    <div class="spark-head"><span class="muted">${title}</span> ${Rate(rate)}</div>
    ${
      time_ms?.length > 1
        ? html`<${Sparkline} time_ms=${time_ms} values=${values} label="rows ${title} per second, now ${Rate(rate)}" />`
        : html`<div class="sparkline muted">no history yet</div>`
    }
  </div>`;
