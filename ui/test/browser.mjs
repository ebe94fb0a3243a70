// A headless Chromium and what the checks ask of it.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const kArgs = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const kAxe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

export const kWide = { width: 1440, height: 900 };
export const kPhone = { width: 390, height: 844 };

export function Expect(condition, message) {
  if (!condition) throw new Error(message);
}

export class Browser {
  static async Start(url, out_dir) {
    const executable =
      process.env.CHROMIUM ??
      ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
    Expect(
      executable,
      "Chromium is not installed; install the Debian package chromium, or set CHROMIUM to its path",
    );
    const browser = new Browser();
    browser.chromium_ = await chromium.launch({ executablePath: executable, args: kArgs });
    browser.url = url;
    browser.out_dir = out_dir;
    return browser;
  }

  Close() {
    return this.chromium_.close();
  }

  // Opens a page in a context of its own, calls Use(page), and then fails if anything reached the
  // console or went wrong on the network. `may_fail`: the check cuts the network itself.
  async With(path, { viewport = kWide, dark = false, may_fail = false } = {}, Use) {
    const context = await this.chromium_.newContext({
      viewport,
      colorScheme: dark ? "dark" : "light",
      deviceScaleFactor: 1,
      hasTouch: viewport.width < 500,
      bypassCSP: false,
    });
    const page = await context.newPage();
    const complaints = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type()))
        complaints.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => complaints.push(`exception: ${error.stack ?? error.message}`));
    page.on("requestfailed", (request) => {
      // Leaving a page cuts its stream and whatever it was still asking.
      if (request.failure()?.errorText !== "net::ERR_ABORTED")
        complaints.push(`request failed: ${request.url()}`);
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(this.url)) complaints.push(`outside request: ${request.url()}`);
    });
    await page.addInitScript(() => {
      window.shift_total = 0;
      window.shift_sources = [];
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
          if (entry.hadRecentInput) continue;
          window.shift_total += entry.value;
          for (const source of entry.sources) {
            window.shift_sources.push(
              `${source.node?.nodeName}.${source.node?.className?.baseVal ?? source.node?.className}`,
            );
          }
        }
      }).observe({ type: "layout-shift", buffered: true });
    });
    try {
      await page.goto(this.url + path);
      await Use(page);
    } finally {
      await context.close();
    }
    if (!may_fail) Expect(complaints.length === 0, complaints.slice(0, 5).join("\n"));
  }

  async Shot(page, name) {
    await page.screenshot({ path: join(this.out_dir, `${name}.png`) });
  }
}

// axe-core, evaluated through the debugger so that the page's CSP stays as it is.
export async function CheckAccessible(page) {
  const { readFile } = await import("node:fs/promises");
  await page.evaluate(await readFile(kAxe, "utf8"));
  const violations = await page.evaluate(async () => {
    const { violations: found } = await window.axe.run(document, { resultTypes: ["violations"] });
    return found.map(
      (one) =>
        `${one.id} (${one.impact}): ${one.help}\n  ${one.nodes
          .slice(0, 3)
          .map(
            (node) =>
              `${node.html.slice(0, 160)} | ${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? ""}`,
          )
          .join("\n  ")}`,
    );
  });
  Expect(violations.length === 0, violations.join("\n"));
}

export async function CheckNoSidewaysScroll(page) {
  const [scroll, client] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  Expect(scroll <= client, `the page is ${scroll} px wide in a window of ${client} px`);
}

// Forgets what moved while loading and fails if anything moves in the next `ms`.
export async function CheckStill(page, ms) {
  await page.evaluate(() => {
    window.shift_total = 0;
    window.shift_sources = [];
  });
  await page.waitForTimeout(ms);
  const [total, sources] = await page.evaluate(() => [
    window.shift_total,
    [...new Set(window.shift_sources)],
  ]);
  Expect(total < 0.001, `layout shifted by ${total.toFixed(4)}: ${sources.slice(0, 5).join(", ")}`);
}
