// Trace: the whole way of a record, found by its key, its place, or a row that it became. The URL
// holds which one, so a link shows the same record to somebody else.
import { useEffect, useMemo, useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { useRoute } from "../lib/route.js";
import { PostJson, useJson } from "../lib/api.js";
import { Empty } from "../components/empty.js";
import { ErrorNote } from "../components/error_note.js";
import { Form } from "./form.js";
import { RequestOf } from "./request.js";
import { Way } from "./way.js";

const kNothing = { state: "idle", traces: null, error: null };

export function TracePage() {
  const { params } = useRoute();
  const { data: lineage, error } = useJson("/api/lineage");
  const names = useMemo(() => NamesOf(lineage), [lineage]);
  const request = JSON.stringify(RequestOf(params));
  const [round, set_round] = useState(0);
  const [answer, set_answer] = useState(kNothing);
  useEffect(() => {
    if (request === "null") {
      set_answer(kNothing);
      return undefined;
    }
    const abort = new AbortController();
    set_answer({ ...kNothing, state: "tracing" });
    PostJson("/api/trace", JSON.parse(request), abort.signal)
      .then(({ traces }) => set_answer({ state: "done", traces, error: null }))
      .catch((failure) => abort.signal.aborted || set_answer({ ...kNothing, state: "done", error: failure }));
    return () => abort.abort();
  }, [request, round]);

  if (!lineage) {
    return html`<h1>Trace</h1>
      ${error ? html`<${ErrorNote} error=${error} />` : html`<p class="loading muted">Loading …</p>`}`;
  }
  if (names.tables.length === 0) {
    return html`<h1>Trace</h1><${Teach} title="Nothing to trace yet" />`;
  }
  return html`
    <h1>Trace</h1>
    <${Form} params=${params} names=${names} OnAgain=${() => set_round(round + 1)} />
    <p class="hidden" role="status">${answer.traces ? `${answer.traces.length} found` : answer.state}</p>
    ${answer.state === "idle" && html`<${Teach} title="Which record?" />`}
    ${answer.state === "tracing" && html`<p class="loading muted">Running the record through the plans …</p>`}
    ${answer.error && html`<${ErrorNote} error=${answer.error} />`}
    ${answer.traces?.map(
      (trace, i) => html`<${Way} key=${`${trace.topic} ${trace.partition} ${trace.offset}`} trace=${trace} is_open=${i === 0} />`,
    )}`;
}

const Teach = ({ title }) => html`
  <${Empty} title=${title} command="millrace trace orders --key ord_789">
    This page shows where one record went: its bytes, the checks, what each view and job made of it with the versions
    and answers they used, dead letters, and the rows of the sinks that hold it. Records under Topics and Dead letters
    link here, and so do rows under SQL. The same in a terminal:<//>`;

// What the form offers: tables over topics, topics, and tables that jobs write.
function NamesOf(lineage) {
  const names = { tables: [], topics: [], sinks: [] };
  if (!lineage) return names;
  const kinds = new Map(lineage.nodes.map((node) => [node.id, node.kind]));
  const after = (kind) => new Set(lineage.links.filter(({ from }) => kinds.get(from) === kind).map(({ to }) => to));
  const [over_topics, written] = [after("topic"), after("job")];
  for (const node of lineage.nodes) {
    if (node.kind === "topic") names.topics.push(node.name);
    if (node.kind !== "table") continue;
    if (over_topics.has(node.id)) names.tables.push(node.name);
    if (written.has(node.id)) names.sinks.push(node.name);
  }
  return names;
}
