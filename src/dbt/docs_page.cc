#include "dbt/docs.h"

namespace millrace::dbt {

const std::string& DocsPage() {
  static const std::string kPage = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>dbt project</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; --bg: #fff; --side: #f5f6f7; --line: #dfe3e7; --text: #1a2026;
  --muted: #59646f; --accent: #0a5fbf; --accent-bg: #e6f0fb; --edge: #aab4be;
  --mono: ui-monospace, Menlo, Consolas, monospace; }
@media (prefers-color-scheme: dark) { :root { --bg: #13171b; --side: #191e23; --line: #2a323a;
  --text: #e2e7eb; --muted: #9aa6b2; --accent: #6cabf5; --accent-bg: #17293d; --edge: #4f5b67; } }
* { box-sizing: border-box; }
body { margin: 0; display: grid; grid-template-columns: 260px 1fr; height: 100vh; font: 14px system-ui;
  background: var(--bg); color: var(--text); }
nav { background: var(--side); border-right: 1px solid var(--line); overflow: auto; padding: 12px; }
nav input { width: 100%; padding: 6px; font: inherit; margin-bottom: 8px; }
nav a { display: block; padding: 3px 6px; color: inherit; text-decoration: none; border-radius: 4px;
  overflow-wrap: anywhere; }
nav a[aria-current] { background: var(--accent-bg); color: var(--accent); }
main { overflow: auto; padding: 16px 24px; } main a { color: var(--accent); }
.muted, small { color: var(--muted); }
.graph { overflow: auto; border: 1px solid var(--line); border-radius: 4px; margin: 12px 0; }
svg text { font: 13px system-ui; fill: var(--text); } svg a { cursor: pointer; }
svg rect { fill: var(--side); stroke: var(--edge); } svg .on rect { fill: var(--accent-bg);
  stroke: var(--accent); } svg path { fill: none; stroke: var(--edge); }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: 5px 8px;
  border-bottom: 1px solid var(--line); vertical-align: top; } pre { background: var(--side);
  padding: 12px; overflow: auto; font: 13px var(--mono); } td:first-child { font-family: var(--mono); }
@media (max-width: 700px) { body { grid-template-columns: 1fr; grid-template-rows: 35vh 1fr; } }
</style></head><body><nav><input type="search" placeholder="Find a node" aria-label="Find a node">
<div id="list"></div></nav><main></main><script>
const data = DATA;
const byId = new Map(data.nodes.map(n => [n.id, n]));
const children = new Map(data.nodes.map(n => [n.id, []]));
for (const n of data.nodes) for (const p of n.parents) children.get(p)?.push(n.id);
document.title = data.project;
const el = (tag, attributes = {}, ...content) => {
  const svg = ["svg", "g", "rect", "path", "text"].includes(tag);
  const e = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...content);
  return e;
};
const link = id => el("a", { href: "#" + encodeURIComponent(id) }, byId.get(id)?.name ?? id);
// The nodes at most three steps above and below; a column per step.
function near(start) {
  const level = new Map([[start, 0]]);
  for (const [next, step] of [[id => byId.get(id).parents, -1], [id => children.get(id), 1]]) {
    let edge = [start];
    for (let depth = 1; depth <= 3; depth++) {
      edge = edge.flatMap(next).filter(id => byId.has(id) && byId.get(id).kind !== "test" &&
        !level.has(id) && level.set(id, depth * step));
    }
  }
  return level;
}
function graph(start) {
  const level = near(start), columns = new Map(), place = new Map();
  for (const [id, l] of [...level].sort((a, b) => a[1] - b[1])) {
    if (!columns.has(l)) columns.set(l, []);
    columns.get(l).push(id);
  }
  let x = 12, height = 0;
  for (const ids of columns.values()) {
    const width = Math.max(...ids.map(id => byId.get(id).name.length)) * 8 + 24;
    ids.forEach((id, i) => place.set(id, { x, y: 12 + i * 40, width }));
    x += width + 56;
    height = Math.max(height, ids.length * 40 + 16);
  }
  const svg = el("svg", { width: x, height, role: "img", "aria-label": "Lineage" });
  for (const [id, to] of place) for (const parent of byId.get(id).parents) {
    const from = place.get(parent);
    if (!from) continue;
    const [x1, y1, x2, y2] = [from.x + from.width, from.y + 14, to.x, to.y + 14];
    svg.append(el("path", { d: `M${x1},${y1} C${x1 + 28},${y1} ${x2 - 28},${y2} ${x2},${y2}` }));
  }
  for (const [id, at] of place) {
    const g = el("g", { class: id === start ? "on" : "", tabindex: 0, role: "link" },
      el("rect", { x: at.x, y: at.y, width: at.width, height: 28, rx: 4 }),
      el("text", { x: at.x + 12, y: at.y + 19 }, byId.get(id).name));
    g.onclick = () => { location.hash = encodeURIComponent(id); };
    g.onkeydown = e => { if (e.key === "Enter") g.onclick(); };
    svg.append(g);
  }
  return el("div", { class: "graph" }, svg);
}
const origins = from => (from ?? []).flatMap((f, i) => [i ? ", " : "", link(f.node),
  f.column ? "." + f.column : "", el("small", {}, " " + f.influence.toLowerCase())]);
function show() {
  const id = decodeURIComponent(location.hash.slice(1));
  const node = byId.get(id) ?? data.nodes.find(n => n.kind !== "test");
  document.querySelectorAll("nav a").forEach(a => a.toggleAttribute("aria-current",
    a.hash === "#" + encodeURIComponent(node?.id)));
  if (!node) return document.querySelector("main").replaceChildren("The project has no nodes.");
  const tests = children.get(node.id).filter(c => byId.get(c).kind === "test");
  const table = el("table", {}, el("tr", {}, ...["Column", "Type", "Description", "Comes from"]
    .map(t => el("th", {}, t))), ...node.columns.map(c => el("tr", {}, el("td", {}, c.name),
      el("td", {}, c.type), el("td", {}, c.description), el("td", {}, ...origins(c.from)))));
  document.querySelector("main").replaceChildren(el("h1", {}, node.name),
    el("p", { class: "muted" }, `${node.kind} · ${node.path} ${node.tags.map(t => "#" + t).join(" ")}`),
    el("p", {}, node.description), graph(node.id), ...(node.columns.length ? [table] : []),
    ...(node.rows ? [el("p", {}, "Which rows there are: ", ...origins(node.rows))] : []),
    ...(tests.length ? [el("h2", {}, "Tests"), el("ul", {}, ...tests.map(t => el("li", {}, link(t))))]
      : []), ...(node.code ? [el("h2", {}, "Code"), el("pre", {}, node.code)] : []));
}
function list(filter = "") {
  document.getElementById("list").replaceChildren(...data.nodes.filter(n => n.kind !== "test" &&
    n.name.toLowerCase().includes(filter.toLowerCase())).map(n => link(n.id)));
}
document.querySelector("input").oninput = e => { list(e.target.value); show(); };
onhashchange = show; list(); show();
</script></body></html>
)html";
  return kPage;
}

}  // namespace millrace::dbt
