// A two-column list of facts, and the heading of a part of the panel.
import { html } from "../lib/html.js";

// facts: [[name, value, exact value for the tooltip]]; null entries are left out.
export const Facts = ({ facts }) => html`
  <dl class="facts">${facts.filter(Boolean).map(
    ([name, value, exact]) => html`
    <dt key=${name}>${name}</dt><dd title=${exact ?? null}>${value}</dd>`,
  )}</dl>`;

export const Part = ({ title, children }) => html`
  <section class="part"><h3>${title}</h3>${children}</section>`;
