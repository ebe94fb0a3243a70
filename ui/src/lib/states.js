// The six states of a stage: word, tone (a colour of meaning), and the order of urgency.
export const kStates = {
  failing: { word: "failing", tone: "bad", urgency: 0 },
  late: { word: "late", tone: "warn", urgency: 1 },
  catching_up: { word: "catching up", tone: "accent", urgency: 2 },
  stopped: { word: "stopped", tone: "muted", urgency: 3 },
  idle: { word: "idle", tone: "muted", urgency: 4 },
  running: { word: "running", tone: "ok", urgency: 5 },
};

export const StateOf = (name) =>
  kStates[name] ?? { word: name ?? "unknown", tone: "muted", urgency: 6 };

// Lag and watermark delay are shown only where they are not normal.
const kLagSecondsMax = 2;
const kLagRowsMin = 1000;
const kWatermarkDelayMsMax = 60000;

export function AbnormalLag(node) {
  if (node.lag_rows === null || node.lag_rows === undefined) return false;
  return node.lag_rows > Math.max(kLagRowsMin, (node.rate_in ?? 0) * kLagSecondsMax);
}

export function AbnormalDelay(node) {
  if (node.watermark_delay_ms === null || node.watermark_delay_ms === undefined) return false;
  if (node.state === "late") return true;
  // Without new events the watermark stands still; that is idle, not late.
  if (node.state === "idle" || node.state === "stopped") return false;
  return node.watermark_delay_ms > kWatermarkDelayMsMax;
}
