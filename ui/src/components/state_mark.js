// A state as shape and word: never colour alone.
import { html } from "../lib/html.js";
import { StateOf } from "../lib/states.js";

const kShapes = {
  running: html`<circle cx="6" cy="6" r="4" />`,
  idle: html`<circle cx="6" cy="6" r="3.25" fill="none" stroke="currentColor" stroke-width="1.5" />`,
  catching_up: html`<path d="M1.5 2 6 6l-4.5 4ZM6.5 2 11 6l-4.5 4Z" />`,
  late: html`
    <circle cx="6" cy="6" r="4.5" fill="none" stroke="currentColor" stroke-width="1.5" />
    <path d="M6 3.3V6l2 1.4" fill="none" stroke="currentColor" stroke-width="1.4" />`,
  failing: html`<path fill-rule="evenodd" d="M6 .8 11.6 11H.4ZM5.3 4.4v3.4h1.4V4.4Zm0 4.2v1.3h1.4V8.6Z" />`,
  stopped: html`<rect x="2.25" y="2.25" width="7.5" height="7.5" />`,
};

export const Shape = ({ state }) => html`
  <svg class="shape tone-${StateOf(state).tone}" width="12" height="12" viewBox="0 0 12 12"
    fill="currentColor" aria-hidden="true">${kShapes[state] ?? kShapes.idle}</svg>`;

export const StateMark = ({ state }) => html`
  <span class="state"><${Shape} state=${state} />${StateOf(state).word}</span>`;
