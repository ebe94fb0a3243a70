// Fake topics, records, dead letters and SQL answers.
import { Pipeline } from "./fake_pipeline.mjs";

export function Topics() {
  return Pipeline()
    .nodes.filter((node) => node.kind === "topic")
    .map((node) => {
      const count = node.name === "page-views" ? 4 : 2;
      const per_partition = Math.floor(node.rows_in / count);
      const partitions = Array.from({ length: count }, (_, partition) => ({
        partition,
        start_offset: 0,
        end_offset: per_partition,
        size_bytes: per_partition * 212,
      }));
      return {
        name: node.name,
        partitions,
        retention_ms: 30 * 86400e3,
        records: per_partition * count,
        size_bytes: per_partition * count * 212,
        rate_in: node.rate_in,
      };
    });
}

export function Records(topic, params) {
  const partition = topic.partitions[Number(params.get("partition") ?? 0)];
  if (!partition) return [];
  const limit = Number(params.get("limit") ?? 10);
  const first = Math.max(0, partition.end_offset - limit);
  return Array.from({ length: Math.min(limit, partition.end_offset) }, (_, i) => {
    const record = {
      partition: partition.partition,
      offset: first + i,
      timestamp_ms: Date.now() - (limit - i) * 40,
      key: i % 5 === 4 ? null : `u${(first + i) % 977}`,
    };
    if (i % 13 === 12) return { ...record, value_base64: "AP/+gIE=" };
    return {
      ...record,
      value: JSON.stringify({
        user_id: record.key,
        page_url: `/product/${(first + i) % 60}`,
        country: "DE",
        device: "mobile",
        event_time: new Date(record.timestamp_ms).toISOString().replace("T", " ").slice(0, 23),
      }),
    };
  });
}

const kReasons = [
  ["collector", "type", "quantity", '"abc" is not an INT', '{"user_id": "u17", "quantity": "abc"}'],
  [
    "collector",
    "malformed",
    null,
    "not JSON: unexpected end of text at byte 31",
    '{"user_id": "u17", "page_url": "/',
  ],
  [
    "page_view_counts",
    "late",
    "event_time",
    "12.4 s behind the watermark",
    '{"user_id": "u9", "page_url": "/", "event_time": "2025-11-21 09:58:01"}',
  ],
  [
    "collector",
    "constraint",
    "price",
    "CHECK (price >= 0) does not hold for -4.00",
    '{"user_id": "u3", "price": -4.00}',
  ],
  ["collector", "not_null", "user_id", "is NULL but declared NOT NULL", '{"page_url": "/"}'],
];

const kSettledLetters = new Map();

// POST /api/dead-letters/actions: constraints still refuse, all else works.
export function ActOnDeadLetters({ action, ids, reason = "", who = "" }) {
  const letters = ids.map((id) => {
    const letter = DeadLetters(1000).find((one) => one.id === id);
    if (action !== "discard" && letter.kind === "constraint")
      return { id, outcome: "refused", reason: letter.reason };
    const state = action === "discard" ? "discarded" : "replayed";
    kSettledLetters.set(id, { state, who, reason });
    return { id, outcome: state, reason: null };
  });
  return { done: letters.length, refused: 0, dry_run: false, letters, next: null };
}

export function DeadLetters(limit) {
  const now_ms = Date.now();
  return Array.from({ length: Math.min(limit, 137) }, (_, i) => {
    const [stage, kind, column, reason, value] = kReasons[(i * 7) % kReasons.length];
    // Counted from a fixed moment, so that a letter keeps its time from answer to answer.
    const id = `0/${137 - i}`;
    const settled = kSettledLetters.get(id);
    const letter = {
      id,
      state: settled?.state ?? "open",
      attempts: 0,
      ...(settled && { last: settled }),
      time_ms: Math.floor(now_ms / 60000) * 60000 - i * 7300,
      stage,
      table: "page_views",
      topic: "page-views",
      partition: stage === "collector" ? null : i % 4,
      offset: stage === "collector" ? null : 90210 - i,
      kind,
      column,
      reason,
    };
    return i % 11 === 10 ? { ...letter, value_base64: "AP/+gIE=" } : { ...letter, value };
  });
}

export function Ask(sql) {
  if (/millrace\.reconciliations/.test(sql)) {
    const names = ["name", "time_ms", "ok", "missing", "extra", "changed", "error"];
    return {
      status: 200,
      body: {
        columns: names.map((name) => ({ name, type: "VARCHAR" })),
        rows: [["views", 1763719803000, false, 3, 0, 1, null]],
        elapsed_ms: 2,
      },
    };
  }
  if (/prise/i.test(sql)) {
    return {
      status: 400,
      body: {
        error: {
          code: "MR2104",
          message: 'column "prise" does not exist in table "orders"',
          hint: 'did you mean "price"? table "orders" has "order_id", "price", "ts"',
          detail: null,
        },
      },
    };
  }
  return {
    status: 200,
    body: {
      columns: [
        { name: "window_start", type: "TIMESTAMP" },
        { name: "page_url", type: "VARCHAR" },
        { name: "view_count", type: "BIGINT" },
        { name: "share", type: "DOUBLE" },
        { name: "note", type: "VARCHAR" },
      ],
      rows: Array.from({ length: 40 }, (_, i) => [
        `2025-11-21 10:${String(i).padStart(2, "0")}:00`,
        `/product/${i}`,
        100000 - i * 317,
        0.123 * i,
        i % 3 ? null : "<i>text</i>",
      ]),
      elapsed_ms: 3,
    },
  };
}
