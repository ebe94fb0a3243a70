// Calls of the HTTP API. A failed call throws ApiError {message, hint, detail, status}.
import { useEffect, useRef, useState } from "preact/hooks";
import { OnData } from "./live.js";

export class ApiError extends Error {
  constructor(message, { hint = null, detail = null, code = null, status = 0 } = {}) {
    super(message);
    Object.assign(this, { hint, detail, code, status });
  }
}

async function Decode(response) {
  const text = await response.text();
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    if (response.ok) {
      throw new ApiError(`the answer of ${response.url} is not JSON`, {
        hint: "is something between this page and Millrace, such as a proxy?",
        status: response.status,
      });
    }
  }
  if (!response.ok) {
    const error = body?.error ?? {};
    throw new ApiError(error.message ?? `the server answered ${response.status}`, {
      ...error,
      status: response.status,
    });
  }
  return body;
}

async function Call(url, options) {
  let response;
  try {
    response = await fetch(url, { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("the server does not answer", {
      hint: "is millrace still running? This page tries again by itself",
    });
  }
  return Decode(response);
}

export const GetJson = (url, signal) => Call(url, { signal });

export const PostJson = (url, body, signal) =>
  Call(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });

// Fetches `url` (null: nothing) now, every `every_ms`, and, with `on_data`, when new results were
// committed, but not more often than `min_ms`. The last answer stays while the next one is awaited,
// so nothing on the page disappears or moves. Returns {url, data, error, at_ms}: `url` tells which
// question the answer belongs to.
export function useJson(url, { every_ms = 0, on_data = false, min_ms = 1000 } = {}) {
  const [answer, set_answer] = useState({ url: null, data: null, error: null, at_ms: 0 });
  const mounted = useRef(true);
  useEffect(() => () => (mounted.current = false), []);

  useEffect(() => {
    if (!url) return undefined;
    const abort = new AbortController();
    let timer = null;
    let busy = false;
    let again = false;
    let last_ms = 0;

    const Fetch = async () => {
      clearTimeout(timer);
      timer = null;
      busy = true;
      last_ms = Date.now();
      try {
        const data = await GetJson(url, abort.signal);
        if (!abort.signal.aborted) set_answer({ url, data, error: null, at_ms: Date.now() });
      } catch (error) {
        if (abort.signal.aborted) return;
        set_answer((previous) => ({
          url,
          error,
          data: previous.url === url ? previous.data : null,
          at_ms: previous.at_ms,
        }));
      }
      busy = false;
      if (abort.signal.aborted) return;
      if (again) Soon();
      else if (every_ms > 0) timer = setTimeout(Fetch, every_ms);
      again = false;
    };
    const Soon = () => {
      if (busy) {
        again = true;
        return;
      }
      clearTimeout(timer);
      timer = setTimeout(Fetch, Math.max(0, last_ms + min_ms - Date.now()));
    };
    Fetch();
    const stop = on_data ? OnData(Soon) : () => {};
    return () => {
      abort.abort();
      clearTimeout(timer);
      stop();
    };
  }, [url, every_ms, on_data, min_ms]);
  return answer;
}
