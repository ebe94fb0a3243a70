// The URL is the page's state: path = page, query = selection, filters, time range.
// Whatever a person set can be shared as a link, and back and forward work.
import { html } from "./html.js";
import { CreateStore, useStore } from "./store.js";

const Read = () => ({
  path: location.pathname,
  params: Object.fromEntries(new URLSearchParams(location.search)),
});

export const route = CreateStore(Read());
addEventListener("popstate", () => route.Set(Read()));

// Builds a URL; params that are null, undefined or "" are left out.
export function Href(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export function Navigate(href, { replace = false } = {}) {
  if (href === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", href);
  route.Set(Read());
}

// Changes some query parameters of the present page and keeps the others.
export function SetParams(changes, options) {
  const { path, params } = route.Get();
  Navigate(Href(path, { ...params, ...changes }), options);
}

export const useRoute = () => useStore(route);

// An <a> that navigates in place; with a modifier key the browser opens it as usual.
export function Link({ href, children, ...rest }) {
  const OnClick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    Navigate(href);
  };
  return html`<a href=${href} onClick=${OnClick} ...${rest}>${children}</a>`;
}
