// Line, area and bars over time on a canvas (uPlot), with labels beside the lines. All charts of a page
// share one hover line.
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { html } from "../lib/html.js";
import { useStore } from "../lib/store.js";
import { CurrentTheme, theme } from "../lib/theme.js";
import { Clock, Day, Time, WithUnit } from "../lib/format.js";
import { ErrorNote } from "../components/error_note.js";
import { ColourOf } from "./colours.js";
import { CanDrill, Drill } from "./drill.js";
import { kOther, Stack, TimeSeries } from "./series.js";
import { SeriesLabels } from "./series_labels.js";

const kHeight = 232;
const kDayMs = 86400e3;

export function TimeChart(props) {
  const { chart, answer } = props;
  const shaped = useMemo(() => {
    try {
      return TimeSeries(chart, answer);
    } catch (error) {
      return { error };
    }
  }, [chart, answer]);
  if (shaped.error) return html`<${ErrorNote} error=${shaped.error} />`;
  return html`<${Plot} ...${props} shaped=${shaped} />`;
}

function Plot({ board, chart, params, range_ms, time_ms, shaped }) {
  const colours = useStore(theme, () => CurrentTheme());
  const element = useRef();
  const plot = useRef(null);
  const [hover, set_hover] = useState(null); // index of the point under the shared line
  const [places, set_places] = useState([]); // y pixel of each series' end
  // Several bars a moment are stacked too, and a stack reads best as bands.
  const is_stacked = chart.type !== "line" && shaped.series.length > 1;
  const names = shaped.series.map((one) => one.name);
  const scope = `${board.name}/${chart.series || chart.y.join()}`;
  const colour_of = (name) => ColourOf(colours, scope, name);

  const drawn = useMemo(
    () => [
      shaped.times,
      ...(is_stacked ? Stack(shaped.series) : shaped.series.map((one) => one.values)),
    ],
    [shaped, is_stacked],
  );
  const IsDrillable = (name) =>
    name !== kOther && CanDrill(chart, board.filters, chart.series, name);
  // uPlot keeps the functions it was made with; they look up the present values here.
  const latest = useRef();
  latest.current = { range_ms, time_ms, shaped, drawn, params, IsDrillable };

  useLayoutEffect(() => {
    const Width = () => Math.max(80, element.current.clientWidth);
    const u = new uPlot(
      Options({
        chart,
        names,
        colours,
        colour_of,
        is_stacked,
        latest,
        width: Width(),
        set_hover,
        set_places,
      }),
      drawn,
      element.current,
    );
    plot.current = u;
    const observer = new ResizeObserver(() => u.setSize({ width: Width(), height: kHeight }));
    observer.observe(element.current);
    return () => {
      observer.disconnect();
      u.destroy();
    };
  }, [colours, names.join("\n"), chart]);

  useLayoutEffect(() => plot.current?.setData(drawn), [drawn, range_ms, time_ms]);

  const last = LastIndex(shaped);
  const at = hover !== null && hover < shaped.times.length ? hover : last;
  return html`
    <div class="time-chart">
      <div class="plot" ref=${element} role="img" aria-label=${Spoken(chart, shaped, last)}></div>
      <${SeriesLabels} chart=${chart} params=${params} height=${kHeight} places=${places}
        time=${Time(shaped.times[at])} left_out=${shaped.left_out}
        labels=${shaped.series.map((one) => ({
          name: one.name,
          value: WithUnit(one.values[at], ShortUnit(chart.unit)),
          colour: colour_of(one.name),
          is_active: params[chart.click] === one.name,
          OnClick: IsDrillable(one.name) ? () => Drill(chart, params, one.name) : null,
        }))} />
    </div>`;
}

function LastIndex({ times, series }) {
  for (let i = times.length - 1; i >= 0; i--)
    if (series.some((one) => one.values[i] !== null)) return i;
  return 0;
}

// A unit that is a word (EUR) is said once, beside the title.
const ShortUnit = (unit) => (["%", "ms", "s", "B", "bytes"].includes(unit) ? unit : "");

const Spoken = (chart, { series }, last) =>
  `${chart.title}: ${series.map((one) => `${one.name} ${WithUnit(one.values[last], chart.unit)}`).join(", ")}`;

function Options({
  chart,
  names,
  colours,
  colour_of,
  is_stacked,
  latest,
  width,
  set_hover,
  set_places,
}) {
  const font = "11px system-ui, sans-serif";
  const is_area = chart.type !== "line";
  const bars =
    chart.type === "bar" && !is_stacked ? uPlot.paths.bars({ size: [0.8, 48] }) : undefined;
  const Place = (u) => {
    const { drawn, shaped } = latest.current;
    const last = LastIndex(shaped);
    const next = names.map((_, i) => {
      const top = drawn[i + 1][last];
      if (top === null || top === undefined) return null;
      // The label of a stacked band stands at the middle of the band.
      const bottom = is_stacked && i > 0 ? drawn[i][last] : 0;
      return u.valToPos(is_stacked ? (top + bottom) / 2 : top, "y");
    });
    const offset = u.over.offsetTop;
    const rounded = next.map((y) => (y === null ? null : Math.round(y + offset)));
    set_places((present) => (present.join() === rounded.join() ? present : rounded));
  };
  return {
    width,
    height: kHeight,
    ms: 1,
    padding: [10, 16, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      sync: { key: "page", setSeries: false, scales: ["x", null] },
      points: { size: 6, width: 1, fill: (u, i) => u.series[i].stroke(u, i) },
    },
    scales: {
      x: {
        time: true,
        range: (u, min, max) => {
          const { time_ms, range_ms } = latest.current;
          return time_ms === null ? [min, max] : [time_ms - range_ms, time_ms];
        },
      },
      y: {
        range: (u, min, max) => [
          Math.min(0, min ?? 0),
          max > 0 ? max * 1.06 : max === 0 || max === null ? 1 : 0,
        ],
      },
    },
    axes: [
      {
        stroke: colours.muted,
        font,
        size: 24,
        gap: 4,
        space: 64,
        grid: { show: false },
        ticks: { stroke: colours.line, size: 4, width: 1 },
        values: (u, splits, _, __, step_ms) =>
          splits.map((ms) =>
            step_ms >= kDayMs || (latest.current.range_ms > kDayMs && new Date(ms).getHours() === 0)
              ? Day(new Date(ms)).slice(5)
              : Clock(ms),
          ),
        incrs: [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880].map(
          (minutes) => minutes * 60e3,
        ),
      },
      {
        stroke: colours.muted,
        font,
        size: 48,
        gap: 4,
        space: 36,
        grid: { stroke: colours.line, width: 1 },
        ticks: { show: false },
        values: (u, splits) => splits.map((value) => WithUnit(value, ShortUnit(chart.unit))),
      },
    ],
    series: [
      {},
      ...names.map((name) => {
        const colour = colour_of(name);
        return {
          stroke: () => colour,
          width: is_stacked ? 1 : 1.5,
          spanGaps: false,
          paths: bars,
          fill: is_area ? colour + (bars ? "aa" : is_stacked ? "55" : "22") : undefined,
          points: { show: bars ? false : undefined, size: 4, fill: colour },
        };
      }),
    ],
    bands: is_stacked ? names.slice(1).map((_, i) => ({ series: [i + 2, i + 1] })) : [],
    hooks: {
      draw: [Place],
      setCursor: [(u) => set_hover(u.cursor.left >= 0 ? (u.cursor.idx ?? null) : null)],
      ready: [
        (u) =>
          u.over.addEventListener("click", () =>
            ClickMark(u, chart, names, is_stacked, latest.current),
          ),
      ],
    },
  };
}

// A click means the series nearest to it: in a stack the band it falls into.
function ClickMark(u, chart, names, is_stacked, { drawn, params, IsDrillable }) {
  const { idx, top } = u.cursor;
  if (idx === null || idx === undefined) return;
  const value = u.posToVal(top, "y");
  let best = null;
  let distance = Infinity;
  names.forEach((name, i) => {
    const y = drawn[i + 1][idx];
    if (y === null) return;
    const away = is_stacked ? (y >= value ? y - value : Infinity) : Math.abs(y - value);
    if (away < distance) [best, distance] = [name, away];
  });
  if (best !== null && IsDrillable(best)) Drill(chart, params, best);
}
