// One step of a record's way: what was asked, what it became, why it went no further.
import { html } from "../lib/html.js";
import { ExactTime, Time } from "../lib/format.js";
import { Shape } from "../components/state_mark.js";
import { Bytewise } from "../topics/records.js";
import { PlaceLink } from "./place.js";
import { RowText, Rows } from "./rows.js";

export const Refusals = ({ refusals, recorded = false }) =>
  refusals.map(
    (one, i) => html`
    <p key=${i} class="trace-refusal"><${Shape} state=${one.kind === "late" ? "late" : "failing"} />
      <span><b>${recorded ? "dead letter" : "refused"}: ${one.kind}</b> in ${one.stage}: ${one.reason}</span></p>`,
  );

export const NotTold = ({ why }) =>
  why && html`<p class="trace-refusal muted"><${Shape} state="idle" /><span>not told: ${why}</span></p>`;

export function Stage({ stage }) {
  const is_stopped = stage.made.rows.length === 0 && stage.refused.length === 0 && !stage.not_told;
  return html`
    <div class="trace-stage">
      <h3>${stage.name}${stage.version && html` <span class="muted">version <code>${stage.version}</code></span>`}</h3>
      ${stage.versions.map((version, i) => html`<${Version} key=${i} version=${version} />`)}
      ${stage.answers.map((answer, i) => html`<${Answer} key=${i} answer=${answer} />`)}
      ${stage.partners.map(
        (partner) => html`
        <p key=${`${partner.topic} ${partner.partition} ${partner.offset}`}>joined with <${PlaceLink} record=${partner} />${": "}
          <code class="trace-value">${Bytewise(partner, "value")}</code></p>`,
      )}
      ${stage.partners_not_told && html`<p class="muted">joined with: ${stage.partners_not_told}</p>`}
      ${stage.windows.rows.map(
        ([start, end]) => html`<p key=${start + end} class="muted">window <time>${start}</time> to <time>${end}</time></p>`,
      )}
      ${stage.made.rows.length > 0 && html`<${Rows} rows=${stage.made} label="Made by ${stage.name}" />`}
      ${is_stopped && html`<p class="muted">makes no row of it: it is filtered here</p>`}
      <${Refusals} refusals=${stage.refused} />
      <${NotTold} why=${stage.not_told} />
    </div>`;
}

const Version = ({ version }) => html`
  <p>version of <b>${version.table || "a joined table"}</b>: ${RowText(version.row)}
    ${version.record && html` (<${PlaceLink} record=${version.record} />)`}</p>`;

function Answer({ answer }) {
  const said = answer.unusable
    ? `could not be used: ${answer.unusable}`
    : answer.rows.rows.length === 0
      ? "it knew none"
      : answer.rows.rows.map((_, i) => RowText(answer.rows, i)).join("; ");
  return html`
    <p>asked <b>${answer.from}</b> for ${RowText(answer.key)}: ${said}
      <span class="muted">${[
        answer.version && `version ${answer.version}`,
        `epoch ${answer.epoch}`,
        answer.not_sure && `not sure: ${answer.not_sure}`,
      ]
        .filter(Boolean)
        .map((part) => `, ${part}`)}, <span title=${ExactTime(answer.time_ms)}>${Time(answer.time_ms)}</span></span></p>`;
}
