// SQL to read: keywords told apart by weight.
import { useMemo } from "preact/hooks";
import { html } from "../lib/html.js";

const kTokens = new RegExp(
  [
    /(?<comment>--[^\n]*|\/\*[^]*?\*\/)/,
    /(?<string>'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`)/,
    /(?<word>\b(?:ALL|AND|AS|ASC|BETWEEN|BY|CASE|CAST|COUNT|CREATE|DESC|DESCRIPTOR|DISTINCT|ELSE|END|EXISTS|FALSE|FILTER|FOR|FROM|FULL|GROUP|HAVING|HOP|IN|INNER|INSERT|INTERVAL|INTO|IS|JOIN|LEFT|LIKE|LIMIT|MAX|MIN|NOT|NULL|ON|OR|ORDER|OUTER|OVER|PARTITION|RIGHT|SELECT|SUM|TABLE|THEN|TRUE|TUMBLE|UNION|UNNEST|VIEW|WATERMARK|WHEN|WHERE|WITH)\b)/,
  ]
    .map((part) => part.source)
    .join("|"),
  "gi",
);

export function SqlText({ text }) {
  const parts = useMemo(() => Parts(text), [text]);
  return html`<pre class="code" tabindex="0"><code>${parts}</code></pre>`;
}

function Parts(text) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(kTokens)) {
    parts.push(text.slice(at, match.index));
    const { comment, string } = match.groups;
    const kind = comment ? "sql-comment" : string ? "sql-string" : "sql-word";
    parts.push(html`<span class=${kind}>${match[0]}</span>`);
    at = match.index + match[0].length;
  }
  parts.push(text.slice(at));
  return parts;
}
