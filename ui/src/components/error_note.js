// An error as it is: message, then hint, then detail.
import { html } from "../lib/html.js";
import { Shape } from "./state_mark.js";

export const ErrorNote = ({ error, children }) => html`
  <div class="error-note" role="alert">
    <${Shape} state="failing" />
    <div>
      <div class="error-message">${error.message}</div>
      ${error.hint && html`<div><b>Hint:</b> ${error.hint}</div>`}
      ${error.detail && html`<div class="muted">${error.detail}</div>`}
      ${children}
    </div>
  </div>`;
