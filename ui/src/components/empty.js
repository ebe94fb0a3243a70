// Empty states teach: what will be here, and the command that fills it.
import { html } from "../lib/html.js";
import { Link } from "../lib/route.js";

export const Empty = ({ title, children, command }) => html`
  <div class="empty">
    <h2>${title}</h2>
    <p>${children}</p>
    ${command && html`<pre class="code" tabindex="0"><code>${command}</code></pre>`}
  </div>`;

export const NotFound = () => html`
  <h1 class="hidden">Not found</h1>
  <${Empty} title="There is no page here">
    The address may be mistyped. The pages are on the left; <${Link} href="/pipeline">Pipeline<//> is home.
  <//>`;
