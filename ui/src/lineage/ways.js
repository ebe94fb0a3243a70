// The ways of one place through the graph of /api/lineage: pure, so that it can be tested without a
// page. A place is a node's column, or with column null the node's rows.

export const PlaceKey = (node, column) => `${node}\t${column ?? ""}`;

// Returns {places: Set of PlaceKey, edges: Set of edges} of all that the place comes from and all
// that comes from it. column null: of every column of the node, and of its rows.
export function WaysOf(body, node, column) {
  const into = new Map();
  const out_of = new Map();
  const Put = (map, key, edge) => map.set(key, [...(map.get(key) ?? []), edge]);
  for (const edge of body.edges) {
    Put(into, PlaceKey(edge.to.node, edge.to.column), edge);
    Put(out_of, PlaceKey(edge.from.node, edge.from.column), edge);
  }
  const found = body.nodes.find((entry) => entry.id === node);
  const columns = column ? [column] : [null, ...(found?.columns ?? []).map((entry) => entry.name)];
  const places = new Set();
  const edges = new Set();
  for (const is_up of [true, false]) {
    const seen = new Set();
    const open = columns.map((name) => ({ node, column: name }));
    // A job stands between the columns that its query reads and those that it writes.
    for (const edge of body.edges) {
      if (found?.kind !== "job" || edge.by !== node) continue;
      edges.add(edge);
      open.push(is_up ? edge.from : edge.to);
    }
    while (open.length > 0) {
      const place = open.pop();
      const key = PlaceKey(place.node, place.column);
      if (seen.has(key)) continue;
      seen.add(key);
      places.add(key);
      // Which rows there are matters to each of their columns.
      if (is_up && place.column) open.push({ node: place.node, column: null });
      for (const edge of (is_up ? into : out_of).get(key) ?? []) {
        edges.add(edge);
        open.push(is_up ? edge.from : edge.to);
      }
    }
  }
  return { places, edges };
}

// "views AGGREGATION, event_time FILTER": what an edge's kind means in words.
export const kInfluences = {
  IDENTITY: "the value as it is",
  TRANSFORMATION: "computed from it",
  AGGREGATION: "aggregated from many",
  JOIN: "decides what is joined",
  GROUP_BY: "decides the groups",
  FILTER: "decides which rows there are",
  SORT: "decides their order",
  WINDOW: "decides the window",
  CONDITIONAL: "decides which value is taken",
};
