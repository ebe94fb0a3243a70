// Says whether what the page shows is live, and since when it is not. Has a place of its own, so
// nothing moves when the connection goes or comes.
import { html } from "../lib/html.js";
import { useClock, useStore } from "../lib/store.js";
import { connection } from "../lib/live.js";
import { Duration, ExactTime, Time } from "../lib/format.js";
import { Shape } from "./state_mark.js";

export function Status() {
  const { state, since_ms } = useStore(connection);
  const now_ms = useClock(1000);
  const since = Time(since_ms);
  const away = Duration(Math.max(0, Math.floor((now_ms - since_ms) / 1000) * 1000));
  return html`
    <div class="status status-${state}" title=${ExactTime(since_ms)}>
      ${state === "live" && html`<${Shape} state="running" />Live`}
      ${state === "connecting" && html`<${Shape} state="idle" />Connecting`}
      ${
        state === "polling" &&
        html`<${Shape} state="late" />
        <span>Polling<span class="wide"> every 3 s: no live stream since ${since}</span></span>`
      }
      ${
        state === "disconnected" &&
        html`<${Shape} state="failing" />
        <strong>Disconnected since ${since}</strong><span class="wide"> (${away}), trying again</span>`
      }
      <span class="hidden" role="status">${kSpoken[state]}</span>
    </div>`;
}

// Spoken once per change, without the ticking time.
const kSpoken = {
  live: "",
  connecting: "",
  polling: "The live stream is away; polling",
  disconnected: "Disconnected from the server",
};
