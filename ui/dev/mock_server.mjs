#!/usr/bin/env node
// A stand-in for the server, for looking at the page and for its tests: serves OUT_DIR under the
// same strict headers and answers the HTTP API with a shop whose numbers move. No dependencies.
//
//   node ui/dev/mock_server.mjs OUT_DIR [--port 8090] [--nodes 200] [--empty]
//
// What the tests turn:  POST /mock/fail?node=sink:archive   POST /mock/fix   POST /mock/offline?on=1
//                       POST /mock/stream?on=0 (no stream, polling works)
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { Job, Pipeline, state } from "./fake_pipeline.mjs";
import { Lineage } from "./fake_lineage.mjs";
import { Traces } from "./fake_trace.mjs";
import { Boards, Data } from "./fake_dashboards.mjs";
import { ActOnDeadLetters, Ask, DeadLetters, Records, Topics } from "./fake_data.mjs";

const args = process.argv.slice(2);
const Option = (name, fallback) => (args.includes(name) ? args[args.indexOf(name) + 1] : fallback);
const out_dir = args[0];
if (!out_dir || out_dir.startsWith("--")) {
  console.error("usage: node mock_server.mjs OUT_DIR [--port N] [--nodes N] [--empty]");
  process.exit(2);
}
state.node_count = Number(Option("--nodes", 0));
state.is_empty = args.includes("--empty");

const kTypes = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
const streams = new Set();

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://mock");
  const Json = (body, status = 200) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  const Missing = (message, hint) => Json({ error: { code: "MR4040", message, hint } }, 404);
  if (url.pathname.startsWith("/mock/")) return Json(Control(url));
  if (state.is_offline) return request.socket.destroy();

  const [, api, kind, name, part] = url.pathname.split("/").map(decodeURIComponent);
  if (api !== "api") return Asset(url.pathname, response);
  if (kind === "stream") return Stream(response);
  if (kind === "pipeline") return Json(Pipeline());
  if (kind === "jobs") {
    const job = Job(name);
    return job
      ? Json(job)
      : Missing(`no job is called "${name}"`, "see /api/pipeline for the jobs");
  }
  if (kind === "dashboards") {
    const boards = state.is_empty ? [] : Boards();
    if (!name)
      return Json(boards.map(({ name: board_name, title }) => ({ name: board_name, title })));
    const board = boards.find((one) => one.name === name);
    if (!board)
      return Missing(
        `no dashboard is called "${name}"`,
        `there are ${boards.map((one) => one.name).join(", ")}`,
      );
    return Json(part === "data" ? Data(board, Object.fromEntries(url.searchParams)) : board);
  }
  if (kind === "lineage")
    return Json(state.is_empty ? { nodes: [], links: [], edges: [], jobs: [] } : Lineage());
  if (kind === "trace" && request.method === "POST") {
    let text = "";
    for await (const piece of request) text += piece;
    const { status, body } = Traces(JSON.parse(text));
    return Json(body, status);
  }
  if (kind === "topics") {
    const topics = state.is_empty ? [] : Topics();
    if (!name) return Json(topics);
    const topic = topics.find((one) => one.name === name);
    if (!topic) return Missing(`no topic is called "${name}"`, 'did you mean "page-views"?');
    return Json(part === "records" ? Records(topic, url.searchParams) : topic);
  }
  if (kind === "dead-letters" && request.method === "POST") {
    let text = "";
    for await (const piece of request) text += piece;
    return Json(ActOnDeadLetters(JSON.parse(text)));
  }
  if (kind === "dead-letters")
    return Json(state.is_empty ? [] : DeadLetters(Number(url.searchParams.get("limit") ?? 100)));
  if (kind === "sql" && request.method === "POST") {
    let text = "";
    for await (const piece of request) text += piece;
    const { status, body } = Ask(JSON.parse(text).sql);
    return Json(body, status);
  }
  return Missing(`there is nothing at ${url.pathname}`, "see docs/reference/http-api.md");
});

function Control(url) {
  const on = url.searchParams.get("on") !== "0";
  if (url.pathname === "/mock/fail") state.failing.set(url.searchParams.get("node"), Date.now());
  if (url.pathname === "/mock/fix") state.failing.clear();
  if (url.pathname === "/mock/offline") state.is_offline = on;
  if (url.pathname === "/mock/stream") state.has_stream = on;
  if (url.pathname === "/mock/empty") state.is_empty = on;
  if (url.pathname === "/mock/nodes") state.node_count = Number(url.searchParams.get("count") ?? 0);
  if (state.is_offline || !state.has_stream) for (const stream of streams) stream.destroy();
  return { ok: true };
}

async function Asset(path, response) {
  const headers = {
    "content-security-policy": "default-src 'self'",
    "x-content-type-options": "nosniff",
  };
  const file = normalize(path).replace(/^[/\\]+/, "");
  for (const candidate of [file, "index.html"]) {
    try {
      const bytes = await readFile(join(out_dir, candidate));
      response.writeHead(200, {
        ...headers,
        "content-type": kTypes[extname(candidate)] ?? "application/octet-stream",
      });
      return response.end(bytes);
    } catch {
      // A path of the page's own routing: index.html answers it.
    }
  }
  response.writeHead(404);
  return response.end();
}

function Stream(response) {
  if (!state.has_stream) {
    response.writeHead(503);
    return response.end();
  }
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  streams.add(response);
  const Send = (event, body) =>
    response.write(`event: ${event}\ndata: ${JSON.stringify(body)}\n\n`);
  Send("pipeline", Pipeline());
  let tick = 0;
  const timer = setInterval(() => {
    Send("pipeline", Pipeline());
    if (++tick % 4 === 0) Send("data", { tables: ["page_view_counts", "funnel_by_minute"] });
  }, 250);
  response.on("close", () => {
    clearInterval(timer);
    streams.delete(response);
  });
}

server.listen(Number(Option("--port", 8090)), "127.0.0.1", () =>
  console.log(`listening on http://127.0.0.1:${server.address().port}`),
);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
