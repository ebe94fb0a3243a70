// The pages in the order of the rail, each with its URL and its `g` key.
export const kPages = [
  { path: "/pipeline", title: "Pipeline", key: "p" },
  { path: "/dashboards", title: "Dashboards", key: "d" },
  { path: "/topics", title: "Topics", key: "t" },
  { path: "/lineage", title: "Lineage", key: "i" },
  { path: "/trace", title: "Trace", key: "r" },
  { path: "/sql", title: "SQL", key: "s" },
  { path: "/dead-letters", title: "Dead letters", key: "l" },
];

export const PageOf = (path) =>
  path === "/"
    ? kPages[0]
    : (kPages.find((page) => path === page.path || path.startsWith(page.path + "/")) ?? null);
