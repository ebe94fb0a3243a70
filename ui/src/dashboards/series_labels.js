// Labels beside the lines they name, each at the height of its line's end, kept apart. The value is
// that of the hovered moment, or else the newest.
import { html } from "../lib/html.js";

const kLine = 18; // height of a label
const kTop = 16; // room for the time above the labels

export function SeriesLabels({ chart, params, labels, places, height, time, left_out }) {
  const tops = Spread(places.slice(0, labels.length), labels.length, height - kTop);
  return html`
    <div class="series-labels" style=${{ height: `${height}px` }}>
      <div class="series-time muted">${time}</div>
      ${labels.map((label, i) => {
        const style = { top: `${tops[i] + kTop}px` };
        const text = html`
          <span class="swatch" style=${{ background: label.colour }}></span>
          <span class="series-name" title=${label.name}>${label.name}</span>
          <span class="series-value">${label.value}</span>`;
        return label.OnClick
          ? html`<button key=${label.name} class="series-label" style=${style} onClick=${label.OnClick}
              aria-pressed=${label.is_active ? "true" : "false"}
              title="filter by ${chart.click}">${text}</button>`
          : html`<div key=${label.name} class="series-label" style=${style}>${text}</div>`;
      })}
      ${left_out > 0 && html`<div class="series-left muted">and ${left_out} more</div>`}
    </div>`;
}

// Wanted places (pixels, null = anywhere) -> tops in the same order without overlap, inside height.
export function Spread(places, count, height) {
  const line = Math.min(kLine, height / Math.max(1, count));
  const order = Array.from({ length: count }, (_, i) => i).sort(
    (a, b) => (places[a] ?? Infinity) - (places[b] ?? Infinity) || a - b,
  );
  const tops = new Array(count).fill(0);
  let next = 0;
  for (const i of order) {
    tops[i] = Math.max(next, (places[i] ?? next) - kTop - kLine / 2);
    next = tops[i] + line;
  }
  // What ran over the bottom pushes back up.
  let limit = height - line;
  for (const i of order.reverse()) {
    tops[i] = Math.max(0, Math.min(tops[i], limit));
    limit = tops[i] - line;
  }
  return tops.map(Math.round);
}
