// A modal dialog that closes on Esc, on a click beside it, and gives the focus back.
import { useEffect, useRef } from "preact/hooks";
import { html } from "../lib/html.js";
import { overlay } from "../lib/keys.js";

export function Dialog({ label, children }) {
  const element = useRef();
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog.showModal();
    return () => {
      dialog.close();
      before?.focus?.();
    };
  }, []);
  const Close = () => overlay.Set(null);
  return html`
    <dialog ref=${element} aria-label=${label} onClose=${Close}
      onClick=${(event) => event.target === element.current && Close()}>
      <div class="dialog-body">${children}</div>
    </dialog>`;
}
