// Gives each series name of a dashboard one colour and keeps it: a filter that hides a series must
// not repaint the others.
import { kOther, kSeriesMax } from "./series.js";

const assigned = new Map(); // dashboard + series column -> Map name -> index

export function ColourOf(theme, scope, name) {
  if (name === kOther) return theme.other;
  if (!assigned.has(scope)) assigned.set(scope, new Map());
  const names = assigned.get(scope);
  if (!names.has(name)) names.set(name, names.size % kSeriesMax);
  return theme.series[names.get(name)];
}
