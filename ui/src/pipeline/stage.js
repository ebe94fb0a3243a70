// One stage of the graph: state, kind, name, rate, and lag or delay where they are not normal.
import { useMemo } from "preact/hooks";
import { html } from "../lib/html.js";
import { Href, Link } from "../lib/route.js";
import { Coarse, Count, Rate } from "../lib/format.js";
import { AbnormalDelay, AbnormalLag, StateOf } from "../lib/states.js";
import { Shape } from "../components/state_mark.js";

export function Stage({ node, x, y, is_selected }) {
  const rate = Rate(MainRate(node));
  const alarm = AlarmText(node);
  // Two hundred stages come four times a second; only those whose text has changed are rendered.
  return useMemo(
    () => html`
    <${Link} href=${Href("/pipeline", { node: is_selected ? null : node.id })}
      class="stage stage-${StateOf(node.state).tone} ${is_selected ? "selected" : ""}" data-node=${node.id}
      aria-current=${is_selected ? "true" : null} title=${node.name}
      style=${{ left: `${x}px`, top: `${y}px` }}>
      <span class="stage-top">
        <span class="state"><${Shape} state=${node.state} />${StateOf(node.state).word}</span>
        <span class="stage-kind">${node.kind}</span>
      </span>
      <span class="stage-name">${node.name}</span>
      <span class="stage-rate">${rate}${alarm && html`<span class="stage-alarm">${alarm}</span>`}</span>
    <//>`,
    [node.id, node.name, node.kind, node.state, rate, alarm, x, y, is_selected],
  );
}

// What goes in, or for the first stage of a pipeline, what comes out.
export const MainRate = (node) =>
  node.kind === "source" || node.kind === "collector"
    ? (node.rate_out ?? node.rate_in)
    : (node.rate_in ?? node.rate_out);

export function AlarmText(node) {
  if (AbnormalLag(node)) return `lag ${Count(node.lag_rows)}`;
  if (AbnormalDelay(node)) return `delay ${Coarse(node.watermark_delay_ms)}`;
  return null;
}
