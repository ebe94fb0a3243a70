// Which records the URL asks for: pure, so that it can be tested without a page.

const Whole = (text) => (/^\d{1,15}$/.test(text ?? "") ? Number(text) : null);

// The body of POST /api/trace; null: the URL names no record yet.
export function RequestOf({ table, key, column, topic, partition, offset, sink, where }) {
  if (topic && Whole(offset) !== null) {
    return { topic, partition: Whole(partition) ?? 0, offset: Whole(offset) };
  }
  if (sink && where) return { sink, where };
  if (table && key) return column ? { table, key, column } : { table, key };
  return null;
}

// Which part of the form the URL belongs to.
export function WayIn(params) {
  if (params.sink) return "row";
  return params.topic ? "place" : "key";
}

const Named = (name) => `"${name.replaceAll('"', '""')}"`;
const Literal = (value) => `'${String(value).replaceAll("'", "''")}'`;
const kComparable =
  /^(U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|DECIMAL|VARCHAR|BOOLEAN|DATE|TIME|UUID)/i;

// A condition that this row of a table has, in SQL; "": none of its columns can be compared.
// columns: [{name, type}].
export function ConditionOf(columns, row) {
  return columns
    .map(({ name, type }, i) => {
      if (!kComparable.test(type) || type.endsWith("]")) return null;
      if (row[i] === null) return `${Named(name)} IS NULL`;
      return `${Named(name)} = CAST(${Literal(row[i])} AS ${type})`;
    })
    .filter(Boolean)
    .join(" AND ");
}

// The table whose rows a query shows as they are; null: it may make others of them.
export function TableOf(sql) {
  const found =
    /^\s*select\s+\*\s+from\s+(?:"((?:[^"]|"")+)"|([a-z_]\w*))\s*(?:(?:where|order|limit)\b[^;]*)?;?\s*$/i.exec(
      sql ?? "",
    );
  if (!found || /\b(union|except|intersect|join)\b/i.test(sql)) return null;
  return found[1]?.replaceAll('""', '"') ?? found[2];
}
