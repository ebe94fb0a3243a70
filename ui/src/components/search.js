// `/`: finds stages, dashboards and pages by name and goes there.
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { Href, Navigate } from "../lib/route.js";
import { useStore } from "../lib/store.js";
import { overlay } from "../lib/keys.js";
import { pipeline } from "../lib/live.js";
import { kPages } from "../lib/pages.js";
import { GetJson } from "../lib/api.js";
import { Dialog } from "./dialog.js";

const kShownMax = 12;

export function Search() {
  const nodes = useStore(pipeline, (body) => body?.nodes ?? kNone);
  const [dashboards, set_dashboards] = useState(kNone);
  const [text, set_text] = useState("");
  const [at, set_at] = useState(0);
  const list = useRef();
  useEffect(() => {
    GetJson("/api/dashboards")
      .then(set_dashboards)
      .catch(() => {}); // the rest can still be found
  }, []);
  const found = Find(Entries(nodes, dashboards), text);
  const Go = (entry) => {
    if (!entry) return;
    overlay.Set(null);
    Navigate(entry.href);
  };
  const OnKey = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length > 0) {
      event.preventDefault();
      const next = (at + step + found.length) % found.length;
      set_at(next);
      list.current?.children[next]?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      Go(found[at]);
    }
  };
  return html`
    <${Dialog} label="Search">
      <input class="search-input" type="text" role="combobox" aria-label="Search stages, dashboards, pages"
        aria-expanded="true" aria-controls="search-list" autocomplete="off" spellcheck=${false}
        aria-activedescendant=${found[at] ? `search-${at}` : null} placeholder="Stage, topic, table, dashboard …"
        ref=${(input) => input && text === "" && input.focus()} value=${text} onKeyDown=${OnKey}
        onInput=${(event) => {
          set_text(event.target.value);
          set_at(0);
        }} />
      <ul class="search-list" id="search-list" role="listbox" aria-label="Found" ref=${list}>
        ${found.map(
          (entry, i) => html`
          <li key=${entry.href} id="search-${i}" role="option" aria-selected=${i === at ? "true" : "false"}
            onClick=${() => Go(entry)} onMouseEnter=${() => set_at(i)}>
            <span>${entry.title}</span><span class="muted">${entry.kind}</span>
          </li>`,
        )}
      </ul>
      ${found.length === 0 && html`<p class="muted search-none">Nothing is called “${text}”.</p>`}
    <//>`;
}

const kNone = [];

const Entries = (nodes, dashboards) => [
  ...kPages.map((page) => ({ title: page.title, kind: "page", href: page.path })),
  ...dashboards.map((board) => ({
    title: board.title || board.name,
    kind: "dashboard",
    href: `/dashboards/${encodeURIComponent(board.name)}`,
  })),
  ...nodes.map((node) => ({
    title: node.name,
    kind: node.kind,
    href: Href("/pipeline", { node: node.id }),
  })),
];

// Names that start with the text come before names that only contain it.
function Find(entries, text) {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return entries.slice(0, kShownMax);
  const Rank = (entry) => {
    const name = entry.title.toLowerCase();
    if (name.startsWith(wanted)) return 0;
    if (name.includes(wanted)) return 1;
    return entry.kind.includes(wanted) ? 2 : 3;
  };
  return entries
    .map((entry) => [Rank(entry), entry])
    .filter(([rank]) => rank < 3)
    .sort((a, b) => a[0] - b[0])
    .slice(0, kShownMax)
    .map(([, entry]) => entry);
}
