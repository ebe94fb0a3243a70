// Runs all checks and counts. Arguments: OUT_DIR DIST_DIR URL ("" = start the mock).
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Browser } from "./browser.mjs";
import { kPureChecks } from "./pure_checks.mjs";
import { kPageChecks } from "./page_checks.mjs";
import { kMockChecks } from "./mock_checks.mjs";

const [out_dir, dist_dir, given_url] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
let passed = 0;
let failed = 0;

async function Run(checks, context) {
  for (const [name, Check] of checks) {
    const started_ms = Date.now();
    try {
      await Check(context);
      passed += 1;
      console.log(`ok    ${name} (${Date.now() - started_ms} ms)`);
    } catch (error) {
      failed += 1;
      console.log(
        `FAIL  ${name}\n      ${String(error.message ?? error)
          .split("\n")
          .slice(0, 12)
          .join("\n      ")}`,
      );
    }
  }
}

async function StartMock() {
  const child = spawn(
    process.execPath,
    [join(here, "../dev/mock_server.mjs"), dist_dir, "--port", "0"],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const url = await new Promise((resolve, reject) => {
    child.stdout.on("data", (text) => {
      const found = /http:\S+/.exec(String(text));
      if (found) resolve(found[0]);
    });
    child.on("exit", (code) => reject(new Error(`the mock server ended with ${code}`)));
  });
  return { url, Stop: () => child.kill() };
}

await Run(kPureChecks, {});
const mock = given_url ? null : await StartMock();
const url = given_url ? given_url.replace(/\/$/, "") : mock.url;
const browser = await Browser.Start(url, out_dir);
try {
  await Run(kPageChecks, { browser, url });
  if (mock) await Run(kMockChecks, { browser, url });
} finally {
  await browser.Close();
  mock?.Stop();
}
console.log(`screenshots in ${out_dir}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
