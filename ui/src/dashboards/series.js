// Rows of a chart -> series to draw. Pure functions: no page, no colours.
import { IsTimeType } from "../lib/format.js";

export const kSeriesMax = 8;
export const kOther = "other";

export const ColumnIndex = (columns, name) => columns.findIndex((column) => column.name === name);

const AsNumber = (value) => {
  if (value === null || value === undefined || value === "") return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
};

// What a series value is called on the page.
export const SeriesName = (value) =>
  value === null || value === undefined ? "unknown" : String(value);

// One value may come in several rows (rows per country while only the minute is drawn): they add up.
function Add(map, key, value) {
  const present = map.get(key);
  map.set(
    key,
    present === undefined || present === null ? value : value === null ? present : present + value,
  );
}

// Splits rows into named series over x: {names, keys: sorted x values, values: Map name -> Map x -> y}.
function Split(chart, answer) {
  const x = ColumnIndex(answer.columns, chart.x);
  const y = chart.y.map((name) => ColumnIndex(answer.columns, name));
  const by = chart.series ? ColumnIndex(answer.columns, chart.series) : -1;
  const missing = [chart.x, ...chart.y, chart.series].filter(
    (name) => name && ColumnIndex(answer.columns, name) < 0,
  );
  if (missing.length > 0) {
    throw new Error(
      `column "${missing[0]}" is not in the result; it has ` +
        answer.columns.map((column) => `"${column.name}"`).join(", "),
    );
  }
  const values = new Map();
  const keys = new Set();
  for (const row of answer.rows) {
    const key = x < 0 ? null : row[x];
    if (key === null && x >= 0) continue; // a NULL has no place on an axis
    keys.add(key);
    chart.y.forEach((y_name, i) => {
      const parts = [by >= 0 && SeriesName(row[by]), (by < 0 || chart.y.length > 1) && y_name];
      const name = parts.filter(Boolean).join(" · ");
      if (!values.has(name)) values.set(name, new Map());
      Add(values.get(name), key, AsNumber(row[y[i]]));
    });
  }
  return { values, keys: [...keys] };
}

const Total = (series) => {
  let total = 0;
  for (const value of series.values()) total += value ?? 0;
  return total;
};

// Keeps the `max` largest series; the others are added up as "other". Shares and averages cannot be
// added, so there (`can_add` false) they are left out and only counted.
function Limit(values, max, can_add) {
  if (values.size <= max) return { values, left_out: 0 };
  const ranked = [...values].sort(([, a], [, b]) => Total(b) - Total(a));
  const kept = new Map(ranked.slice(0, max));
  const rest = ranked.slice(max);
  if (!can_add) return { values: kept, left_out: rest.length };
  const other = new Map();
  for (const [, series] of rest) for (const [key, value] of series) Add(other, key, value);
  kept.set(kOther, other);
  return { values: kept, left_out: 0 };
}

const CanAdd = (chart) => chart.unit !== "%" && chart.unit !== "ms";

// The step between points: the smallest distance that occurs.
function StepOf(times) {
  let step = Infinity;
  for (let i = 1; i < times.length; i++) step = Math.min(step, times[i] - times[i - 1]);
  return Number.isFinite(step) ? step : null;
}

// For charts over time: {times (ms), series: [{name, values}], left_out}. A step without a row
// becomes a point of nulls, so that a gap is drawn as a gap.
export function TimeSeries(chart, answer) {
  const split = Split(chart, answer);
  const { values, left_out } = Limit(split.values, kSeriesMax, CanAdd(chart));
  const present = split.keys
    .map(Number)
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const step = StepOf(present);
  const times = [];
  for (const time of present) {
    const last = times[times.length - 1];
    // One point of nulls is enough to break a line, however long the gap.
    if (step !== null && last !== undefined && time - last > step * 1.5) times.push(last + step);
    times.push(time);
  }
  const names = [...values.keys()].sort(ByNameOtherLast);
  const series = names.map((name) => {
    const points = new Map([...values.get(name)].map(([key, value]) => [Number(key), value]));
    return { name, values: times.map((time) => points.get(time) ?? null) };
  });
  return { times, series, step, left_out };
}

function ByNameOtherLast(a, b) {
  if (a === kOther || b === kOther) return (a === kOther) - (b === kOther);
  return a < b ? -1 : a > b ? 1 : 0;
}

// Sums upward for a stacked area: series i lies on the sum of those before it. A point where all are
// unknown stays a gap; where only some are, the unknown ones count nothing.
export function Stack(series) {
  const sums = series[0]?.values.map(() => 0) ?? [];
  const is_gap = sums.map((_, i) => series.every((one) => one.values[i] === null));
  return series.map((one) =>
    one.values.map((value, i) => {
      sums[i] += value ?? 0;
      return is_gap[i] ? null : sums[i];
    }),
  );
}

// For bars over categories: rows largest first, at most `rows_max`, the rest as "other".
// {categories: [{name, total, parts: [{name, value}]}], names}
export function Categories(chart, answer, rows_max) {
  const split = Split(chart, answer);
  const { values } = Limit(split.values, kSeriesMax, CanAdd(chart));
  const names = [...values.keys()].sort(ByNameOtherLast);
  const all = split.keys.map((key) => {
    const parts = names.map((name) => ({ name, value: values.get(name).get(key) ?? null }));
    return {
      name: SeriesName(key),
      total: parts.reduce((sum, part) => sum + (part.value ?? 0), 0),
      parts,
    };
  });
  all.sort((a, b) => b.total - a.total || (a.name < b.name ? -1 : 1));
  if (all.length <= rows_max || !CanAdd(chart))
    return { categories: all.slice(0, rows_max), names };
  const rest = all.slice(rows_max - 1);
  const other = {
    name: `${rest.length} others`,
    is_rest: true,
    total: rest.reduce((sum, category) => sum + category.total, 0),
    parts: names.map((name, i) => ({
      name,
      value: rest.reduce((sum, one) => sum + (one.parts[i].value ?? 0), 0),
    })),
  };
  return { categories: [...all.slice(0, rows_max - 1), other], names };
}

// For funnels: [{name, value}] in order. Rows are the steps; or, without x, the y columns are.
export function Steps(chart, answer) {
  const split = Split(chart, answer);
  if (chart.x) {
    const points = split.values.get(chart.y[0]) ?? new Map();
    return split.keys.map((key) => ({ name: SeriesName(key), value: points.get(key) ?? null }));
  }
  return chart.y.map((name) => ({ name, value: split.values.get(name)?.get(null) ?? null }));
}

// For single numbers: {value, previous, history}. With x the newest row is the value and the one
// before it what it is compared with; without x a second row is.
export function NumberOf(chart, answer) {
  const y = ColumnIndex(answer.columns, chart.y[0]);
  if (y < 0) throw new Error(`column "${chart.y[0]}" is not in the result`);
  const x = chart.x ? ColumnIndex(answer.columns, chart.x) : -1;
  const rows = x < 0 ? answer.rows : [...answer.rows].sort((a, b) => a[x] - b[x]);
  const values = rows.map((row) => AsNumber(row[y]));
  if (values.length === 0) return { value: null, previous: null, history: null };
  if (x < 0) return { value: values[0], previous: values[1] ?? null, history: null };
  const history =
    values.length > 2 && IsTimeType(answer.columns[x].type)
      ? { time_ms: rows.map((row) => row[x]), values }
      : null;
  return { value: values[values.length - 1], previous: values[values.length - 2] ?? null, history };
}
