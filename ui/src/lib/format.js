// Numbers, durations, sizes and times as people read them. Unknown (null) is always "–".
const kUnknown = "–";
const kNbsp = "\u00a0";

const IsNumber = (value) => typeof value === "number" && Number.isFinite(value);

function Significant(value) {
  const size = Math.abs(value);
  if (size >= 99.95 || Number.isInteger(value)) return Math.round(value).toString();
  if (size >= 9.95) return value.toFixed(1).replace(/\.0$/, "");
  return value.toFixed(size >= 1 ? 1 : 2).replace(/\.?0+$/, "") || "0";
}

function Scaled(value, step, units) {
  let size = value;
  let i = 0;
  // 999.95 would print as "1000 k" if it were not carried to the next unit.
  while (Math.abs(size) >= step * 0.9995 && i < units.length - 1) {
    size /= step;
    i += 1;
  }
  return [Significant(size), units[i]];
}

// 1234 -> "1.2 k", 45 -> "45", 0.5 -> "0.5"
export function Count(value) {
  if (!IsNumber(value)) return kUnknown;
  if (Math.abs(value) < 1000) return Significant(value);
  const [text, unit] = Scaled(value, 1000, ["", "k", "M", "G", "T"]);
  // 4961 is "5.0 k", beside 4.9 k and 5.1 k; only 5000 is "5 k".
  const is_rounded = value % 100 !== 0 && /^-?\d$/.test(text);
  return unit ? text + (is_rounded ? ".0" : "") + kNbsp + unit : text;
}

export const Rows = (value) => Count(value) + kNbsp + (value === 1 ? "row" : "rows");

// All digits with separators, for tables and titles: 1234567 -> "1,234,567"
export function Exact(value) {
  if (!IsNumber(value)) return kUnknown;
  return value.toLocaleString("en-US", { maximumFractionDigits: 3 });
}

// Per second; slow streams per minute, so that 0.05 rows/s reads as 3 rows/min.
export function Rate(value, noun = "rows") {
  if (!IsNumber(value)) return kUnknown;
  if (value > 0 && value < 0.95) return `${Count(value * 60)}${kNbsp}${noun}/min`;
  return `${Count(value >= 10 ? Math.round(value) : value)}${kNbsp}${noun}/s`;
}

export function Bytes(value) {
  if (!IsNumber(value)) return kUnknown;
  const [text, unit] = Scaled(value, 1000, ["B", "kB", "MB", "GB", "TB"]);
  return text + kNbsp + unit;
}

// 340 -> "340 ms", 1200 -> "1.2 s", 95000 -> "1 min 35 s", 3 days -> "3 d 2 h"
export function Duration(ms) {
  if (!IsNumber(ms)) return kUnknown;
  if (ms < 0) return "0" + kNbsp + "ms";
  if (ms < 999.5) return `${ms < 10 ? Significant(ms) : Math.round(ms)}${kNbsp}ms`;
  if (ms < 59950) return `${ms < 10000 ? Significant(ms / 1000) : Math.round(ms / 1000)}${kNbsp}s`;
  const seconds = Math.round(ms / 1000);
  const parts = [
    [Math.floor(seconds / 86400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([size]) => size > 0);
  return parts
    .slice(first, first + 2)
    .filter(([size]) => size > 0)
    .map(([size, unit]) => `${size}${kNbsp}${unit}`)
    .join(" ");
}

// In one unit, where there is room for little: 95000 -> "1.6 min"
export function Coarse(ms) {
  if (!IsNumber(ms)) return kUnknown;
  const [size, unit] =
    ms < 60e3
      ? [1e3, "s"]
      : ms < 3600e3
        ? [60e3, "min"]
        : ms < 86400e3
          ? [3600e3, "h"]
          : [86400e3, "d"];
  return Significant(ms / size) + kNbsp + unit;
}

const Pad = (value) => String(value).padStart(2, "0");

// Time of day in the viewer's zone; with the date when it is not today.
export function Time(ms, now_ms = Date.now()) {
  if (!IsNumber(ms)) return kUnknown;
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return kUnknown;
  const text = `${Pad(at.getHours())}:${Pad(at.getMinutes())}:${Pad(at.getSeconds())}`;
  return at.toDateString() === new Date(now_ms).toDateString() ? text : `${Day(at)} ${text}`;
}

export function Day(at) {
  return `${at.getFullYear()}-${Pad(at.getMonth() + 1)}-${Pad(at.getDate())}`;
}

// To the minute, as charts over time need it.
export const Clock = (ms) => {
  const at = new Date(ms);
  return `${Pad(at.getHours())}:${Pad(at.getMinutes())}`;
};

// The exact value for a tooltip: ISO in UTC with milliseconds.
export function ExactTime(ms) {
  if (!IsNumber(ms)) return "";
  const at = new Date(ms);
  return Number.isNaN(at.getTime()) ? String(ms) : at.toISOString();
}

// A chart's value with the chart's unit.
export function WithUnit(value, unit) {
  if (!IsNumber(value)) return kUnknown;
  switch (unit) {
    case "ms":
      return Duration(value);
    case "s":
      return Duration(value * 1000);
    case "B":
    case "bytes":
      return Bytes(value);
    case "%":
      return `${Significant(Math.round(value * 10) / 10)}${kNbsp}%`;
    case "":
    case null:
    case undefined:
      return Count(value);
    default:
      return `${Count(value)}${kNbsp}${unit}`;
  }
}

// The same with more digits, for a number that stands alone: 1362 -> "1,362", 1234567 -> "1.2 M"
export function Headline(value, unit) {
  if (
    !IsNumber(value) ||
    Math.abs(value) < 1000 ||
    Math.abs(value) >= 1e5 ||
    ["ms", "s", "B", "bytes"].includes(unit)
  ) {
    return WithUnit(value, unit);
  }
  return Exact(Math.round(value)) + (unit ? kNbsp + unit : "");
}

export const IsTimeType = (type) => /^(TIMESTAMP|DATE)/i.test(type ?? "");
export const IsNumberType = (type) =>
  /^(U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|DOUBLE|FLOAT|REAL|DECIMAL|NUMERIC)/i.test(type ?? "");

// One cell of a result table.
export function Cell(value, type) {
  if (value === null || value === undefined) return "NULL";
  if (IsTimeType(type) && IsNumber(value)) return Time(value);
  if (IsNumber(value)) return Exact(value);
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}
