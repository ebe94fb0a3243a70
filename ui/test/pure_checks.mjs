// The functions without a page: formatting and the shaping of rows into series.
import assert from "node:assert/strict";
import { Bytes, Cell, Count, Duration, Rate, Time, WithUnit } from "../src/lib/format.js";
import { Lineage } from "../dev/fake_lineage.mjs";
import { WaysOf } from "../src/lineage/ways.js";
import { ConditionOf, RequestOf, TableOf } from "../src/trace/request.js";
import { Categories, NumberOf, Stack, Steps, TimeSeries } from "../src/dashboards/series.js";

const Plain = (text) => text.replaceAll("\u00a0", " ");
const Answer = (columns, rows) => ({
  columns: columns.map((name) => ({ name, type: name === "t" ? "TIMESTAMP" : "DOUBLE" })),
  rows,
});
const chart = { x: "t", y: ["v"], series: "s", unit: "" };

export const kPureChecks = [
  [
    "numbers",
    () => {
      const cases = [
        [0, "0"],
        [7, "7"],
        [0.5, "0.5"],
        [0.054, "0.05"],
        [12.34, "12.3"],
        [999, "999"],
        [999.6, "1000"],
        [1040, "1.0 k"],
        [1000, "1 k"],
        [4961, "5.0 k"],
        [5000, "5 k"],
        [1234, "1.2 k"],
        [12345, "12.3 k"],
        [999949, "1.0 M"],
        [1234567, "1.2 M"],
        [-1234, "-1.2 k"],
        [null, "–"],
        [undefined, "–"],
        [NaN, "–"],
        [Infinity, "–"],
        ["7", "–"],
      ];
      for (const [value, text] of cases) assert.equal(Plain(Count(value)), text, String(value));
      assert.equal(Plain(Rate(0.05)), "3 rows/min");
      assert.equal(Plain(Rate(0)), "0 rows/s");
      assert.equal(Plain(Rate(410.4)), "410 rows/s");
      assert.equal(Plain(Rate(null)), "–");
      assert.equal(Plain(Bytes(0)), "0 B");
      assert.equal(Plain(Bytes(120400)), "120 kB");
      assert.equal(Plain(WithUnit(12.34, "%")), "12.3 %");
      assert.equal(Plain(WithUnit(1500, "EUR")), "1.5 k EUR");
      assert.equal(Plain(WithUnit(null, "EUR")), "–");
    },
  ],
  [
    "what a URL asks to trace, and a row's condition",
    () => {
      assert.equal(RequestOf({}), null);
      assert.equal(RequestOf({ topic: "t", offset: "x" }), null);
      assert.equal(RequestOf({ table: "t" }), null);
      assert.deepEqual(RequestOf({ topic: "t", offset: "7" }), { topic: "t", partition: 0, offset: 7 });
      assert.deepEqual(RequestOf({ table: "t", key: "k" }), { table: "t", key: "k" });
      const columns = [
        { name: 'a"b', type: "VARCHAR" },
        { name: "n", type: "BIGINT" },
        { name: "f", type: "DOUBLE" },
        { name: "l", type: "BIGINT[]" },
      ];
      assert.equal(
        ConditionOf(columns, ["it's", null, 0.5, [1]]),
        `"a""b" = CAST('it''s' AS VARCHAR) AND "n" IS NULL`,
      );
      assert.equal(ConditionOf(columns.slice(2), [0.5, []]), "");
      assert.equal(TableOf("select * from orders where a = 1 limit 5;"), "orders");
      assert.equal(TableOf('SELECT * FROM "page-views"'), "page-views");
      for (const sql of ["SELECT a FROM t", "SELECT * FROM t, u", "SELECT * FROM t JOIN u", "", null])
        assert.equal(TableOf(sql), null, sql);
      assert.equal(TableOf("SELECT * FROM t WHERE a IN (1) UNION SELECT 2"), null);
    },
  ],
  [
    "durations and times",
    () => {
      const cases = [
        [0, "0 ms"],
        [0.4, "0.4 ms"],
        [340, "340 ms"],
        [999.7, "1 s"],
        [1200, "1.2 s"],
        [59999, "1 min"],
        [95000, "1 min 35 s"],
        [3600e3, "1 h"],
        [90 * 3600e3, "3 d 18 h"],
        [-5, "0 ms"],
        [null, "–"],
        [NaN, "–"],
      ];
      for (const [value, text] of cases) assert.equal(Plain(Duration(value)), text, String(value));
      assert.match(Time(Date.now()), /^\d\d:\d\d:\d\d$/);
      assert.match(Time(253402300799000), /^(9999|10000)-\d\d-\d\d /);
      assert.equal(Time(1e300), "–");
      assert.equal(Time(null), "–");
      assert.equal(Cell(null, "BIGINT"), "NULL");
      assert.equal(Cell({ a: 1 }, "STRUCT"), '{"a":1}');
    },
  ],
  [
    "series: a missing minute is a gap, duplicates add up, NULL is a name",
    () => {
      const shaped = TimeSeries(
        chart,
        Answer(
          ["t", "s", "v"],
          [
            [0, "a", 1],
            [60, "a", 2],
            [60, "a", 3],
            [240, "a", 4],
            [60, null, 9],
            [null, "a", 5],
          ],
        ),
      );
      assert.deepEqual(shaped.times, [0, 60, 120, 240]);
      assert.deepEqual(shaped.series, [
        { name: "a", values: [1, 5, null, 4] },
        { name: "unknown", values: [null, 9, null, null] },
      ]);
    },
  ],
  [
    "series: none, one, garbage",
    () => {
      assert.deepEqual(TimeSeries(chart, Answer(["t", "s", "v"], [])).series, []);
      assert.deepEqual(TimeSeries(chart, Answer(["t", "s", "v"], [[5, "a", "x"]])).series, [
        { name: "a", values: [null] },
      ]);
      assert.throws(
        () => TimeSeries(chart, Answer(["t", "v"], [])),
        /column "s" is not in the result; it has "t", "v"/,
      );
    },
  ],
  [
    "series: more than eight become other, except where adding is wrong",
    () => {
      const rows = Array.from({ length: 12 }, (_, i) => [0, `s${i}`, 12 - i]);
      const shaped = TimeSeries(chart, Answer(["t", "s", "v"], rows));
      assert.equal(shaped.series.length, 9);
      assert.deepEqual(shaped.series.at(-1), { name: "other", values: [4 + 3 + 2 + 1] });
      const shares = TimeSeries({ ...chart, unit: "%" }, Answer(["t", "s", "v"], rows));
      assert.equal(shares.series.length, 8);
      assert.equal(shares.left_out, 4);
    },
  ],
  [
    "stack: sums upward, gap only where all are unknown",
    () => {
      assert.deepEqual(Stack([{ values: [1, null, null] }, { values: [2, 3, null] }]), [
        [1, 0, null],
        [3, 3, null],
      ]);
      assert.deepEqual(Stack([]), []);
    },
  ],
  [
    "categories, funnel steps, numbers",
    () => {
      const bars = Categories(
        { x: "c", y: ["v"] },
        Answer(
          ["c", "v"],
          [
            ["a", 1],
            ["b", 5],
            [null, 2],
            ["a", 1],
            ["d", null],
          ],
        ),
        9,
      );
      assert.deepEqual(
        bars.categories.map(({ name, total }) => [name, total]),
        [
          ["b", 5],
          ["a", 2],
          ["d", 0],
        ],
      );
      const many = Categories(
        { x: "c", y: ["v"] },
        Answer(
          ["c", "v"],
          [
            ["a", 4],
            ["b", 3],
            ["c", 2],
            ["d", 1],
          ],
        ),
        3,
      );
      assert.deepEqual(
        many.categories.map(({ name, total }) => [name, total]),
        [
          ["a", 4],
          ["b", 3],
          ["2 others", 3],
        ],
      );
      assert.deepEqual(
        Steps(
          { x: null, y: ["views", "carts"] },
          Answer(
            ["views", "carts"],
            [
              [10, 4],
              [5, null],
            ],
          ),
        ),
        [
          { name: "views", value: 15 },
          { name: "carts", value: 4 },
        ],
      );
      assert.deepEqual(NumberOf({ x: null, y: ["v"] }, Answer(["v"], [])), {
        value: null,
        previous: null,
        history: null,
      });
      assert.deepEqual(
        NumberOf(
          { x: "t", y: ["v"] },
          Answer(
            ["t", "v"],
            [
              [2, 20],
              [1, 10],
            ],
          ),
        ),
        { value: 20, previous: 10, history: null },
      );
    },
  ],
  [
    "lineage: the ways of a column, of a table, of a job",
    () => {
      const Places = (node, column) =>
        [...WaysOf(Lineage(), node, column).places].filter((key) => !key.endsWith("\t")).sort();
      // The filter's column decides about every row, so about this column, too.
      assert.deepEqual(Places("table:page_view_counts", "views"), [
        "dashboard:shop\ttop.views",
        "table:page_view_counts\tviews",
        "table:page_views\tuser_agent",
        "table:page_views\tuser_id",
        "topic:page-views\tuser_agent",
        "topic:page-views\tuser_id",
        "view:human_views\tpage_url",
        "view:human_views\tuser_id",
      ].concat(["table:page_views\tpage_url", "topic:page-views\tpage_url"]).sort());
      assert.deepEqual(Places("topic:page-views", "event_time"), [
        "table:page_views\tevent_time",
        "topic:page-views\tevent_time",
        "view:human_views\tevent_time",
      ]);
      assert.ok(Places("job:page_view_counts", null).includes("table:page_view_counts\tviews"));
      assert.ok(WaysOf(Lineage(), "table:page_views", null).places.size > 8);
    },
  ],
];
