// Remembers each node's rates while the page is open, so that stages without a history of their own
// (topics, tables, sinks) still show a sparkline. One point a second, ten minutes.
const kPointsMax = 600;
const kStepMs = 1000;

const by_node = new Map();
let last_ms = 0;

export function RecordHistory(body) {
  if (body.time_ms - last_ms < kStepMs - 50) return;
  last_ms = body.time_ms;
  for (const node of body.nodes) {
    let points = by_node.get(node.id);
    if (!points) by_node.set(node.id, (points = { time_ms: [], rate_in: [], rate_out: [] }));
    points.time_ms.push(body.time_ms);
    points.rate_in.push(node.rate_in);
    points.rate_out.push(node.rate_out);
    if (points.time_ms.length > kPointsMax) {
      points.time_ms.shift();
      points.rate_in.shift();
      points.rate_out.shift();
    }
  }
}

export const HistoryOf = (node_id) => by_node.get(node_id) ?? null;
