// A value with subscribers. Components re-render only when what they select has changed.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

export function CreateStore(initial) {
  let value = initial;
  const listeners = new Set();
  return {
    Get: () => value,
    Set(next) {
      if (next === value) return;
      value = next;
      for (const listener of [...listeners]) listener();
    },
    Subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const Identity = (value) => value;

// Returns select(store value); re-renders when the selection is a different value (by Object.is).
export function useStore(store, select = Identity) {
  const selected = select(store.Get());
  const latest = useRef();
  latest.current = { select, selected };
  const [, rerender] = useState(0);
  useLayoutEffect(() => {
    const Check = () => {
      const { select: current_select, selected: shown } = latest.current;
      if (!Object.is(current_select(store.Get()), shown)) rerender((n) => n + 1);
    };
    Check();
    return store.Subscribe(Check);
  }, [store]);
  return selected;
}

// Re-renders the component every `every_ms`: for ages such as "2 s ago".
export function useClock(every_ms) {
  const [now_ms, set_now] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => set_now(Date.now()), every_ms);
    return () => clearInterval(timer);
  }, [every_ms]);
  return now_ms;
}
