// Reconciliations beside what they compare: the newest result of each, as shape and word.
import { useEffect, useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { Href, Link } from "../lib/route.js";
import { PostJson, useJson } from "../lib/api.js";
import { Exact, ExactTime, Time } from "../lib/format.js";
import { Part } from "../pipeline/facts.js";
import { Shape } from "./state_mark.js";

const kEveryMs = 10000;
const kNewest = `SELECT name, time_ms, ok, missing, extra, changed, error FROM millrace.reconciliations
QUALIFY row_number() OVER (PARTITION BY name ORDER BY time_ms DESC) = 1`;

// By check: {time_ms, ok, missing, extra, changed, error}. Asked for only where a lineage has checks.
export function useCheckResults(lineage) {
  const has_checks = lineage?.nodes.some((node) => node.kind === "check") ?? false;
  const [results, set_results] = useState({});
  useEffect(() => {
    if (!has_checks) return undefined;
    const abort = new AbortController();
    const Ask = () =>
      PostJson("/api/sql", { sql: kNewest }, abort.signal)
        .then(({ rows }) => set_results(ResultsOf(rows)))
        .catch(() => {}); // what was said last stays; the page itself says that the server is away
    Ask();
    const timer = setInterval(Ask, kEveryMs);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [has_checks]);
  return results;
}

export const ResultsOf = (rows) =>
  Object.fromEntries(
    rows.map(([name, time_ms, ok, missing, extra, changed, error]) => [
      name,
      { time_ms, ok, missing, extra, changed, error },
    ]),
  );

export function CheckWord(result) {
  if (!result) return { state: "idle", word: "not asked yet" };
  if (result.error) return { state: "failing", word: "could not be asked" };
  return result.ok ? { state: "running", word: "agrees" } : { state: "failing", word: "does not agree" };
}

// The checks of a table, in the panel of its stage. Nothing where it has none.
export function ReconcilePart({ table }) {
  const { data: lineage } = useJson("/api/lineage");
  const results = useCheckResults(lineage);
  const checks = (lineage?.links ?? [])
    .filter(({ from, to }) => from === `table:${table}` && to.startsWith("check:"))
    .map(({ to }) => to.slice("check:".length));
  if (checks.length === 0) return null;
  return html`
    <${Part} title="Reconciled">${checks.map((name) => html`<${Check} key=${name} name=${name} result=${results[name]} />`)}<//>`;
}

function Check({ name, result }) {
  const { state, word } = CheckWord(result);
  const differs = ["missing", "extra", "changed"]
    .filter((kind) => result?.[kind] > 0)
    .map((kind) => `${Exact(result[kind])} ${kind}`);
  return html`
    <p><${Shape} state=${state} /> <${Link} href=${Href("/lineage", { node: `check:${name}` })}>${name}<//>
      ${` ${[word, ...differs].join(", ")}`}
      ${result && html`<span class="muted" title=${ExactTime(result.time_ms)}>, ${Time(result.time_ms)}</span>`}</p>
    ${result?.error && html`<p class="muted">${result.error}</p>`}`;
}
