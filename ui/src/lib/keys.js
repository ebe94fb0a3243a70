// Keyboard: `/` search, `g` then a letter to go, `?` help, Esc closes what is open.
import { CreateStore } from "./store.js";
import { Navigate, SetParams, route } from "./route.js";
import { kPages } from "./pages.js";

export const overlay = CreateStore(null); // null, "search" or "help"

const kSequenceMs = 1200;
let went_at_ms = 0;

const IsTyping = (target) =>
  target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);

export function StartKeys() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (overlay.Get() !== null || IsTyping(event.target)) return;
    if (event.key === "Escape") {
      if (route.Get().params.node) SetParams({ node: null });
      return;
    }
    if (event.timeStamp - went_at_ms < kSequenceMs) {
      went_at_ms = 0;
      const page = kPages.find(({ key }) => key === event.key);
      if (page) {
        event.preventDefault();
        Navigate(page.path);
        return;
      }
    }
    if (event.key === "g") went_at_ms = event.timeStamp;
    if (event.key === "/" || event.key === "?") {
      event.preventDefault();
      overlay.Set(event.key === "/" ? "search" : "help");
    }
  });
}
