#include "cli/project_files.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace millrace::cli {

namespace {

constexpr const char* kConfig =
    R"(# A Millrace project: this file, the SQL in sql/, and the pages in dashboards/.
name: {name}

# Where tables live. On "dev" (the default) every 'kafka' table is a topic of the built-in log and
# every 'jdbc' table is in the built-in warehouse: nothing else has to be installed.
target: dev
targets:
  dev: {}
  # The same SQL against a real PostgreSQL: millrace dev --target prod
  # prod:
  #   embedded: [kafka]
  #   options:
  #     jdbc:
  #       url: "jdbc:postgresql://localhost:5432/metrics"
  #       username: metrics
  #       password: "${env:METRICS_PASSWORD}"

# Settings of topics; topics that are not named here get the defaults.
topics:
  page-views: {partitions: 2, retention: 7 d}

serve:
  http: "127.0.0.1:8080"

warehouse:
  memory-limit: 512 MB
  threads: 2
)";

constexpr const char* kTables =
    R"(-- Made-up visitors, so that there is something to see. Delete it, and its job, once real events
-- come.
CREATE TABLE visitors (
  user_id    INT,
  url        STRING,
  country    STRING,
  event_time TIMESTAMP(3)
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '50',
  'fields.user_id.min' = '1',
  'fields.user_id.max' = '500',
  'fields.url.values' = '/|/pricing|/docs|/blog|/signup',
  'fields.country.values' = 'DE|FR|US|JP|BR'
);

-- Page views, as JSON in the topic "page-views". Send your own with
--   curl localhost:8080/v1/events/page-views -d '{"user_id": 7, "url": "/docs", "country": "DE",
--                                                 "event_time": "2026-01-31 12:00:00"}'
CREATE TABLE page_views (
  user_id    INT NOT NULL,
  url        STRING NOT NULL,
  country    STRING NOT NULL,
  event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '2' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'page-views',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'scan.watermark.idle-timeout' = '5 s',
  'format' = 'json'
);

-- Results. On the target "dev" this is a table of the built-in warehouse.
CREATE TABLE page_view_counts (
  window_start TIMESTAMP(3),
  url          STRING,
  country      STRING,
  views        BIGINT,
  visitors     BIGINT,
  PRIMARY KEY (window_start, url, country) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://localhost:5432/metrics',
  'table-name' = 'page_view_counts'
);
)";

constexpr const char* kJobs =
    R"(-- Every INSERT INTO is a job that runs for as long as `millrace dev` does.
INSERT INTO page_views
SELECT user_id, url, country, event_time FROM visitors;

-- Views in windows of 10 seconds; a window's row appears once its time is over.
INSERT INTO page_view_counts
SELECT window_start, url, country, COUNT(*) AS views, COUNT(DISTINCT user_id) AS visitors
FROM TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(event_time), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, url, country;
)";

constexpr const char* kDashboard = R"(title: Overview
description: Page views, in windows of 10 seconds
filters:
  - name: country
    label: Country
    column: country
    sql: "SELECT DISTINCT country FROM page_view_counts ORDER BY 1"
charts:
  - id: total
    title: Views
    type: number
    y: [views]
    filters: [country]
    width: third
    sql: |
      SELECT coalesce(sum(views), 0) AS views FROM page_view_counts
      WHERE {{filters}} AND window_start >= {{since}}
  - id: views
    title: Views by country
    type: line
    x: window_start
    y: [views]
    series: country
    filters: [country]
    click: country
    width: full
    sql: |
      SELECT window_start, country, sum(views) AS views FROM page_view_counts
      WHERE {{filters}} AND window_start >= {{since}}
      GROUP BY ALL ORDER BY window_start
  - id: pages
    title: Most viewed pages
    type: bar
    x: url
    y: [views]
    filters: [country]
    width: half
    sql: |
      SELECT url, sum(views) AS views FROM page_view_counts
      WHERE {{filters}} AND window_start >= {{since}}
      GROUP BY ALL ORDER BY views DESC
)";

constexpr const char* kTests = R"(# Unit tests of the SQL: `millrace test` runs them.
tests:
  - name: counts views and visitors per window
    steps:
      - rows:
          page_views:
            - {user_id: 1, url: /docs, country: DE, event_time: "2026-01-31 12:00:01"}
            - {user_id: 1, url: /docs, country: DE, event_time: "2026-01-31 12:00:09"}
            - {user_id: 2, url: /docs, country: DE, event_time: "2026-01-31 12:00:04"}  # in time
      - crash                       # the job goes on from its last checkpoint
      - rows:
          page_views:
            - {user_id: 3, url: /docs, country: DE, event_time: "2026-01-31 12:00:12"}
            - {user_id: 9, url: /blog, country: FR, event_time: "2026-01-31 12:00:03"}  # too late
      - watermark: {page_views: "2026-01-31 12:00:20"}
    expect:
      tables:
        page_view_counts:
          - {window_start: "2026-01-31 12:00:00", url: /docs, country: DE, views: 3, visitors: 2}
          - {window_start: "2026-01-31 12:00:10", url: /docs, country: DE, views: 1, visitors: 1}
      dead-letters:
        - {table: page_views, kind: late}
)";

// A name that needs no quotes in YAML stays as it is.
std::string YamlText(const std::string& text) {
  bool plain = !text.empty();
  for (char c : text) plain &= (c >= 'a' && c <= 'z') || c == '-' || c == '_';
  return plain ? text : JsonQuote(text);
}

}  // namespace

std::vector<ProjectFile> NewProjectFiles(const std::string& name) {
  std::string config = kConfig;
  constexpr std::string_view kName = "{name}";
  config.replace(config.find(kName), kName.size(), YamlText(name));
  return {{"millrace.yml", config},
          {"sql/01_tables.sql", kTables},
          {"sql/02_jobs.sql", kJobs},
          {"dashboards/overview.yml", kDashboard},
          {"tests/page_view_counts.yml", kTests},
          {".gitignore", ".millrace/\n"}};
}

}  // namespace millrace::cli
