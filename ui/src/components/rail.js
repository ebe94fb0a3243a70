// Navigation: a rail on a wide screen, a bottom bar on a phone.
import { html } from "../lib/html.js";
import { Link } from "../lib/route.js";
import { useStore } from "../lib/store.js";
import { pipeline } from "../lib/live.js";
import { kPages } from "../lib/pages.js";
import { Shape } from "./state_mark.js";

export function Rail({ page }) {
  const failing = useStore(pipeline, CountFailing);
  const version = useStore(pipeline, (body) => body?.version ?? null);
  return html`
    <nav class="rail" aria-label="Pages">
      <div class="brand">Millrace</div>
      ${kPages.map(
        (entry) => html`
        <${Link} key=${entry.path} href=${entry.path} class="rail-link"
          aria-current=${entry === page ? "page" : null}>
          <span class="rail-title">${entry.title}</span>
          ${
            entry.path === "/pipeline" &&
            failing > 0 &&
            html`
            <span class="rail-alert" title="${failing} failing">
              <${Shape} state="failing" />${failing}<span class="hidden"> failing</span>
            </span>`
          }
          <kbd class="rail-key" aria-hidden="true">g ${entry.key}</kbd>
        <//>`,
      )}
      <div class="rail-foot">${version && `version ${version}`}</div>
    </nav>`;
}

const CountFailing = (body) =>
  body ? body.nodes.reduce((n, node) => n + (node.state === "failing" ? 1 : 0), 0) : 0;
