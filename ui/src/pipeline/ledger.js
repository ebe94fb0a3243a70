// The ledger: in = out + filtered + late + deduplicated + dead-lettered + in state. It closes, or
// says what is missing.
import { html } from "../lib/html.js";
import { Href, Link } from "../lib/route.js";
import { Exact } from "../lib/format.js";
import { Shape } from "../components/state_mark.js";

const kTerms = [
  ["out", "out"],
  ["filtered", "filtered"],
  ["late", "late"],
  ["deduplicated", "deduplicated"],
  ["dead_lettered", "dead-lettered"],
  ["in_state", "in state"],
];

// Added up here from the numbers that are shown, so that the sentence can not contradict the table.
export function Missing(ledger) {
  return kTerms.reduce((rest, [name]) => rest - (ledger[name] ?? 0), ledger.in ?? 0);
}

export function Ledger({ ledger, stage }) {
  const missing = Missing(ledger);
  return html`
    <table class="ledger">
      <tbody>
        <tr><th scope="row">in</th><td class="number">${Exact(ledger.in)}</td></tr>
        ${kTerms
          .filter(([name]) => ledger[name] !== undefined)
          .map(
            ([name, word]) => html`
          <tr key=${name} class=${ledger[name] === 0 ? "muted" : ""}>
            <th scope="row">${
              name === "dead_lettered" && ledger[name] > 0
                ? html`<${Link} href=${Href("/dead-letters", { stage })}>${word}<//>`
                : word
            }</th>
            <td class="number">${Exact(ledger[name])}</td>
          </tr>`,
          )}
      </tbody>
    </table>
    <p class="ledger-sum">${
      ledger.missing === null
        ? "Counted per job: an aggregation makes one row of many, so these need not add up."
        : missing === 0
        ? html`<${Shape} state="running" />Closed: every row is accounted for.`
        : html`<${Shape} state="failing" />${
            missing > 0
              ? `${Exact(missing)} rows are missing.`
              : `${Exact(-missing)} rows too many.`
          }`
    }</p>`;
}
