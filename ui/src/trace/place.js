// A record's place in the log as a link to its trace.
import { html } from "../lib/html.js";
import { Exact } from "../lib/format.js";
import { Href, Link } from "../lib/route.js";

export const TraceHref = ({ topic, partition, offset }) =>
  Href("/trace", { topic, partition, offset });

export const PlaceLink = ({ record }) => html`
  <${Link} href=${TraceHref(record)}>${record.topic} ${record.partition}:${Exact(record.offset)}<//>`;
