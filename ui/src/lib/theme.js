// Colours for canvases, read from the style sheet so that they are written down once.
import { CreateStore } from "./store.js";

export const kSeriesMax = 8;

function Read() {
  const style = getComputedStyle(document.documentElement);
  const Get = (name) => style.getPropertyValue(name).trim();
  return {
    text: Get("--text"),
    muted: Get("--muted"),
    line: Get("--line"),
    accent: Get("--accent"),
    background: Get("--bg"),
    other: Get("--series-other"),
    series: Array.from({ length: kSeriesMax }, (_, i) => Get(`--series-${i + 1}`)),
  };
}

export const theme = CreateStore(null);

export function CurrentTheme() {
  if (theme.Get() === null) theme.Set(Read());
  return theme.Get();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme.Set(Read()));
