// Places tables with their columns, and jobs between them, with dagre: equal bodies, equal picture.
import { Graph, layout } from "@dagrejs/dagre";

export const kWidth = 204;
export const kHead = 40;
export const kRow = 20;

const HeightOf = (node) => kHead + (node.columns.length > 0 ? node.columns.length * kRow + 4 : 0);

// Returns {width, height, boxes: Map id -> {x, y, height}, links: [path]}.
export function LayOut(body) {
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 18, ranksep: 64, marginx: 4, marginy: 4 });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(body.nodes.map((node) => node.id));
  for (const node of body.nodes) {
    graph.setNode(node.id, { width: kWidth, height: HeightOf(node) });
  }
  const links = body.links.filter(({ from, to }) => known.has(from) && known.has(to));
  for (const { from, to } of links) graph.setEdge(from, to);
  layout(graph);
  const boxes = new Map();
  for (const node of body.nodes) {
    const { x, y, height } = graph.node(node.id);
    boxes.set(node.id, { x: Math.round(x - kWidth / 2), y: Math.round(y - height / 2), height });
  }
  const { width, height } = graph.graph();
  return {
    width: Math.ceil(width || 0),
    height: Math.ceil(height || 0),
    boxes,
    links: links.map(({ from, to }) => Curve(Side(boxes.get(from), true), Side(boxes.get(to)))),
  };
}

const Side = (box, is_right = false) => ({ x: box.x + (is_right ? kWidth : 0), y: box.y + kHead / 2 });

// Where a column (null: the rows, which are the head) of a node begins or ends.
function Anchor(node, box, column, is_right) {
  const index = column ? node.columns.findIndex((entry) => entry.name === column) : -1;
  if (index < 0) return Side(box, is_right);
  return { x: box.x + (is_right ? kWidth : 0), y: box.y + kHead + index * kRow + kRow / 2 };
}

export function EdgePath(places, nodes, edge) {
  const [from, to] = [edge.from, edge.to];
  if (from.node === to.node) return null; // a computed column: its row says so
  return Curve(
    Anchor(nodes.get(from.node), places.get(from.node), from.column, true),
    Anchor(nodes.get(to.node), places.get(to.node), to.column, false),
  );
}

function Curve(start, end) {
  const bend = Math.max(24, (end.x - start.x) / 2);
  return `M${start.x} ${start.y}C${start.x + bend} ${start.y} ${end.x - bend} ${end.y} ${end.x} ${end.y}`;
}
