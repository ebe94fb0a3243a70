// Entry: styles, live connection, keyboard, and the application shell.
import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/pipeline.css";
import "./styles/dashboards.css";
import "./styles/pages.css";
import "./styles/lineage.css";
import "./styles/trace.css";
import { render } from "preact";
import { html } from "./lib/html.js";
import { StartLive } from "./lib/live.js";
import { StartKeys } from "./lib/keys.js";
import { App } from "./app.js";

StartLive();
StartKeys();
render(html`<${App} />`, document.getElementById("app"));
