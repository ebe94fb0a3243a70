// GET /api/lineage of a small shop: a topic, a view, a job, its table and a dashboard.
const Node = (id, columns, connector = null) => {
  const [kind, name] = id.includes(":") ? id.split(":") : [id, id];
  return {
    id,
    kind,
    name,
    connector,
    note: null,
    columns: columns.map(([column, type]) => ({ name: column, type })),
  };
};

const Edge = (from, to, subtype, by = null) => {
  const Place = ([node, column]) => ({ node, column: column ?? null });
  const type = subtype
    ? ["IDENTITY", "TRANSFORMATION", "AGGREGATION"].includes(subtype)
      ? "DIRECT"
      : "INDIRECT"
    : "ROWS";
  return { from: Place(from), to: Place(to), type, subtype, masking: false, by };
};

const kEvents = [
  ["user_id", "STRING"],
  ["page_url", "STRING"],
  ["user_agent", "STRING"],
  ["event_time", "TIMESTAMP(3)"],
];
const [topic, table, view, job, sink, board] = [
  "topic:page-views",
  "table:page_views",
  "view:human_views",
  "job:page_view_counts",
  "table:page_view_counts",
  "dashboard:shop",
];
const check = "check:views";

export const Lineage = () => ({
  nodes: [
    Node("collector", []),
    Node(topic, kEvents),
    Node(table, kEvents, "kafka"),
    Node(view, kEvents),
    Node(job, []),
    Node(
      sink,
      [
        ["page_url", "STRING"],
        ["views", "BIGINT"],
      ],
      "warehouse",
    ),
    Node(board, [["top.views", "BIGINT"]]),
    Node(check, [["page_url", ""]]),
  ],
  links: [
    ["collector", topic],
    [topic, table],
    [table, view],
    [view, job],
    [job, sink],
    [sink, board],
    [table, check],
    [sink, check],
  ].map(([from, to]) => ({ from, to })),
  edges: [
    Edge(["collector"], [topic], null),
    Edge([topic], [table], null),
    ...kEvents.map(([name]) => Edge([topic, name], [table, name], "IDENTITY")),
    Edge([table], [view], null, view),
    ...kEvents.map(([name]) => Edge([table, name], [view, name], "IDENTITY", view)),
    Edge([table, "user_agent"], [view], "FILTER", view),
    Edge([view], [sink], null, job),
    Edge([view, "page_url"], [sink, "page_url"], "IDENTITY", job),
    Edge([view, "page_url"], [sink], "GROUP_BY", job),
    Edge([view, "user_id"], [sink, "views"], "AGGREGATION", job),
    Edge([table, "page_url"], [check, "page_url"], "IDENTITY", check),
    Edge([sink, "page_url"], [check, "page_url"], "IDENTITY", check),
    Edge([sink, "views"], [board, "top.views"], "TRANSFORMATION", board),
  ],
  jobs: [],
});
