// The shell: rail (bottom bar on a phone), top line with connection, and the page the URL names.
import { useEffect } from "preact/hooks";
import { html } from "./lib/html.js";
import { useRoute } from "./lib/route.js";
import { useStore } from "./lib/store.js";
import { overlay } from "./lib/keys.js";
import { pipeline } from "./lib/live.js";
import { PageOf } from "./lib/pages.js";
import { Rail } from "./components/rail.js";
import { Status } from "./components/status.js";
import { Search } from "./components/search.js";
import { Help } from "./components/help.js";
import { NotFound } from "./components/empty.js";
import { PipelinePage } from "./pipeline/page.js";
import { DashboardsPage } from "./dashboards/page.js";
import { TopicsPage } from "./topics/page.js";
import { LineagePage } from "./lineage/page.js";
import { TracePage } from "./trace/page.js";
import { SqlPage } from "./sql/page.js";
import { DeadLettersPage } from "./dead_letters/page.js";

const kPageComponents = {
  "/pipeline": PipelinePage,
  "/dashboards": DashboardsPage,
  "/topics": TopicsPage,
  "/lineage": LineagePage,
  "/trace": TracePage,
  "/sql": SqlPage,
  "/dead-letters": DeadLettersPage,
};

export function App() {
  const { path } = useRoute();
  const open = useStore(overlay);
  const project = useStore(pipeline, (body) => body?.project ?? "");
  const page = PageOf(path);
  const Page = page ? kPageComponents[page.path] : NotFound;

  useEffect(() => {
    document.title = [page?.title ?? "Not found", project, "Millrace"].filter(Boolean).join(" · ");
  }, [page, project]);

  return html`
    <a class="skip" href="#main">Skip to the page</a>
    <${Rail} page=${page} />
    <header class="top">
      <span class="top-project">${project || "Millrace"}</span>
      <${Status} />
      <button class="quiet top-search" onClick=${() => overlay.Set("search")}>
        Search <kbd>/</kbd>
      </button>
      <button class="quiet" onClick=${() => overlay.Set("help")} aria-label="Help"><kbd>?</kbd></button>
    </header>
    <main id="main" tabindex="-1"><${Page} key=${page?.path} /></main>
    ${open === "search" && html`<${Search} />`}
    ${open === "help" && html`<${Help} />`}`;
}
