// The fake pipeline: a shop's clickstream, or `node_count` stages of many small ones.
export const state = {
  failing: new Map(), // node id -> since_ms
  is_offline: false,
  has_stream: true,
  is_empty: false,
  node_count: 0,
  started_ms: Date.now(),
};

const kShop = [
  // id, base rate in, base rate out
  ["collector:http", null, 640],
  ["source:access_log", null, 85],
  ["topic:page-views", 610, 610],
  ["topic:cart-events", 84, 84],
  ["topic:purchases", 31, 31],
  ["job:page_view_counts", 610, 9.2],
  ["job:views_by_device", 610, 1.4],
  ["job:funnel_by_minute", 725, 0.05],
  ["job:revenue_by_category", 31, 0.6],
  ["job:raw_archive", 725, 725],
  ["table:page_view_counts", 9.2, null],
  ["table:views_by_device", 1.4, null],
  ["table:funnel_by_minute", 0.05, null],
  ["table:revenue_by_category", 0.6, null],
  ["sink:archive", 725, null],
  ["sink:analytics-db.revenue", 0.6, null],
];
const kShopEdges = [
  ["collector:http", "topic:page-views"],
  ["collector:http", "topic:cart-events"],
  ["collector:http", "topic:purchases"],
  ["source:access_log", "topic:page-views"],
  ["topic:page-views", "job:page_view_counts"],
  ["topic:page-views", "job:views_by_device"],
  ["topic:page-views", "job:funnel_by_minute"],
  ["topic:cart-events", "job:funnel_by_minute"],
  ["topic:purchases", "job:funnel_by_minute"],
  ["topic:purchases", "job:revenue_by_category"],
  ["topic:page-views", "job:raw_archive"],
  ["topic:cart-events", "job:raw_archive"],
  ["topic:purchases", "job:raw_archive"],
  ["job:page_view_counts", "table:page_view_counts"],
  ["job:views_by_device", "table:views_by_device"],
  ["job:funnel_by_minute", "table:funnel_by_minute"],
  ["job:revenue_by_category", "table:revenue_by_category"],
  ["job:revenue_by_category", "sink:analytics-db.revenue"],
  ["job:raw_archive", "sink:archive"],
];

// Many small pipelines: topic -> job -> table -> job -> sink, five stages each.
function Many(count) {
  const nodes = [];
  const edges = [];
  for (let i = 0; nodes.length + 5 <= count; i++) {
    const base = 20 + ((i * 7919) % 900);
    const ids = [
      `topic:events_${i}`,
      `job:clean_${i}`,
      `table:clean_${i}`,
      `job:sum_${i}`,
      `sink:out_${i}`,
    ];
    ids.forEach((id, k) => nodes.push([id, base / (1 + k), base / (2 + k)]));
    for (let k = 1; k < ids.length; k++) edges.push([ids[k - 1], ids[k]]);
    if (i % 4 === 3) edges.push([`table:clean_${i - 1}`, `job:sum_${i}`]);
  }
  return { nodes, edges };
}

const Wobble = (base, salt, now_ms) =>
  base === null
    ? null
    : Math.max(
        0,
        base *
          (1 + 0.12 * Math.sin(now_ms / 4000 + salt) + 0.04 * Math.sin(now_ms / 700 + salt * 3)),
      );

function Node([id, base_in, base_out], salt, now_ms) {
  const [kind, ...rest] = id.split(":");
  const since_ms = state.failing.get(id);
  const seconds = (now_ms - state.started_ms) / 1000 + 3600;
  const has_watermark = kind === "topic" || kind === "job";
  let node_state = "running";
  let lag_rows = Math.round(3 + 2 * Math.sin(now_ms / 900 + salt));
  let delay_ms = 5000 + Math.round(400 * Math.sin(now_ms / 1300 + salt));
  if (id === "source:access_log") node_state = "idle";
  if (id === "job:funnel_by_minute") {
    node_state = "late";
    delay_ms = 95000 + (now_ms % 1000);
  }
  if (id === "job:raw_archive") {
    node_state = "catching_up";
    lag_rows = 48200 + Math.round(900 * Math.sin(now_ms / 3000));
  }
  if (since_ms) {
    node_state = "failing";
    lag_rows = Math.round(((now_ms - since_ms) / 1000) * (base_in ?? 1));
  }
  const quiet = node_state === "idle" || node_state === "failing";
  return {
    id,
    kind,
    name: rest.join(":"),
    state: node_state,
    rows_in: base_in === null ? null : Math.round(base_in * seconds),
    rows_out: base_out === null ? null : Math.round(base_out * seconds),
    rate_in: quiet && base_in !== null ? 0 : Wobble(base_in, salt, now_ms),
    rate_out: quiet && base_out !== null ? 0 : Wobble(base_out, salt, now_ms),
    lag_rows: kind === "collector" || kind === "source" ? null : lag_rows,
    watermark_ms: has_watermark ? now_ms - delay_ms : null,
    watermark_delay_ms: has_watermark ? delay_ms : null,
    error: since_ms
      ? {
          message: `could not write to "${rest.join(":")}": connection to 127.0.0.1:5432 refused`,
          hint: "is the server running? The job keeps the rows and goes on by itself once it answers",
          since_ms,
        }
      : null,
  };
}

export function Pipeline() {
  const now_ms = Date.now();
  if (state.is_empty) {
    return {
      time_ms: now_ms,
      version: "0.1.0",
      project: "empty",
      summary: { ok: true, text: "No stages yet." },
      nodes: [],
      edges: [],
    };
  }
  const shape = state.node_count > 0 ? Many(state.node_count) : { nodes: kShop, edges: kShopEdges };
  const nodes = shape.nodes.map((entry, i) => Node(entry, i, now_ms));
  const by_id = new Map(nodes.map((node) => [node.id, node]));
  const failing = nodes.filter((node) => node.state === "failing");
  const late = nodes.filter((node) => node.state === "late");
  const text =
    failing.length > 0
      ? `${failing.length} of ${nodes.length} stages ${failing.length === 1 ? "is" : "are"} failing: ${failing.map((node) => `"${node.name}"`).join(", ")}; nothing is lost, rows wait in the log.`
      : late.length > 0
        ? `${nodes.length - late.length} of ${nodes.length} stages are up to date; "${late[0].name}" is late by 1 min 35 s.`
        : `All ${nodes.length} stages are up to date; the oldest result is 1.2 s old.`;
  return {
    time_ms: now_ms,
    version: "0.1.0",
    project: "clickstream",
    summary: { ok: failing.length + late.length === 0, text },
    nodes,
    edges: shape.edges.map(([from, to]) => {
      const [a, b] = [by_id.get(from), by_id.get(to)];
      return { from, to, rate: Math.min(a.rate_out ?? Infinity, b.rate_in ?? Infinity) };
    }),
  };
}

const kSql = `INSERT INTO page_view_counts
SELECT
    window_start,
    window_end,
    page_url,
    COUNT(*) AS view_count,
    COUNT(DISTINCT user_id) AS unique_users
FROM TABLE(
    TUMBLE(TABLE page_views, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)
)
GROUP BY window_start, window_end, page_url`;

const kPlan = `Sink warehouse.page_view_counts      append, exactly once
  WindowAggregate tumble 1 min       append; state: groups per window
    keys   page_url                  freed by: watermark of event_time
    calls  count(*), count(DISTINCT user_id)
    Exchange hash(page_url)          2 shards
      Projection page_url, user_id, event_time
        Watermark event_time - 5 s   idle after 30 s
          Scan topic page-views      json, 4 partitions`;

export function Job(name) {
  const node = Pipeline().nodes.find((one) => one.id === `job:${name}`);
  if (!node) return null;
  const now_ms = Date.now();
  const times = Array.from(
    { length: 120 },
    (_, i) => Math.floor(now_ms / 1000) * 1000 - (119 - i) * 1000,
  );
  const base = node.rate_in === null ? 0 : 600;
  const total = node.rows_in;
  const letters = 214;
  const missing = name === "funnel_by_minute" ? 3 : 0;
  const in_state = total - node.rows_out - 38 - letters - missing;
  return {
    name,
    state: node.state,
    sql: kSql.replaceAll("page_view_counts", name),
    plan: kPlan.replaceAll("page_view_counts", name),
    guarantee: "exactly once",
    epoch: Math.floor(now_ms / 100) % 1e6,
    checkpoint_epoch: (Math.floor(now_ms / 100) % 1e6) - 37,
    restarts: 0,
    rate_in: node.rate_in,
    rate_out: node.rate_out,
    lag_rows: node.lag_rows,
    watermark_ms: node.watermark_ms,
    latency_ms: { p50: 11 + Math.sin(now_ms / 5000), p99: 24 + 3 * Math.sin(now_ms / 3000) },
    state_bytes: 120400,
    state_rows: 812,
    state_freed_by: "watermark of event_time",
    history: {
      time_ms: times,
      rate_in: times.map((t) => Wobble(base, 5, t)),
      rate_out: times.map((t) => (t % 60000 < 2000 ? 480 : 0)),
    },
    ledger: {
      in: total,
      out: node.rows_out,
      filtered: 0,
      late: 38,
      dead_lettered: letters,
      rejected: 0,
      in_state,
      missing,
      gap: missing > 0 ? "stage #2 (TopN) lost 3 rows in epoch 7, which read page-views/0" : null,
    },
    error: node.error,
  };
}
