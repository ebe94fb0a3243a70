// POST /api/trace of a small shop: a record with everything that a trace can tell.
const Rows = (columns, ...rows) => ({ columns, rows });
const kNone = Rows([]);
const kChangelog = "reads a changelog, where a record means what came before it";

const Stage = (name, version, made, more = {}) => ({
  name,
  version,
  versions: [],
  answers: [],
  windows: kNone,
  made,
  partners: [],
  partners_not_told: null,
  refused: [],
  not_told: null,
  ...more,
});

const Job = (job, sink, stages, more = {}) => ({
  job,
  sink,
  stages,
  dead_letters: [],
  found_by: null,
  in_sink: kNone,
  differences: [],
  not_told: null,
  commit: { epoch: 1234, time_ms: 1763719803000 },
  onward: [],
  ...more,
});

const Trace = (topic, partition, offset, value, tables) => ({
  topic,
  partition,
  offset,
  timestamp_ms: 1763719800000,
  key: "u17",
  value,
  dead_letters: [],
  tables,
});

const kView = Rows(["user_id", "page_url", "event_time"], ["u17", "/cart", "2025-11-21 10:10:00"]);
const kCount = Rows(
  ["window_start", "window_end", "page_url", "view_count"],
  ["2025-11-21 10:10:00", "2025-11-21 10:11:00", "/cart", "1"],
);
const kWindow = Rows(["window_start", "window_end"], kCount.rows[0].slice(0, 2));
const kScored = Rows(["user_id", "score", "referrer"], ["u17", "0.93", null]);

const Onward = (partition) =>
  Trace("scored-views", partition, 902, '{"user_id": "u17", "score": 0.93}', [
    {
      table: "scored_views",
      decoded: Stage("scored_views", null, kScored),
      checks: [],
      time_column: null,
      time: null,
      jobs: [],
    },
  ]);

const PageView = (partition, offset) =>
  Trace(
    "page-views",
    partition,
    offset,
    '{"user_id": "u17", "page_url": "/cart", "event_time": "2025-11-21 10:10:00", "agent": "<b>not markup</b>"}',
    [
      {
        table: "page_views",
        decoded: Stage("page_views", null, kView),
        checks: [
          {
            name: "known_page",
            expression: "page_url <> ''",
            verdict: "true",
            on_violation: "dead letter",
          },
          { name: "has_agent", expression: "agent_id > 0", verdict: null, on_violation: "warn" },
        ],
        time_column: "event_time",
        time: "2025-11-21 10:10:00",
        jobs: [
          Job(
            "page_view_counts",
            "page_view_counts",
            [
              Stage("view human_views", "51ab0c77", kView),
              Stage("job page_view_counts", "9f86d081", kCount, { windows: kWindow }),
            ],
            {
              found_by: "window_start, page_url",
              in_sink: Rows(kCount.columns, [...kCount.rows[0].slice(0, 3), "61"]),
            },
          ),
          Job(
            "score_views",
            "scored_views",
            [
              Stage("job score_views", "77c0ffee", kScored, {
                answers: [
                  {
                    from: "fraud_score()",
                    key: Rows(["user_id"], ["u17"]),
                    rows: Rows(["score"], ["0.93"]),
                    unusable: null,
                    version: "m7",
                    epoch: 1234,
                    time_ms: 1763719802000,
                    not_sure: "several shards got different answers",
                  },
                ],
                versions: [
                  {
                    table: "user_tiers",
                    row: Rows(["user_id", "tier"], ["u17", "gold"]),
                    record: { topic: "user-tiers", partition: 0, offset: 3 },
                  },
                ],
              }),
            ],
            {
              found_by: "user_id",
              in_sink: kScored,
              differences: ["score is 0.97, this record makes it 0.93"],
              onward: [Onward(partition)],
            },
          ),
          Job("purchases", "purchases", [
            Stage("job purchases", "0badcafe", Rows(kView.columns), {}),
          ]),
          Job("paid", "paid", [
            Stage("job paid", "c0ffee11", Rows(["user_id", "amount"], ["u17", "12.50"]), {
              partners: [
                {
                  topic: "payments",
                  partition: 0,
                  offset: 88,
                  timestamp_ms: 1763719801000,
                  key: null,
                  value: '{"user_id": "u17", "amount": 12.5}',
                },
              ],
            }),
          ]),
          Job("sessions", "archive", [Stage("job sessions", "5e551011", kNone)], {
            dead_letters: [{ stage: "SessionAggregate", kind: "late", reason: "12 s behind" }],
            commit: null,
          }),
          Job(
            "matched",
            "analytics-db.revenue",
            [Stage("job matched", "a11ce5ed", kNone, { not_told: kChangelog })],
            { not_told: kChangelog },
          ),
        ],
      },
    ],
  );

// Returns {status, body}.
export function Traces({ topic, partition = 0, offset, key }) {
  if (topic && topic !== "page-views") {
    const error = {
      code: "MR4040",
      message: `topic "${topic}" does not exist`,
      hint: 'did you mean "page-views"?',
    };
    return { status: 404, body: { error } };
  }
  const traces = topic ? [PageView(partition, offset)] : [PageView(0, 17), PageView(1, 4)];
  return { status: 200, body: { traces: key === "one" ? traces.slice(0, 1) : traces } };
}
