// The fake shop's results: a deterministic number for every minute, country, device and category.
const kCountries = ["DE", "FR", "NL", "PL", "US", "GB", "ES", "IT", "SE", "JP", "BR"];
const kDevices = ["desktop", "mobile", "tablet"];
const kCategories = [
  "Books",
  "Electronics",
  "Fashion",
  "Garden",
  "Grocery",
  "Health",
  "Home",
  "Music",
  "Sports",
  "Toys",
  "Travel",
];
const kPages = [
  "/",
  "/search",
  "/cart",
  "/checkout",
  "/product/1042",
  "/product/77",
  "/category/books",
  "/category/garden",
  "/sale",
  "/help",
  "/account",
];
const kMinute = 60000;

function Noise(...parts) {
  let hash = 2166136261;
  for (const c of parts.join("/")) hash = Math.imul(hash ^ c.charCodeAt(0), 16777619);
  hash ^= hash >>> 15;
  return ((Math.imul(hash, 2246822519) >>> 8) % 1000) / 1000;
}
const Weight = (list, one) => 1 / (1 + list.indexOf(one)) ** 0.7;
const Wave = (time) =>
  1 + 0.45 * Math.sin(time / (86400000 / 6.283)) + 0.15 * Math.sin(time / 1500000);

const Views = (time, country, device) =>
  Math.round(
    240 *
      Weight(kCountries, country) *
      Weight(kDevices, device) *
      Wave(time) *
      (0.85 + 0.3 * Noise(time, country, device)),
  );
const Revenue = (time, country, category) =>
  Math.round(
    90 *
      Weight(kCountries, country) *
      Weight(kCategories, category) *
      Wave(time) *
      (0.6 + 0.8 * Noise(time, country, category)) *
      100,
  ) / 100;

const kRanges = { "15m": 15, "1h": 60, "6h": 360, "24h": 1440, "7d": 10080 };

function Times(since, now_ms) {
  const minutes = kRanges[since] ?? 60;
  const step = Math.max(1, Math.ceil(minutes / 240)) * kMinute;
  const end = Math.floor(now_ms / step) * step - step;
  return Array.from(
    { length: Math.floor((minutes * kMinute) / step) },
    (_, i) => end - i * step,
  ).reverse();
}

const kFilters = [
  { name: "country", label: "Country", values: kCountries },
  { name: "device", label: "Device", values: kDevices },
  { name: "category", label: "Category", values: kCategories },
];

export function Boards() {
  const Chart = (id, title, type, rest) => ({
    id,
    title,
    type,
    x: null,
    y: [],
    series: null,
    unit: "",
    filters: ["country"],
    click: null,
    width: "half",
    ...rest,
  });
  return [
    {
      name: "shop",
      title: "Shop",
      description: "Views, conversion and revenue per minute, as the windows close.",
      filters: kFilters,
      charts: [
        Chart("views_now", "Views in the last minute", "number", {
          x: "window_start",
          y: ["views"],
          width: "third",
          filters: ["country", "device"],
          sql: "SELECT window_start, sum(view_count) AS views\nFROM views_by_device\nGROUP BY window_start",
        }),
        Chart("revenue_now", "Revenue in the last minute", "number", {
          x: "window_start",
          y: ["revenue"],
          unit: "EUR",
          width: "third",
          filters: ["country", "category"],
          sql: "SELECT window_start, sum(revenue) AS revenue FROM revenue_by_category GROUP BY window_start",
        }),
        Chart("conversion_now", "Conversion", "number", {
          y: ["conversion"],
          unit: "%",
          width: "third",
          sql: "SELECT 100.0 * sum(purchases) / sum(views) AS conversion FROM funnel_by_minute",
        }),
        Chart("views", "Views per minute", "line", {
          x: "window_start",
          y: ["views"],
          series: "device",
          click: "device",
          filters: ["country", "device"],
          sql: "SELECT window_start, device, sum(view_count) AS views\nFROM views_by_device\nWHERE country = $country\nGROUP BY window_start, device",
        }),
        Chart("revenue", "Revenue per minute", "area", {
          x: "window_start",
          y: ["revenue"],
          series: "category",
          unit: "EUR",
          click: "category",
          filters: ["country", "category"],
          sql: "SELECT window_start, category, sum(revenue) AS revenue FROM revenue_by_category GROUP BY ALL",
        }),
        Chart("funnel", "View to purchase", "funnel", {
          x: "step",
          y: ["users"],
          width: "third",
          sql: "SELECT step, users FROM funnel ORDER BY position",
        }),
        Chart("by_country", "Views by country", "bar", {
          x: "country",
          y: ["views"],
          click: "country",
          width: "third",
          filters: ["country", "device"],
          sql: "SELECT country, sum(view_count) AS views FROM views_by_device GROUP BY country",
        }),
        Chart("by_category", "Revenue by category", "bar", {
          x: "category",
          y: ["revenue"],
          unit: "EUR",
          click: "category",
          width: "third",
          filters: ["country", "category"],
          sql: "SELECT category, sum(revenue) AS revenue FROM revenue_by_category GROUP BY category",
        }),
        Chart("pages", "Pages", "table", {
          y: ["views"],
          width: "full",
          filters: [],
          sql: "SELECT page_url, sum(view_count) AS views, max(window_end) AS newest FROM page_view_counts GROUP BY page_url ORDER BY views DESC",
        }),
      ],
    },
    {
      name: "edge-cases",
      title: "Edge cases",
      description: "",
      filters: [],
      charts: [
        Chart("broken", "A chart whose SQL fails", "line", {
          x: "t",
          y: ["v"],
          filters: [],
          sql: "SELECT prise FROM orders",
        }),
        Chart("empty", "No results yet", "area", {
          x: "t",
          y: ["v"],
          filters: [],
          sql: "SELECT t, v FROM nothing",
        }),
        Chart("nulls", "NULLs, duplicates, text", "table", {
          filters: [],
          sql: "SELECT * FROM odd",
        }),
        Chart("one", "One bar a minute", "bar", {
          x: "t",
          y: ["v"],
          filters: [],
          sql: "SELECT t, v FROM bars",
        }),
        Chart("wrong", "A column that is missing", "line", {
          x: "t",
          y: ["nope"],
          filters: [],
          sql: "SELECT t, v FROM bars",
        }),
      ],
    },
  ];
}

const Answer = (columns, rows, fresh_ms = 800, error = null) => ({
  columns: columns.map((text) => {
    const [name, type] = text.split(" ");
    return { name, type };
  }),
  rows,
  fresh_ms,
  error,
});

export function Data(board, params) {
  const now_ms = Date.now();
  const times = Times(params.since, now_ms);
  const countries = kCountries.filter((one) => !params.country || one === params.country);
  const devices = kDevices.filter((one) => !params.device || one === params.device);
  const categories = kCategories.filter((one) => !params.category || one === params.category);
  const step_minutes = times.length > 1 ? (times[1] - times[0]) / kMinute : 1;
  const Sum = (list, f) => list.reduce((sum, one) => sum + f(one), 0);
  const ViewsAt = (t, device) =>
    Sum(countries, (country) => Views(t, country, device)) * step_minutes;
  const RevenueAt = (t, category) =>
    Math.round(Sum(countries, (country) => Revenue(t, country, category)) * step_minutes * 100) /
    100;
  const fresh_ms = now_ms % kMinute;
  // Minutes without events, as after an outage: the line must show the gap.
  const gap = (t, i) => i > times.length * 0.55 && i < times.length * 0.62;
  const total_views = Sum(times, (t) => Sum(devices, (device) => ViewsAt(t, device)));
  const charts =
    board.name === "shop"
      ? {
          views_now: Answer(
            ["window_start TIMESTAMP", "views BIGINT"],
            times.map((t) => [t, Sum(devices, (device) => ViewsAt(t, device))]),
            fresh_ms,
          ),
          revenue_now: Answer(
            ["window_start TIMESTAMP", "revenue DOUBLE"],
            times.map((t) => [t, Sum(categories, (category) => RevenueAt(t, category))]),
            fresh_ms,
          ),
          conversion_now: Answer(
            ["conversion DOUBLE"],
            [[4.27 + Noise(Math.floor(now_ms / 5000)) / 5], [4.2]],
            fresh_ms,
          ),
          views: Answer(
            ["window_start TIMESTAMP", "device VARCHAR", "views BIGINT"],
            times.flatMap((t, i) =>
              gap(t, i) ? [] : devices.map((device) => [t, device, ViewsAt(t, device)]),
            ),
            fresh_ms,
          ),
          revenue: Answer(
            ["window_start TIMESTAMP", "category VARCHAR", "revenue DOUBLE"],
            times.flatMap((t) =>
              categories.map((category) => [t, category, RevenueAt(t, category)]),
            ),
            fresh_ms,
          ),
          funnel: Answer(
            ["step VARCHAR", "users BIGINT"],
            [
              ["view", Math.round(total_views * 0.31)],
              ["cart", Math.round(total_views * 0.043)],
              ["purchase", Math.round(total_views * 0.0134)],
            ],
            fresh_ms,
          ),
          by_country: Answer(
            ["country VARCHAR", "views BIGINT"],
            countries.map((country) => [
              country,
              Sum(times, (t) => Sum(devices, (device) => Views(t, country, device))),
            ]),
            fresh_ms,
          ),
          by_category: Answer(
            ["category VARCHAR", "revenue DOUBLE"],
            categories.map((category) => [category, Sum(times, (t) => RevenueAt(t, category))]),
            fresh_ms,
          ),
          pages: Answer(
            ["page_url VARCHAR", "views BIGINT", "newest TIMESTAMP"],
            kPages.map((page, i) => [
              page,
              Math.round((total_views * 0.4) / (1 + i)),
              times[times.length - 1],
            ]),
            fresh_ms,
          ),
        }
      : {
          broken: Answer([], [], null, 'column "prise" does not exist in table "orders"'),
          empty: Answer(["t TIMESTAMP", "v BIGINT"], [], null),
          nulls: Answer(
            ["name VARCHAR", "value BIGINT", "at TIMESTAMP"],
            [
              ["a", 1, now_ms],
              ["a", 1, now_ms],
              [null, null, null],
              ["<b>not markup</b>", -12345678.5, 253402300799000],
              ["long ".repeat(60), 0, 0],
            ],
          ),
          one: Answer(
            ["t TIMESTAMP", "v BIGINT"],
            times.slice(-30).map((t) => [t, Views(t, "DE", "mobile")]),
            1200,
          ),
          wrong: Answer(["t TIMESTAMP", "v BIGINT"], [[now_ms, 1]], 10),
        };
  return { time_ms: now_ms, charts };
}
