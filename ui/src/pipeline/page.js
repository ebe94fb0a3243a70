// Pipeline, the home: a sentence, what fails, the graph, every stage as a row, and a side panel.
import { html } from "../lib/html.js";
import { SetParams, useRoute } from "../lib/route.js";
import { useStore } from "../lib/store.js";
import { connection, pipeline } from "../lib/live.js";
import { Empty } from "../components/empty.js";
import { Models } from "./models.js";
import { Summary } from "./summary.js";
import { GraphView } from "./graph.js";
import { StageTable } from "./stage_table.js";
import { Panel } from "./panel.js";

const kFirstProject = `millrace init my-pipeline
cd my-pipeline
millrace dev`;

export function PipelinePage() {
  const body = useStore(pipeline);
  const { params } = useRoute();
  const state = useStore(connection, (value) => value.state);
  if (body === null) {
    return html`<h1 class="hidden">Pipeline</h1>
      ${
        state === "disconnected"
          ? html`<${Empty} title="The server does not answer" command="millrace dev">
            This page tries again by itself. If millrace is not running, start it in your project:<//>`
          : html`<p class="loading muted">Loading the pipeline …</p>`
      }`;
  }
  if (body.nodes.length === 0) {
    return html`<h1 class="hidden">Pipeline</h1>
      <${Models} models=${body.models} />
      <${Empty} title="No stages yet" command=${kFirstProject}>
        This page will show your sources, topics, jobs and sinks as they run, with their rates, delays and
        errors. A project gets its stages from the statements in <code>sql/*.sql</code>. To begin with one:
      <//>`;
  }
  const selected = body.nodes.find((node) => node.id === params.node) ?? null;
  return html`
    <h1 class="hidden">Pipeline</h1>
    <div class="pipeline ${params.node ? "with-panel" : ""}">
      <div class="pipeline-main">
        <${Summary} body=${body} />
        <${Models} models=${body.models} />
        <${GraphView} body=${body} selected_id=${selected?.id ?? null} />
        <${StageTable} nodes=${body.nodes} time_ms=${body.time_ms} selected_id=${selected?.id ?? null} />
      </div>
      ${
        params.node &&
        html`
        <${Panel} key=${params.node} id=${params.node} node=${selected} OnClose=${() => SetParams({ node: null })} />`
      }
    </div>`;
}
