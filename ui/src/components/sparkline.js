// A small chart over time without axes: in and out rates of one stage.
import { useLayoutEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { html } from "../lib/html.js";
import { useStore } from "../lib/store.js";
import { CurrentTheme, theme } from "../lib/theme.js";

const kHeight = 48;

// time_ms and values are arrays of equal length; null is a gap.
export function Sparkline({ time_ms, values, label }) {
  const colours = useStore(theme, () => CurrentTheme());
  const element = useRef();
  const plot = useRef(null);

  useLayoutEffect(() => {
    const u = new uPlot(
      {
        width: element.current.clientWidth,
        height: kHeight,
        legend: { show: false },
        cursor: { show: false },
        padding: [4, 2, 2, 2],
        axes: [{ show: false }, { show: false }],
        scales: {
          x: { time: false },
          y: { range: (_, __, max) => [0, Math.max(max ?? 0, 1) * 1.05] },
        },
        series: [
          {},
          {
            stroke: colours.accent,
            width: 1.5,
            fill: colours.accent + "22",
            points: { show: false },
          },
        ],
      },
      [time_ms, values],
      element.current,
    );
    plot.current = u;
    const observer = new ResizeObserver(() =>
      u.setSize({ width: element.current.clientWidth, height: kHeight }),
    );
    observer.observe(element.current);
    return () => {
      observer.disconnect();
      u.destroy();
    };
  }, [colours]);

  useLayoutEffect(
    () => plot.current?.setData([time_ms, values]),
    [time_ms, values, time_ms.length],
  );

  return html`<div class="sparkline" ref=${element} role="img" aria-label=${label}></div>`;
}
