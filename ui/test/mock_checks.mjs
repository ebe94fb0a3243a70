// Checks that need a server whose parts can be broken: failures, lost connections, size, emptiness.
import { CheckAccessible, CheckNoSidewaysScroll, CheckStill, Expect, kPhone, kWide } from "./browser.mjs";

const Turn = async (url, what) => {
  const response = await fetch(`${url}/mock/${what}`, { method: "POST" });
  Expect(response.ok, `mock control ${what} failed`);
};

export const kMockChecks = [
  [
    "a broken sink is seen with reason and hint, and goes when it is fixed",
    ({ browser, url }) =>
      browser.With("/", {}, async (page) => {
        await page.waitForSelector(".status-live");
        Expect(
          (await page.locator(".trouble").count()) === 0,
          "trouble before anything was broken",
        );
        await Turn(url, "fail?node=sink:analytics-db.revenue");
        try {
          await page.waitForSelector(".trouble", { timeout: 60000 });
          const text = await page.locator(".summary").innerText();
          for (const word of ["failing", "refused", "Hint:", "since"])
            Expect(text.includes(word), `no "${word}" in: ${text}`);
          await page.locator(".trouble a").click();
          await page.waitForSelector(".panel .error-note");
          await page.waitForTimeout(300);
          await browser.Shot(page, "failing-1440-light");
          await CheckAccessible(page);
        } finally {
          await Turn(url, "fix");
        }
        await page.waitForSelector(".trouble", { state: "detached", timeout: 60000 });
        await page.waitForSelector(".panel .error-note", { state: "detached", timeout: 60000 });
      }),
  ],
  [
    "a broken sink on a phone, dark",
    ({ browser, url }) =>
      browser.With("/", { viewport: kPhone, dark: true }, async (page) => {
        await Turn(url, "fail?node=sink:archive");
        try {
          await page.waitForSelector(".trouble");
          await browser.Shot(page, "failing-390-dark");
          await CheckNoSidewaysScroll(page);
          await CheckAccessible(page);
        } finally {
          await Turn(url, "fix");
        }
      }),
  ],
  [
    "a ledger that closes says so, one that does not says what is missing",
    ({ browser }) =>
      browser.With("/pipeline?node=job:page_view_counts", {}, async (page) => {
        await page.waitForSelector(".ledger-sum");
        Expect(
          (await page.locator(".ledger-sum").innerText()).includes("every row is accounted for"),
          "not closed",
        );
        await page.goto(page.url().replace("page_view_counts", "funnel_by_minute"));
        await page.waitForSelector(".ledger-sum");
        Expect(
          (await page.locator(".ledger-sum").innerText()).includes(
            "3 rows do not add up: stage #2 (TopN) lost 3 rows in epoch 7",
          ),
          "the hole is not told",
        );
      }),
  ],
  [
    "without the stream the page polls, and goes back to live",
    ({ browser, url }) =>
      browser.With("/", { may_fail: true }, async (page) => {
        await page.waitForSelector(".status-live");
        await Turn(url, "stream?on=0");
        try {
          await page.waitForSelector(".status-polling", { timeout: 60000 });
        } finally {
          await Turn(url, "stream?on=1");
        }
        await page.waitForSelector(".status-live", { timeout: 60000 });
      }),
  ],
  [
    "a lost server is told with the time, keeps what was shown, and heals",
    ({ browser, url }) =>
      browser.With("/", { may_fail: true }, async (page) => {
        await page.waitForSelector(".status-live");
        const count = await page.locator(".stage").count();
        await Turn(url, "offline?on=1");
        try {
          await page.waitForSelector(".status-disconnected", { timeout: 60000 });
          Expect(
            /Disconnected since \d\d:\d\d:\d\d/.test(await page.locator(".status").innerText()),
            "no time",
          );
          Expect(
            (await page.locator(".summary").innerText()).includes("As of"),
            "what is shown is not marked as old",
          );
          Expect((await page.locator(".stage").count()) === count, "the graph went away");
          await CheckStill(page, 1500);
          await browser.Shot(page, "disconnected-1440-light");
        } finally {
          await Turn(url, "offline?on=0");
        }
        await page.waitForSelector(".status-live", { timeout: 60000 });
      }),
  ],
  [
    "200 stages update smoothly and stay where they are",
    async ({ browser, url }) => {
      await Turn(url, "nodes?count=200");
      try {
        await browser.With("/", {}, async (page) => {
          await page.waitForSelector(".stage");
          Expect((await page.locator(".stage").count()) === 200, "not 200 stages");
          await page.waitForTimeout(1000);
          await browser.Shot(page, "200-stages-1440-light");
          const session = await page.context().newCDPSession(page);
          // The main thread's own time: a machine busy with other work must not fail the check.
          await session.send("Performance.enable", { timeDomain: "threadTicks" });
          const Busy = async () => {
            const { metrics } = await session.send("Performance.getMetrics");
            return metrics.find((metric) => metric.name === "TaskDuration").value;
          };
          const Places = () =>
            page.evaluate(() =>
              [...document.querySelectorAll(".stage")]
                .map((e) => e.style.left + e.style.top)
                .join(),
            );
          const [places, busy] = [await Places(), await Busy()];
          const began = Date.now();
          await CheckStill(page, 4000);
          // At four updates a second; what is left over is for the person's scrolling.
          const share = ((await Busy()) - busy) / ((Date.now() - began) / 1000);
          console.log(
            `      200 stages: main thread busy ${(100 * share).toFixed(0)} %, ${(250 * share).toFixed(0)} ms an update`,
          );
          Expect(share < 0.4, `the main thread is busy ${(100 * share).toFixed(0)} % of the time`);
          Expect(places === (await Places()), "stages moved");
          await CheckAccessible(page);
        });
      } finally {
        await Turn(url, "nodes?count=0");
      }
    },
  ],
  [
    "empty states teach",
    async ({ browser, url }) => {
      await Turn(url, "empty?on=1");
      try {
        for (const path of ["/", "/dashboards", "/topics", "/lineage", "/trace", "/dead-letters"]) {
          await browser.With(path, {}, async (page) => {
            await page.waitForSelector(".empty pre");
            await page.waitForSelector(".status-live");
            await CheckAccessible(page);
            await browser.Shot(page, `empty${path.replace("/", "-")}-1440-light`);
          });
        }
      } finally {
        await Turn(url, "empty?on=0");
      }
    },
  ],
  [
    "charts that fail, are empty, or hold NULLs",
    ({ browser }) =>
      browser.With("/dashboards/edge-cases?range=1h", {}, async (page) => {
        await page.waitForSelector("[data-chart=one] canvas");
        await page.waitForTimeout(400);
        await browser.Shot(page, "edge-cases-1440-light");
        const Text = (id) => page.locator(`[data-chart=${id}] .chart-body`).innerText();
        Expect((await Text("broken")).includes("prise"), "the error of a chart is not shown");
        Expect((await Text("empty")).includes("No results"), "an empty chart says nothing");
        Expect(
          (await Text("nulls")).includes("NULL") &&
            (await Text("nulls")).includes("<b>not markup</b>"),
          "NULL or text lost",
        );
        Expect(
          (await Text("wrong")).includes('"nope" is not in the result'),
          "a missing column is not named",
        );
        await CheckAccessible(page);
      }),
  ],
  [
    "an area chart shows 8 series and other",
    ({ browser }) =>
      browser.With("/dashboards/shop", {}, async (page) => {
        await page.waitForSelector("[data-chart=revenue] .series-label");
        const names = await page.locator("[data-chart=revenue] .series-name").allInnerTexts();
        Expect(names.length === 9 && names.at(-1) === "other", names.join());
      }),
  ],
  [
    "a click into a plot drills into the series nearest to it",
    ({ browser }) =>
      browser.With("/dashboards/shop", {}, async (page) => {
        await page.waitForSelector("[data-chart=views] .u-over");
        await page.waitForTimeout(500);
        const box = await page.locator("[data-chart=views] .u-over").boundingBox();
        await page.mouse.move(box.x + box.width * 0.3, box.y + 12);
        await page.waitForTimeout(200);
        await browser.Shot(page, "hover-1440-light");
        Expect(
          await page.locator("[data-chart=revenue] .u-cursor-x").isVisible(),
          "the hover line is not shared",
        );
        await page.mouse.click(box.x + box.width * 0.3, box.y + 12);
        await page.waitForURL(/device=desktop/);
      }),
  ],
  [
    "the SQL page runs a query from its URL and shows an error with its hint",
    ({ browser }) =>
      browser.With("/sql?q=SELECT%201", { may_fail: true }, async (page) => {
        await page.waitForSelector(".sql-result table.data");
        await browser.Shot(page, "sql-result-1440-light");
        await page.fill("textarea", "SELECT prise FROM orders");
        await page.focus("textarea");
        await page.keyboard.press("Control+Enter");
        await page.waitForSelector(".error-note");
        Expect((await page.locator(".error-note").innerText()).includes("did you mean"), "no hint");
        await CheckAccessible(page);
      }),
  ],
  ...[
    ["1440", kWide, false],
    ["390", kPhone, true],
  ].map(([width, viewport, dark]) => [
    `a record's way at ${width} px: from its record to the sinks that hold it`,
    ({ browser }) =>
      browser.With("/topics/page-views", { viewport, dark }, async (page) => {
        await page.getByTitle("Trace this record").first().click();
        await page.waitForSelector(".trace-steps");
        Expect(new URL(page.url()).searchParams.has("offset"), "the URL does not hold the record");
        await page.reload();
        await page.waitForSelector(".trace-steps");
        const text = await page.locator(".trace").first().innerText();
        for (const word of [
          "<b>not markup</b>",
          "known_page",
          "human_views",
          "fraud_score()",
          "user-tiers 0:3",
          "differs: score",
          "filtered",
          "dead letter: late",
          "not told: reads a changelog",
          "joined with payments 0:88",
          "window 2025-11-21 10:10:00 to 2025-11-21 10:11:00",
          "scored-views",
          "in the sink",
          "NULL",
        ])
          Expect(text.includes(word), `no "${word}" in the trace`);
        await browser.Shot(page, `trace-way-${width}-${dark ? "dark" : "light"}`);
        await CheckNoSidewaysScroll(page);
        await CheckAccessible(page);
      }),
  ]),
  [
    "a table's reconciliation is told beside it, and leads to its lineage",
    ({ browser }) =>
      browser.With("/pipeline?node=table:page_view_counts", {}, async (page) => {
        await page.getByText("does not agree, 3 missing, 1 changed").waitFor();
        await CheckAccessible(page);
        await browser.Shot(page, "reconciled-1440-light");
        await page.locator(".panel").getByRole("link", { name: "views" }).click();
        await page.waitForSelector(".lineage-check.selected");
        await page.getByText("does not agree").waitFor();
        await CheckAccessible(page);
        await browser.Shot(page, "lineage-check-1440-light");
      }),
  ],
  [
    "a record is looked for by keyboard alone, and not found with a hint",
    ({ browser }) =>
      browser.With("/pipeline", { may_fail: true }, async (page) => {
        await page.waitForSelector(".status-live");
        await page.keyboard.press("g");
        await page.keyboard.press("r");
        await page.waitForSelector(".trace-form");
        await page.getByRole("textbox", { name: "Key" }).focus();
        await page.keyboard.type("u17");
        await page.keyboard.press("Enter");
        await page.waitForSelector(".trace");
        Expect((await page.locator("details.trace[open]").count()) > 0, "no trace is open");
        Expect(new URL(page.url()).searchParams.get("key") === "u17", page.url());
        await page.goto(page.url().replace(/\?.*/, "?topic=nope&offset=1"));
        await page.waitForSelector(".error-note");
        Expect((await page.locator(".error-note").innerText()).includes("did you mean"), "no hint");
        await CheckAccessible(page);
      }),
  ],
  [
    "a row of a table leads to the records behind it",
    ({ browser }) =>
      browser.With("/sql?q=SELECT%20*%20FROM%20page_view_counts%20LIMIT%209", {}, async (page) => {
        await page.getByLabel("Trace this row of page_view_counts").first().click();
        await page.waitForSelector(".trace");
        const params = new URL(page.url()).searchParams;
        Expect(params.get("sink") === "page_view_counts", page.url());
        Expect(params.get("where").includes('"view_count" = CAST('), params.get("where"));
      }),
  ],
  [
    "dead letters are filtered in the URL and opened",
    ({ browser }) =>
      browser.With("/dead-letters?kind=late", { viewport: kPhone }, async (page) => {
        await page.waitForSelector("table.letters tbody tr");
        const kinds = new Set(
          await page.locator("table.letters tbody tr td:nth-child(3)").allInnerTexts(),
        );
        Expect(kinds.size === 1 && kinds.has("late"), [...kinds].join());
        await page.locator(".cell-button").first().click();
        await page.waitForSelector(".letter-value pre");
        await CheckNoSidewaysScroll(page);
        await CheckAccessible(page);
        await browser.Shot(page, "letter-390-light");
      }),
  ],
  [
    "a dead letter is discarded with a reason, retried, or refused with one",
    ({ browser }) =>
      browser.With("/dead-letters", {}, async (page) => {
        await page.waitForSelector("table.letters tbody tr");
        const Open = async (kind) => {
          const row = page.locator("table.letters tbody tr", {
            has: page.locator("td:nth-child(3)", { hasText: new RegExp(`^${kind}$`) }),
          });
          const state = row.filter({ has: page.locator(".letter-state", { hasText: "open" }) });
          await state.first().locator(".cell-button").click();
          await page.waitForSelector(".letter-actions");
          return page.locator("tr.active .letter-state");
        };
        const first = await Open("malformed");
        Expect(
          await page.getByRole("button", { name: "Discard" }).isDisabled(),
          "discards without a reason",
        );
        await page.getByLabel("Reason").fill("a test");
        await CheckAccessible(page);
        await browser.Shot(page, "letter-actions-1440-light");
        await page.getByRole("button", { name: "Discard" }).click();
        await page.waitForFunction(
          () => document.querySelector("tr.active .letter-state")?.innerText === "discarded",
        );
        Expect((await first.innerText()) === "discarded", "not discarded");
        await page.locator("tr.active .cell-button").click();
        await Open("not_null");
        await page.getByRole("button", { name: "Retry" }).click();
        await page.waitForFunction(
          () => document.querySelector("tr.active .letter-state")?.innerText === "replayed",
        );
        await page.locator("tr.active .cell-button").click();
        const refused = await Open("constraint");
        await page.getByRole("button", { name: "Retry" }).click();
        await page.getByText(/^Refused: CHECK/).waitFor();
        Expect((await refused.innerText()) === "open", "a refused letter is not open");
      }),
  ],
  [
    "records of a topic",
    ({ browser }) =>
      browser.With("/topics/page-views", {}, async (page) => {
        await page.waitForSelector(".payload");
        await CheckAccessible(page);
        await browser.Shot(page, "records-1440-light");
      }),
  ],
];
