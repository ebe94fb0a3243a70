// Drill-down: what a click on a mark sets. A chart's `click` names the filter; the mark gives the
// value.
import { SetParams } from "../lib/route.js";

// True when the marks of a chart (its series or its categories, in column `column`) stand for values
// of the filter: the column has the filter's name, or its values are among the filter's values.
export function CanDrill(chart, filters, column, value) {
  if (!chart.click || !column || value === null || value === undefined) return false;
  const filter = filters.find((one) => one.name === chart.click);
  if (!filter) return false;
  const is_known = filter.values.length === 0 || filter.values.map(String).includes(String(value));
  return is_known && (column === filter.name || filter.values.length > 0);
}

// Sets the filter to the value; the same value again takes it away.
export function Drill(chart, params, value) {
  SetParams({ [chart.click]: params[chart.click] === String(value) ? null : value });
}
