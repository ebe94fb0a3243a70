// Dashboards: the list of those the project defines, and the chosen one with its filters.
import { useEffect } from "preact/hooks";
import { html } from "../lib/html.js";
import { Href, Link, Navigate, useRoute } from "../lib/route.js";
import { useJson } from "../lib/api.js";
import { Empty } from "../components/empty.js";
import { ErrorNote } from "../components/error_note.js";
import { Board } from "./board.js";

const kExample = `# dashboards/shop.yml
title: Shop
charts:
  - id: views
    title: Views per minute
    type: line
    x: window_start
    y: [views]
    sql: |
      SELECT window_start, sum(view_count) AS views
      FROM page_view_counts GROUP BY window_start`;

export function DashboardsPage() {
  const { path, params } = useRoute();
  const { data: boards, error } = useJson("/api/dashboards");
  const name = decodeURIComponent(path.split("/")[2] ?? "");
  useEffect(() => {
    if (!name && boards?.length > 0) {
      Navigate(Href(`/dashboards/${encodeURIComponent(boards[0].name)}`, params), {
        replace: true,
      });
    }
  }, [name, boards]);

  if (error && !boards)
    return html`<h1 class="hidden">Dashboards</h1><${ErrorNote} error=${error} />`;
  if (!boards)
    return html`<h1 class="hidden">Dashboards</h1><p class="loading muted">Loading …</p>`;
  if (boards.length === 0) {
    return html`<h1 class="hidden">Dashboards</h1>
      <${Empty} title="No dashboards yet" command=${kExample}>
        This page shows charts over the results of your jobs, updated as results are committed. A dashboard is
        a file, so that it is reviewed like code:
      <//>`;
  }
  return html`
    ${
      boards.length > 1 &&
      html`
      <nav class="tabs" aria-label="Dashboards">${boards.map(
        (board) => html`
        <${Link} key=${board.name} href=${Href(`/dashboards/${encodeURIComponent(board.name)}`, { range: params.range })}
          aria-current=${board.name === name ? "page" : null}>${board.title || board.name}<//>`,
      )}</nav>`
    }
    ${name && html`<${Board} key=${name} name=${name} />`}`;
}
