// Which record: by its key, by its place in the log, or by a row that it became.
import { useEffect, useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { Href, Navigate } from "../lib/route.js";
import { WayIn } from "./request.js";

const kWaysIn = [
  ["key", "its key"],
  ["place", "its place in the log"],
  ["row", "a row of a table that it became"],
];
const kFields = {
  key: ["table", "key", "column"],
  place: ["topic", "partition", "offset"],
  row: ["sink", "where"],
};

// names: {tables, topics, sinks}, each a list.
export function Form({ params, names, OnAgain }) {
  const [way, set_way] = useState(WayIn(params));
  const [values, set_values] = useState(params);
  // A link, back and forward fill the form.
  const url = JSON.stringify(params);
  useEffect(() => {
    set_way(WayIn(params));
    set_values(params);
  }, [url]);
  const lists = { table: names.tables, topic: names.topics, sink: names.sinks };
  const Value = (name) => values[name] ?? lists[name]?.[0] ?? (name === "partition" ? "0" : "");
  const Set = (name) => (event) => set_values({ ...values, [name]: event.target.value });
  const is_whole = kFields[way].every((name) => name === "column" || Value(name).trim() !== "");

  const Submit = (event) => {
    event.preventDefault();
    const href = Href("/trace", Object.fromEntries(kFields[way].map((name) => [name, Value(name)])));
    if (href === location.pathname + location.search) OnAgain();
    else Navigate(href);
  };
  const Choice = (name, label) => html`
    <label class="filter"><span>${label}</span>
      <select value=${Value(name)} onChange=${Set(name)}>
        ${WithValue(lists[name], Value(name)).map(
          (one) => html`<option key=${one} value=${one} selected=${one === Value(name)}>${one}</option>`,
        )}
      </select></label>`;
  const Text = (name, label, more = {}) => html`
    <label class="filter trace-${name}"><span>${label}</span>
      <input value=${Value(name)} onInput=${Set(name)} spellcheck=${false} autocomplete="off" ...${more} /></label>`;
  const number = { inputmode: "numeric", pattern: "[0-9]+", size: 8 };
  return html`
    <form class="trace-form" onSubmit=${Submit} aria-label="Which record">
      <label class="filter"><span>Find a record by</span>
        <select value=${way} onChange=${(event) => set_way(event.target.value)}>
          ${kWaysIn.map(([id, text]) => html`<option key=${id} value=${id} selected=${id === way}>${text}</option>`)}
        </select></label>
      ${
        way === "key" &&
        html`${Choice("table", "Table")} ${Text("key", "Key")}
          ${Text("column", "Column", { placeholder: "the table's key" })}`
      }
      ${
        way === "place" &&
        html`${Choice("topic", "Topic")} ${Text("partition", "Partition", number)}
          ${Text("offset", "Offset", number)}`
      }
      ${
        way === "row" &&
        html`${Choice("sink", "Table")}
          ${Text("where", "Condition in SQL", { placeholder: "order_id = 'ord_789'" })}`
      }
      <button class="primary" disabled=${!is_whole}>Trace</button>
    </form>`;
}

const WithValue = (list, value) => (!value || list.includes(value) ? list : [value, ...list]);
