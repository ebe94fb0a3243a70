// One server-sent-events stream feeds the page: `pipeline` bodies and `data` notices.
//
//   connecting -> live -> lost (retrying; meanwhile polling) -> live
//
// While the stream is away the page polls: `polling` when that works, `disconnected` when not.
import { CreateStore } from "./store.js";
import { RecordHistory } from "./rate_history.js";

const kPollMs = 3000;
const kRetryMsMax = 10000;

export const pipeline = CreateStore(null); // last body of /api/pipeline, or null before the first
export const connection = CreateStore({ state: "connecting", since_ms: Date.now() });

const data_listeners = new Set();

// Calls `listener(tables)` when new results were committed. Returns the function that stops it.
export function OnData(listener) {
  data_listeners.add(listener);
  return () => data_listeners.delete(listener);
}

function SetConnection(state) {
  const present = connection.Get();
  if (present.state === state) return;
  // "Disconnected since" counts from the first loss, not from the latest failed attempt.
  const was_away = present.state === "polling" || present.state === "disconnected";
  const is_away = state === "polling" || state === "disconnected";
  connection.Set({ state, since_ms: was_away && is_away ? present.since_ms : Date.now() });
}

// Several events in one frame paint once.
let pending = null;
function Accept(body) {
  const is_scheduled = pending !== null;
  pending = body;
  if (is_scheduled) return;
  const Apply = () => {
    if (pending === null) return;
    const next = pending;
    pending = null;
    RecordHistory(next);
    pipeline.Set(next);
  };
  // A hidden tab gets no frames.
  if (document.hidden) queueMicrotask(Apply);
  else requestAnimationFrame(Apply);
}

let poll_timer = null;
function StartPolling() {
  if (poll_timer !== null) return;
  const Poll = async () => {
    try {
      const response = await fetch("/api/pipeline", { cache: "no-store" });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const body = await response.json();
      if (poll_timer === null) return;
      Accept(body);
      SetConnection("polling");
      for (const listener of data_listeners) listener([]);
    } catch {
      if (poll_timer === null) return;
      SetConnection("disconnected");
    }
    poll_timer = setTimeout(Poll, kPollMs);
  };
  poll_timer = setTimeout(Poll, 0);
}

function StopPolling() {
  clearTimeout(poll_timer);
  poll_timer = null;
}

export function StartLive() {
  let retry_ms = 1000;
  const Connect = () => {
    const stream = new EventSource("/api/stream");
    stream.onopen = () => {
      retry_ms = 1000;
      StopPolling();
      SetConnection("live");
    };
    stream.addEventListener("pipeline", (event) => Accept(JSON.parse(event.data)));
    stream.addEventListener("data", (event) => {
      const { tables } = JSON.parse(event.data);
      for (const listener of data_listeners) listener(tables);
    });
    stream.onerror = () => {
      // The browser's own retry gives up after an HTTP error, so the page does its own.
      stream.close();
      StartPolling();
      setTimeout(Connect, retry_ms);
      retry_ms = Math.min(retry_ms * 1.6, kRetryMsMax);
    };
  };
  Connect();
}
