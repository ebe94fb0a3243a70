// SQL: asks the warehouse, the topics and the system tables. The URL holds the query.
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { Href, Navigate, SetParams, useRoute } from "../lib/route.js";
import { useStore } from "../lib/store.js";
import { pipeline } from "../lib/live.js";
import { PostJson } from "../lib/api.js";
import { Duration, Exact } from "../lib/format.js";
import { DataTable } from "../components/data_table.js";
import { ErrorNote } from "../components/error_note.js";
import { ConditionOf, TableOf } from "../trace/request.js";

export function SqlPage() {
  const { params } = useRoute();
  const [text, set_text] = useState(params.q ?? "");
  const [run, set_run] = useState({ state: "idle", result: null, error: null, at: 0 });
  const editor = useRef();
  const running = useRef(null);
  const tables = useStore(pipeline, TableNames);

  const Run = async (sql) => {
    if (sql.trim() === "") return;
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    set_run((present) => ({ ...present, state: "running" }));
    try {
      const result = await PostJson("/api/sql", { sql }, abort.signal);
      set_run((present) => ({ state: "done", result, error: null, at: present.at + 1 }));
    } catch (error) {
      if (!abort.signal.aborted)
        set_run((present) => ({ state: "done", result: null, error, at: present.at + 1 }));
    }
  };
  useEffect(() => () => running.current?.abort(), []);
  // A link that holds a query shows its answer; so do back and forward.
  useEffect(() => {
    set_text(params.q ?? "");
    if (params.q) Run(params.q);
  }, [params.q]);

  const Submit = () => {
    if (text === params.q) Run(text);
    else SetParams({ q: text });
  };
  const OnKey = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      Submit();
    } else if (event.key === "Escape") {
      editor.current.blur();
    }
  };
  return html`
    <h1>SQL</h1>
    <div class="sql-editor">
      <textarea ref=${editor} class="code" rows="5" spellcheck=${false} autocomplete="off" aria-label="SQL query"
        placeholder="SELECT … FROM …" value=${text} onInput=${(event) => set_text(event.target.value)}
        onKeyDown=${OnKey}></textarea>
      <div class="sql-bar">
        <button class="primary" onClick=${Submit} disabled=${text.trim() === ""}>Run</button>
        <span class="muted"><kbd>Ctrl</kbd> <kbd>Enter</kbd></span>
        <span class="muted sql-state" role="status">${StateText(run)}</span>
      </div>
    </div>
    ${run.error && html`<${ErrorNote} error=${run.error} />`}
    ${
      run.result &&
      html`<div class="sql-result"><${DataTable} key=${run.at} columns=${run.result.columns} rows=${run.result.rows}
      label="Result" rows_max=${1000} Action=${TraceAction(params.q, tables, run.result.columns)} /></div>`
    }
    ${run.state === "idle" && html`<${Examples} tables=${tables} />`}`;
}

const StateText = ({ state, result }) =>
  state === "running"
    ? "running …"
    : result
      ? `${Exact(result.rows.length)} ${result.rows.length === 1 ? "row" : "rows"} in ${Duration(result.elapsed_ms)}`
      : "";

// A row of a table leads to its trace; null: these are not rows of a table that a job writes.
function TraceAction(sql, tables, columns) {
  const sink = TableOf(sql);
  if (!sink || !tables.split("\n").includes(sink)) return null;
  return (row) => {
    const where = ConditionOf(columns, row);
    return (
      where && {
        label: `Trace this row of ${sink}`,
        is_active: false,
        OnClick: () => Navigate(Href("/trace", { sink, where })),
      }
    );
  };
}

// Teaches by what this very pipeline holds.
const Examples = ({ tables }) => html`
  <section class="sql-examples">
    <h2>What can be asked</h2>
    <p class="muted">Results of your jobs are tables, topics can be read like tables, and what runs is in the system tables.</p>
    <ul>${[
      ...tables
        .split("\n")
        .filter(Boolean)
        .map((name) => `SELECT * FROM ${name} LIMIT 100`),
      "SELECT * FROM millrace.jobs",
    ].map(
      (sql) =>
        html`<li key=${sql}><button class="link-button" onClick=${() => SetParams({ q: sql })}><code>${sql}</code></button></li>`,
    )}</ul>
  </section>`;

// A text, so that an update of the rates is not a change.
const TableNames = (body) =>
  (body?.nodes ?? [])
    .filter((node) => node.kind === "table")
    .map((node) => node.name)
    .join("\n");
