// The way of one record: its bytes, the tables over its topic, their jobs, the rows of the sinks,
// and onward where a sink is a topic.
import { html } from "../lib/html.js";
import { Exact, ExactTime, Time } from "../lib/format.js";
import { Href, Link } from "../lib/route.js";
import { Shape } from "../components/state_mark.js";
import { Bytewise } from "../topics/records.js";
import { PlaceLink } from "./place.js";
import { Rows } from "./rows.js";
import { NotTold, Refusals, Stage } from "./stage.js";
import { SummaryOf, VerdictOf } from "./verdict.js";

export const Way = ({ trace, is_open }) => html`
  <details class="trace" open=${is_open}>
    <summary><b>${trace.topic} ${trace.partition}:${Exact(trace.offset)}</b>
      <span class="muted">${SummaryOf(trace)}</span></summary>
    <ol class="trace-steps">
      <${Record} trace=${trace} />
      ${trace.tables.map((table) => html`<${Table} key=${table.table} table=${table} />`)}
    </ol>
  </details>`;

const Record = ({ trace }) => html`
  <li class="trace-step">
    <h2><span>record <${PlaceLink} record=${trace} /></span></h2>
    <p class="muted">written <span title=${ExactTime(trace.timestamp_ms)}>${Time(trace.timestamp_ms)}</span>,
      key <code>${Bytewise(trace, "key")}</code></p>
    <pre class="code trace-bytes" tabindex="0" aria-label="Bytes of the record">${Bytewise(trace, "value")}</pre>
    <${Refusals} refusals=${trace.dead_letters} recorded=${true} />
  </li>`;

const Table = ({ table }) => html`
  <li class="trace-step">
    <h2><span>table <${Link} href=${Href("/lineage", { node: `table:${table.table}` })}>${table.table}<//></span></h2>
    ${table.decoded.made.rows.length > 0 && html`<${Rows} rows=${table.decoded.made} label="Row of ${table.table}" />`}
    <${Refusals} refusals=${table.decoded.refused} />
    <${NotTold} why=${table.decoded.not_told} />
    ${table.checks.map((check) => html`<${Check} key=${check.name} check=${check} />`)}
    ${table.time_column && html`<p class="muted">event time <code>${table.time_column}</code>: ${table.time ?? "none"}</p>`}
  </li>
  ${table.jobs.map((job) => html`<${Job} key=${job.job} job=${job} />`)}`;

function Check({ check }) {
  const [state, text] =
    check.verdict === null
      ? ["idle", "unknown, which passes"]
      : check.verdict === "true"
        ? ["running", "holds"]
        : ["failing", `violated, on violation ${check.on_violation}`];
  return html`<p class="trace-refusal"><${Shape} state=${state} />
    <span>CHECK ${check.name} <code>${check.expression}</code>: ${text}</span></p>`;
}

function Job({ job }) {
  const verdict = VerdictOf(job);
  return html`
    <li class="trace-step">
      <h2><span>job <${Link} href=${Href("/pipeline", { node: `job:${job.job}` })}>${job.job}<//></span>
        <span class="state"><${Shape} state=${verdict.state} />${verdict.word}</span></h2>
      ${job.stages.map((stage) => html`<${Stage} key=${stage.name} stage=${stage} />`)}
      <${Refusals} refusals=${job.dead_letters} recorded=${true} />
      <${Sink} job=${job} />
    </li>
    ${job.onward.map(
      (trace) => html`
      <li key=${`${trace.topic} ${trace.partition} ${trace.offset}`} class="trace-onward">
        <${Way} trace=${trace} is_open=${true} /></li>`,
    )}`;
}

const Sink = ({ job }) => html`
  <div class="trace-stage">
    <h3>sink ${job.sink}${job.found_by && html` <span class="muted">by ${job.found_by}</span>`}</h3>
    ${
      job.in_sink.rows.length > 0
        ? html`<${Rows} rows=${job.in_sink} label="Rows of ${job.sink}" />`
        : html`<p class="muted">${job.found_by ? "no row of it is there now" : "not looked for: there is no row to look for"}</p>`
    }
    ${job.differences.map((text) => html`<p key=${text} class="trace-refusal"><${Shape} state="catching_up" /><span>differs: ${text}</span></p>`)}
    <${NotTold} why=${job.stages.some((stage) => stage.not_told === job.not_told) ? null : job.not_told} />
    <p class="muted">${
      job.commit
        ? html`read in epoch ${Exact(job.commit.epoch)}, committed <span title=${ExactTime(job.commit.time_ms)}>${Time(job.commit.time_ms)}</span>`
        : "epoch and time of the commit are not recorded"
    }</p>
  </div>`;
