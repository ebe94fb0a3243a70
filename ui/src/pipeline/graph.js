// The graph: SVG edges below, stages above as links, so that keyboard and screen reader reach them
// in the order in which data flows.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { Rate } from "../lib/format.js";
import { LayOut, TopologyKey, kNodeHeight, kNodeWidth } from "./layout.js";
import { Stage } from "./stage.js";

const kScaleMin = 0.35;
const kFitScaleMin = 0.75; // below this the text of a stage gets hard to read: scroll instead

export function GraphView({ body, selected_id }) {
  const key = TopologyKey(body);
  const layout = useMemo(() => LayOut(key), [key]);
  const frame = useRef();
  const [scale, set_scale] = useState(1);

  const Fit = (scale_min) => {
    const style = getComputedStyle(frame.current);
    const room =
      frame.current.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    set_scale(Math.max(scale_min, Math.min(1, room / Math.max(1, layout.width))));
  };
  // Only a new topology changes the scale by itself: opening the panel must not move the graph.
  useLayoutEffect(() => Fit(kFitScaleMin), [layout]);
  const Zoom = (factor) =>
    set_scale((present) => Math.min(1.5, Math.max(kScaleMin, present * factor)));

  // The panel may cover where the selected stage was.
  useEffect(() => {
    if (!selected_id) return;
    const place = layout.nodes.get(selected_id);
    if (!place) return;
    const { scrollLeft, clientWidth, scrollTop, clientHeight } = frame.current;
    const [x, y] = [place.x * scale, place.y * scale];
    const is_seen =
      x >= scrollLeft &&
      x + kNodeWidth * scale <= scrollLeft + clientWidth &&
      y >= scrollTop &&
      y + kNodeHeight * scale <= scrollTop + clientHeight;
    if (!is_seen)
      frame.current.scrollTo({
        left: x + (kNodeWidth * scale - clientWidth) / 2,
        top: y + (kNodeHeight * scale - clientHeight) / 2,
      });
  }, [selected_id, layout]);

  const ordered = useMemo(() => {
    const order = [...layout.nodes].sort(([, a], [, b]) => a.x - b.x || a.y - b.y);
    return new Map(order.map(([id], i) => [id, i]));
  }, [layout]);
  const nodes = useMemo(
    () => [...body.nodes].sort((a, b) => ordered.get(a.id) - ordered.get(b.id)),
    [body, ordered],
  );

  return html`
    <section class="graph" aria-label="Graph of the pipeline">
      <div class="graph-tools">
        <button class="quiet" aria-label="Zoom out" onClick=${() => Zoom(1 / 1.25)}>−</button>
        <button class="quiet" aria-label="Zoom in" onClick=${() => Zoom(1.25)}>+</button>
        <button class="quiet" onClick=${() => Fit(kScaleMin)}>Fit</button>
      </div>
      <div class="graph-frame" ref=${frame} tabindex="0" role="group" aria-label="Stages, in the order of the flow">
        <div class="graph-size" style=${{ width: `${layout.width * scale}px`, height: `${layout.height * scale}px` }}>
          <div class="graph-canvas" style=${{
            width: `${layout.width}px`,
            height: `${layout.height}px`,
            transform: `scale(${scale})`,
          }}>
            <${Edges} layout=${layout} edges=${body.edges} nodes=${body.nodes} />
            ${nodes.map((node) => {
              const { x, y } = layout.nodes.get(node.id);
              return html`<${Stage} key=${node.id} node=${node} x=${x} y=${y} is_selected=${node.id === selected_id} />`;
            })}
          </div>
        </div>
      </div>
    </section>`;
}

function Edges({ layout, edges, nodes }) {
  const state_of = new Map(nodes.map((node) => [node.id, node.state]));
  return html`
    <svg class="edges" width=${layout.width} height=${layout.height} aria-hidden="true">
      ${edges.map((edge) => {
        const key = `${edge.from}\t${edge.to}`;
        return html`<${Edge} key=${key} path=${layout.edges.get(key)} width=${EdgeWidth(edge.rate)}
          rate=${Rate(edge.rate)} is_broken=${state_of.get(edge.to) === "failing"} />`;
      })}
    </svg>`;
}

const Edge = ({ path, width, rate, is_broken }) =>
  useMemo(
    () =>
      path &&
      html`
  <path d=${path} stroke-width=${width} class=${is_broken ? "edge broken" : width === 1 ? "edge still" : "edge"}>
    <title>${rate}</title>
  </path>`,
    [path, width, rate, is_broken],
  );

// 1 px when nothing flows, then half a pixel steps with the logarithm: 10/s 2.5, 1 k/s 5, 100 k/s 7.5.
// Steps, so that a rate that wavers does not make the line tremble.
function EdgeWidth(rate) {
  if (!(rate > 0)) return 1;
  return Math.min(8, Math.max(1.5, Math.round((1.25 + 1.25 * Math.log10(1 + rate)) * 2) / 2));
}
