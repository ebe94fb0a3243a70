// Checks that hold for any server: every page opens, is accessible, fits, stays still.
import {
  CheckAccessible,
  CheckNoSidewaysScroll,
  CheckStill,
  Expect,
  kPhone,
  kWide,
} from "./browser.mjs";

const kViews = [
  ["1440", kWide],
  ["390", kPhone],
];
const kPages = [
  ["pipeline", "/", ".stage"],
  ["dashboard", "/dashboards", ".chart"],
  ["topics", "/topics", "table.data"],
  ["lineage", "/lineage", ".lineage-box"],
  ["trace", "/trace", ".trace-form, .empty"],
  ["sql", "/sql", "textarea"],
  ["dead-letters", "/dead-letters", "table.data, .empty"],
];

const Ready = async (page, selector) => {
  await page.waitForSelector(selector);
  await page.waitForSelector(".status-live");
  await page.waitForTimeout(700); // charts draw after their data
};

const OpenChecks = kPages.flatMap(([name, path, selector]) =>
  kViews.flatMap(([width, viewport]) =>
    [false, true].map((dark) => [
      `${name} at ${width} px, ${dark ? "dark" : "light"}: opens, is accessible, fits`,
      ({ browser }) =>
        browser.With(path, { viewport, dark }, async (page) => {
          await Ready(page, selector);
          await browser.Shot(page, `${name}-${width}-${dark ? "dark" : "light"}`);
          await CheckNoSidewaysScroll(page);
          await CheckAccessible(page);
        }),
    ]),
  ),
);

const FirstJob = (page) =>
  page.locator(".stage", { has: page.locator(".stage-kind", { hasText: "job" }) }).first();

const PanelChecks = kViews.flatMap(([width, viewport]) =>
  [false, true].map((dark) => [
    `a job's panel at ${width} px, ${dark ? "dark" : "light"}`,
    ({ browser }) =>
      browser.With("/", { viewport, dark }, async (page) => {
        await Ready(page, ".stage");
        await FirstJob(page).click();
        await page.waitForSelector(".ledger");
        await page.waitForTimeout(400);
        const { y } = await page.locator(".panel").boundingBox();
        Expect(y >= 40, `the panel covers the top line (it begins at ${y} px)`);
        await browser.Shot(page, `panel-${width}-${dark ? "dark" : "light"}`);
        await CheckNoSidewaysScroll(page);
        await CheckAccessible(page);
        Expect(
          new URL(page.url()).searchParams.get("node")?.startsWith("job:"),
          "the URL does not hold the selection",
        );
        const text = await page.locator(".panel").innerText();
        for (const word of ["Latency", "p99", "State", "Freed by", "Ledger", "SQL"])
          Expect(text.includes(word), `no "${word}" in the panel`);
      }),
  ]),
);

export const kPageChecks = [
  ...OpenChecks,
  ...PanelChecks,
  [
    "the selection survives a reload, back closes the panel",
    ({ browser }) =>
      browser.With("/pipeline", {}, async (page) => {
        await Ready(page, ".stage");
        await FirstJob(page).click();
        await page.waitForSelector(".panel");
        await page.reload();
        await page.waitForSelector(".panel .facts");
        await page.goBack();
        await page.waitForSelector(".panel", { state: "detached" });
      }),
  ],
  [
    "nothing moves while the pipeline updates",
    ({ browser }) =>
      browser.With("/", {}, async (page) => {
        await Ready(page, ".stage");
        await CheckStill(page, 4000);
      }),
  ],
  [
    "nothing moves while a dashboard updates, and its charts are kept",
    ({ browser }) =>
      browser.With("/dashboards", {}, async (page) => {
        await Ready(page, ".chart");
        await page.evaluate(() =>
          document.querySelectorAll(".chart canvas").forEach((canvas) => {
            canvas.is_first = true;
          }),
        );
        const count = await page.locator(".chart canvas").count();
        await CheckStill(page, 5000);
        const kept = await page.evaluate(
          () =>
            [...document.querySelectorAll(".chart canvas")].filter((canvas) => canvas.is_first)
              .length,
        );
        Expect(kept === count, `${count - kept} of ${count} charts were drawn anew`);
      }),
  ],
  [
    "a click on a mark drills down; the URL holds it; back undoes it",
    ({ browser }) =>
      browser.With("/dashboards", {}, async (page) => {
        await Ready(page, ".chart");
        const mark = page.locator("button.bar, button.series-label").first();
        await mark.waitFor();
        const before = page.url();
        await mark.click();
        await page.waitForFunction((url) => location.href !== url, before);
        Expect(new URL(page.url()).search !== "", "the URL does not hold the filter");
        await page.waitForSelector(".filter.set");
        await page.waitForTimeout(800);
        await browser.Shot(page, "drilled-1440-light");
        await CheckAccessible(page);
        await page.reload();
        await page.waitForSelector(".filter.set");
        await page.goBack();
        await page.waitForSelector(".filter.set", { state: "detached" });
      }),
  ],
  [
    "a click on a column shows its ways; the URL holds it; back undoes it",
    ({ browser }) =>
      browser.With("/lineage", {}, async (page) => {
        await Ready(page, ".lineage-box");
        // The last one: of what stands at the end of the flow.
        await page.locator(".lineage-column").last().click();
        await page.waitForSelector(".way");
        Expect(new URL(page.url()).searchParams.has("column"), "the URL does not hold the column");
        const lit = await page.locator(".lineage-column.on").count();
        Expect(lit > 1, `${lit} columns are lit`);
        Expect((await page.locator(".lineage-steps tbody tr").count()) > 0, "no steps in words");
        await browser.Shot(page, "lineage-ways-1440-light");
        await CheckNoSidewaysScroll(page);
        await CheckAccessible(page);
        await page.goBack();
        await page.waitForSelector(".way", { state: "detached" });
      }),
  ],
  [
    "the time range lives in the URL",
    ({ browser }) =>
      browser.With("/dashboards", {}, async (page) => {
        await Ready(page, ".chart");
        await page.getByRole("button", { name: "15m" }).click();
        Expect(new URL(page.url()).searchParams.get("range") === "15m", page.url());
        await page.waitForTimeout(800);
        await browser.Shot(page, "range-15m-1440-light");
      }),
  ],
  [
    "every chart shows its SQL and its rows",
    ({ browser }) =>
      browser.With("/dashboards", {}, async (page) => {
        await Ready(page, ".chart");
        await page.locator(".chart").first().getByRole("button", { name: "show SQL" }).click();
        Expect(
          /select/i.test(await page.locator(".chart").first().locator("pre").innerText()),
          "no SQL",
        );
        await page.locator(".chart").first().getByRole("button", { name: "rows" }).click();
        await page.locator(".chart").first().locator("table.data").waitFor();
      }),
  ],
  [
    "the keyboard: / finds a stage, g d goes, ? helps",
    ({ browser }) =>
      browser.With("/", {}, async (page) => {
        await Ready(page, ".stage");
        const name = await FirstJob(page).locator(".stage-name").innerText();
        await page.keyboard.press("/");
        await page.keyboard.type(name);
        await CheckAccessible(page);
        await browser.Shot(page, "search-1440-light");
        await page.keyboard.press("Enter");
        await page.waitForSelector(".panel");
        await page.keyboard.press("Escape");
        await page.waitForSelector(".panel", { state: "detached" });
        await page.keyboard.press("g");
        await page.keyboard.press("d");
        await page.waitForURL(/dashboards/);
        await page.keyboard.press("?");
        await page.waitForSelector("dialog[open] .keys");
        await CheckAccessible(page);
        await page.keyboard.press("Escape");
        await page.waitForSelector("dialog", { state: "detached" });
      }),
  ],
  [
    "a stage is reached and opened by keyboard alone",
    ({ browser }) =>
      browser.With("/", {}, async (page) => {
        await Ready(page, ".stage");
        for (let i = 0; i < 40; i++) {
          await page.keyboard.press("Tab");
          if (await page.evaluate(() => document.activeElement.classList.contains("stage"))) break;
        }
        await page.keyboard.press("Enter");
        await page.waitForSelector(".panel .facts, .panel .ledger");
      }),
  ],
  [
    "an unknown address says so",
    ({ browser }) =>
      browser.With("/no/such/page", {}, async (page) => {
        await page.waitForSelector(".empty");
      }),
  ],
];
