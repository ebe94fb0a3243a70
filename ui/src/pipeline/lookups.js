// What a job asks other systems: one line for each table or function.
import { html } from "../lib/html.js";
import { Duration, Exact } from "../lib/format.js";
import { Facts } from "./facts.js";

export const Lookups = ({ lookups }) => html`<${Facts} facts=${lookups.map(factOf)} />`;

function factOf(lookup) {
  const { name, latency_ms, waiting_ms, circuit, version } = lookup;
  const notes = [
    `${Exact(lookup.keys)} keys in ${Exact(lookup.requests)} requests`,
    lookup.missing > 0 && `${Exact(lookup.missing)} missing`,
    lookup.unusable > 0 && `${Exact(lookup.unusable)} unusable`,
    lookup.errors > 0 && `${Exact(lookup.errors)} failed`,
    circuit !== "closed" && `circuit ${circuit}`,
    version && `version ${version}`,
  ].filter(Boolean);
  return [
    name,
    html`p50 ${Duration(latency_ms.p50)}, p99 ${Duration(latency_ms.p99)}${
      waiting_ms > 0 && html`, waits ${Duration(waiting_ms)}`
    }; ${notes.join(", ")}`,
  ];
}
