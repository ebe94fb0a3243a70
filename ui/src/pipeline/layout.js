// Places the graph with dagre, once per topology: the same nodes and edges always give the same
// picture, whatever their numbers do.
import { Graph, layout } from "@dagrejs/dagre";

export const kNodeWidth = 184;
export const kNodeHeight = 62;

// A name for the shape of the graph: equal keys, equal layout.
export function TopologyKey(body) {
  const nodes = body.nodes.map((node) => node.id).sort();
  const edges = body.edges.map((edge) => `${edge.from}\t${edge.to}`).sort();
  return nodes.join("\n") + "\n\n" + edges.join("\n");
}

// Returns {width, height, nodes: Map id -> {x, y} (top left), edges: Map "from TAB to" -> path data}.
// Left to right on a phone too: the flow then goes along the swipe.
export function LayOut(topology_key) {
  const [nodes, edges] = topology_key.split("\n\n").map((part) => part.split("\n").filter(Boolean));
  const graph = new Graph();
  graph.setGraph({
    rankdir: "LR",
    ranker: "network-simplex",
    nodesep: 14,
    ranksep: 56,
    edgesep: 8,
    marginx: 4,
    marginy: 4,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const id of nodes) graph.setNode(id, { width: kNodeWidth, height: kNodeHeight });
  const known = new Set(nodes);
  const drawn = edges
    .map((edge) => edge.split("\t"))
    .filter(([from, to]) => known.has(from) && known.has(to));
  for (const [from, to] of drawn) graph.setEdge(from, to);
  layout(graph);

  const placed = new Map();
  for (const id of nodes) {
    const { x, y } = graph.node(id);
    placed.set(id, { x: Math.round(x - kNodeWidth / 2), y: Math.round(y - kNodeHeight / 2) });
  }
  const paths = new Map();
  for (const [from, to] of drawn) {
    paths.set(
      `${from}\t${to}`,
      Path(graph.edge(from, to).points, placed.get(from), placed.get(to)),
    );
  }
  const { width, height } = graph.graph();
  return {
    width: Math.ceil(width || 0),
    height: Math.ceil(height || 0),
    nodes: placed,
    edges: paths,
  };
}

// From the middle of one side to the middle of the other, through dagre's bend points, with
// tangents along the flow.
function Path(points, from, to) {
  const start = { x: from.x + kNodeWidth, y: from.y + kNodeHeight / 2 };
  const end = { x: to.x, y: to.y + kNodeHeight / 2 };
  // dagre's first and last point lie on the nodes' borders; ours replace them. Of the middle ones
  // only those of long edges (over other ranks) are needed.
  const middle = points.length > 3 ? points.slice(1, -1) : [];
  const all = [start, ...middle, end];
  let path = `M${start.x} ${start.y}`;
  for (let i = 1; i < all.length; i++) {
    const [a, b] = [all[i - 1], all[i]];
    const x = (a.x + b.x) / 2;
    path += `C${Round(x)} ${Round(a.y)} ${Round(x)} ${Round(b.y)} ${Round(b.x)} ${Round(b.y)}`;
  }
  return path;
}

const Round = (value) => Math.round(value * 10) / 10;
