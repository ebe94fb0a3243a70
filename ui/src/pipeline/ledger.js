// The ledger: what became of the rows that came in. The job checks it stage by stage (an aggregation
// makes one row of many, so these sums need not add up); it closes, or says what is missing where.
import { html } from "../lib/html.js";
import { Href, Link } from "../lib/route.js";
import { Exact } from "../lib/format.js";
import { Shape } from "../components/state_mark.js";

const kTerms = [
  ["out", "out"],
  ["filtered", "filtered"],
  ["late", "late"],
  ["dead_lettered", "dead-lettered"],
  ["rejected", "refused by the sink's target"],
  ["in_state", "in state"],
];

// Terms whose rows are dead letters.
const kLetters = new Set(["dead_lettered", "rejected"]);

export function Ledger({ ledger, stage }) {
  const missing = ledger.missing ?? 0;
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
              kLetters.has(name) && ledger[name] > 0
                ? html`<${Link} href=${Href("/dead-letters", { stage })}>${word}<//>`
                : word
            }</th>
            <td class="number">${Exact(ledger[name])}</td>
          </tr>`,
          )}
      </tbody>
    </table>
    <p class="ledger-sum">${
      missing === 0
        ? html`<${Shape} state="running" />Closed: every row is accounted for.`
        : html`<${Shape} state="failing" />${Exact(missing)} rows do not add up: ${ledger.gap}.`
    }</p>`;
}
