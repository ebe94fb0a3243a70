// QueryGenerator: random queries for oracle tests. A query is one text of Flink's dialect; `{t}` in
// it stands for the table, so that the batch side can leave out the rows that the stream refused as
// late. Rows of table "t" are out of order, those of "late_t" also later than the watermark allows.
#pragma once

#include <fmt/format.h>

#include <random>
#include <string>
#include <vector>

namespace millrace::project {

struct GeneratedQuery {
  std::string name;
  std::string columns;  // of the sink
  std::string text;     // with {t}
  std::string table = "late_t";
  bool refuses_late = false;  // the result is that of the rows that were not late
  std::string batch = {};     // DuckDB's text, with {t}, where it is not the same
  std::string settings = {};  // SETs that go before its INSERT
};

class QueryGenerator {
 public:
  explicit QueryGenerator(unsigned seed) : random_(seed) {}

  int Pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  template <typename T>
  const T& Of(const std::vector<T>& choices) {
    return choices[static_cast<size_t>(Pick(static_cast<int>(choices.size())))];
  }

  // ROW_NUMBER, RANK or DENSE_RANK with a filter over append input.
  GeneratedQuery TopN() {
    std::string function = Of<std::string>({"ROW_NUMBER", "ROW_NUMBER", "RANK", "DENSE_RANK"});
    std::string order = Order();
    if (function == "ROW_NUMBER") order += ", id";
    bool shows_rank = Pick(2) == 0;
    return {"top_n",
            shows_rank ? "id BIGINT, k STRING, n INT, rn BIGINT, PRIMARY KEY (id) NOT ENFORCED"
                       : "id BIGINT, k STRING, n INT, PRIMARY KEY (id) NOT ENFORCED",
            fmt::format(
                "SELECT id, k, n{} FROM (SELECT *, {}() OVER ({} ORDER BY {}) AS rn FROM {{t}}{}) "
                "WHERE {}",
                shows_rank ? ", rn" : "", function, PartitionBy(), order,
                Of<std::string>({"", " WHERE n IS NOT NULL", " WHERE g <> 1"}), RankFilter("n"))};
  }

  // Over the updating result of a GROUP BY.
  GeneratedQuery TopNOfUpdates() {
    bool shows_rank = Pick(2) == 0;
    return {"top_n_of_updates",
            fmt::format("m BIGINT, c BIGINT, k STRING{}, PRIMARY KEY (m) NOT ENFORCED",
                        shows_rank ? ", rn BIGINT" : ""),
            fmt::format(
                "SELECT m, c, k{} FROM (SELECT *, ROW_NUMBER() OVER ({} ORDER BY {}, m) AS rn FROM "
                "(SELECT k, g, COUNT(*) AS c, SUM(n) AS s, MIN(id) AS m FROM {{t}} GROUP BY k, g)) "
                "WHERE {}",
                shows_rank ? ", rn" : "",
                Of<std::string>({"", "PARTITION BY k", "PARTITION BY g", "PARTITION BY c"}),
                Of<std::string>({"c DESC NULLS LAST", "s DESC NULLS FIRST", "s ASC NULLS LAST",
                                 "c ASC NULLS FIRST, s ASC NULLS FIRST"}),
                RankFilter("c"))};
  }

  // An aggregation over a Top-N: its changes must add up.
  GeneratedQuery SumOfTopN() {
    return {
        "sum_of_top_n", "k STRING, c BIGINT, s BIGINT, r BIGINT, PRIMARY KEY (k) NOT ENFORCED",
        fmt::format(
            "SELECT COALESCE(k, '?'), COUNT(*), SUM(id), SUM(rn) FROM (SELECT *, ROW_NUMBER() OVER "
            "({} ORDER BY {}, id) AS rn FROM {{t}}) WHERE {} GROUP BY COALESCE(k, '?')",
            PartitionBy(), Order(), RankFilter("n"))};
  }

  GeneratedQuery Limit() {
    return {"limit", "id BIGINT, n INT, PRIMARY KEY (id) NOT ENFORCED",
            fmt::format("SELECT id, n FROM {{t}} ORDER BY {}, id LIMIT {}{}", Order(), 1 + Pick(20),
                        Pick(3) == 0 ? fmt::format(" OFFSET {}", Pick(8)) : "")};
  }

  // Partitioned by a window's bounds: final, freed by the watermark.
  GeneratedQuery WindowTopN() {
    std::string window = Window();
    if (Pick(2) == 0) {
      return {"window_top_n", "id BIGINT, ws TIMESTAMP(3), k STRING, rn BIGINT",
              fmt::format("SELECT id, window_start, k, rn FROM (SELECT *, ROW_NUMBER() OVER "
                          "(PARTITION BY window_start, "
                          "window_end{} ORDER BY {}, id) AS rn FROM TABLE({})) WHERE {}",
                          Of<std::string>({"", ", k", ", g"}), Order(), window, RankFilter("n")),
              TableOf(window), true};
    }
    return {"window_top_n", "we TIMESTAMP(3), k STRING, c BIGINT, m BIGINT",
            fmt::format(
                "SELECT window_end, k, c, m FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "
                "window_start, "
                "window_end ORDER BY c DESC NULLS LAST, m) AS rn FROM (SELECT window_start, "
                "window_end, k, COUNT(*) AS "
                "c, MIN(id) AS m FROM TABLE({}) GROUP BY window_start, window_end, k)) WHERE {}",
                window, RankFilter("c")),
            TableOf(window), true};
  }

  // OVER in the order of event time. ROWS tells rows of equal time apart by their arrival, which a
  // batch does not know: table "unique_t" has none.
  GeneratedQuery Over() {
    bool rows = Pick(2) == 0;
    std::string partition = PartitionBy();
    std::string frame =
        rows ? Of<std::string>({"ROWS BETWEEN 3 PRECEDING AND CURRENT ROW",
                                "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
                                "ROWS BETWEEN CURRENT ROW AND CURRENT ROW"})
             : Of<std::string>({"", "RANGE BETWEEN INTERVAL '6' SECOND PRECEDING AND CURRENT ROW",
                                "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
                                "RANGE BETWEEN CURRENT ROW AND CURRENT ROW"});
    std::string over = fmt::format("OVER ({} ORDER BY event_time {})", partition, frame);
    std::string place =
        rows ? Of<std::string>({"ROW_NUMBER()", "LAG(n)", "LAG(n, 2, g)", "LAST_VALUE(id)"})
             : Of<std::string>({"RANK()", "RANK()"});
    return {"over",
            "id BIGINT, c BIGINT, s BIGINT, lo DECIMAL(10, 2), d BIGINT, a DOUBLE, f TIMESTAMP(3), "
            "p BIGINT",
            fmt::format(
                "SELECT id, COUNT(*) {0}, SUM(n) {0}, MIN(price) {0}, COUNT(DISTINCT g) {0}, "
                "AVG(CAST(n AS DOUBLE)) {0}, FIRST_VALUE(event_time) {0}, {1} OVER ({2} ORDER BY "
                "event_time) FROM {{t}}{3}",
                over, place, partition, Of<std::string>({"", " WHERE n <> 3"})),
            rows ? "unique_t" : "late_t", true};
  }

  // Both forms of SESSION. What a batch makes of it: a row begins a session when it follows the one
  // before it by more than the gap.
  GeneratedQuery Session() {
    int gap = 1 + Pick(3);
    std::string key = Of<std::string>({"k", "g", "k, g"});
    std::string aggregates = Of<std::string>(
        {"COUNT(*), COUNT(DISTINCT n), CAST(SUM(n) AS DECIMAL(20, 2))",
         "COUNT(n), MIN(id), CAST(MAX(price) FILTER (WHERE g <> 1) AS DECIMAL(20, 2))"});
    std::string filter = Of<std::string>({"", " WHERE n <> 2"});
    std::string batch = fmt::format(
        "SELECT {0}min(event_time), max(event_time) + INTERVAL '{1}' SECOND, {2} FROM (SELECT *, "
        "sum(begins) OVER ({3}) AS "
        "session FROM (SELECT *, CASE WHEN event_time - lag(event_time) OVER ({3}) <= INTERVAL "
        "'{1}' SECOND THEN 0 ELSE 1 END "
        "AS begins FROM {{t}}{4})) GROUP BY {0}session",
        key + ", ", gap, aggregates, "PARTITION BY " + key + " ORDER BY event_time, id", filter);
    std::string columns = key == "k" ? "k STRING, " : key == "g" ? "g INT, " : "k STRING, g INT, ";
    columns += "s TIMESTAMP(3), e TIMESTAMP(3), a BIGINT, b BIGINT, c DECIMAL(20, 2)";
    std::string text = Pick(2) == 0 ? fmt::format(
                                          "SELECT {0}, window_start, window_end, {1} FROM "
                                          "TABLE(SESSION(TABLE (SELECT * FROM {{t}}{2}) "
                                          "PARTITION BY {0}, DESCRIPTOR(event_time), INTERVAL "
                                          "'{3}' SECOND)) GROUP BY window_start, {0}, "
                                          "window_end",
                                          key, aggregates, filter, gap)
                                    : fmt::format(
                                          "SELECT {0}, SESSION_START(event_time, INTERVAL '{3}' "
                                          "SECOND), SESSION_END(event_time, INTERVAL "
                                          "'{3}' SECOND), {1} FROM {{t}}{2} GROUP BY {0}, "
                                          "SESSION(event_time, INTERVAL '{3}' SECOND)",
                                          key, aggregates, filter, gap);
    // What a late row joins depends on when it came: that is another test.
    return {"session", columns, text, "t", true, batch};
  }

  // GROUP BY HOP(…) and TUMBLE(…), the older form.
  GeneratedQuery GroupWindow() {
    if (Pick(2) == 0) {
      return {"group_tumble", "s TIMESTAMP(3), e TIMESTAMP(3), k STRING, c BIGINT",
              "SELECT TUMBLE_START(event_time, INTERVAL '7' SECOND), TUMBLE_END(event_time, "
              "INTERVAL '7' SECOND), k, "
              "COUNT(*) FROM {t} GROUP BY k, TUMBLE(event_time, INTERVAL '7' SECOND)",
              "late_t", true};
    }
    return {"group_hop",
            "s TIMESTAMP(3), e TIMESTAMP(3), k STRING, c BIGINT, n BIGINT",
            "SELECT HOP_START(event_time, INTERVAL '4' SECOND, INTERVAL '12' SECOND), "
            "HOP_END(event_time, INTERVAL '4' SECOND, "
            "INTERVAL '12' SECOND), k, COUNT(*), SUM(n) FROM {t} GROUP BY HOP(event_time, INTERVAL "
            "'4' SECOND, INTERVAL '12' "
            "SECOND), k",
            "t",
            true,
            "SELECT w, w + INTERVAL '12' SECOND, k, count(*), sum(n) FROM (SELECT *, "
            "unnest(mr_hop_starts(event_time, 4000000, "
            "12000000, 0)) AS w FROM {t}) GROUP BY w, k"};
  }

  // GROUPING SETS, CUBE and ROLLUP. HAVING: a batch of no rows has a total, a stream has none yet.
  GeneratedQuery GroupingSets() {
    std::string sets =
        Of<std::string>({"CUBE (k, g)", "ROLLUP (k, g)", "GROUPING SETS ((k, g), (g), ())",
                         "GROUPING SETS ((k), (g))"});
    if (Pick(2) == 0) {
      return {"grouping_sets",
              "k STRING, g INT, i BIGINT, c BIGINT, u BIGINT, PRIMARY KEY (k, g, i) NOT ENFORCED",
              fmt::format("SELECT COALESCE(k, '?'), COALESCE(g, -1), GROUPING(k, g), COUNT(*), "
                          "COUNT(DISTINCT n) FROM {{t}} "
                          "GROUP BY {} HAVING COUNT(*) > 0",
                          sets)};
    }
    return {
        "window_grouping_sets", "e TIMESTAMP(3), k STRING, g INT, i BIGINT, c BIGINT, s BIGINT",
        fmt::format(
            "SELECT window_end, k, g, GROUPING(g), COUNT(*), SUM(n) FROM TABLE(TUMBLE(TABLE {{t}}, "
            "DESCRIPTOR(event_time), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, {}",
            sets),
        "t", true};
  }

  // Aggregates that keep the values of a group.
  GeneratedQuery Aggregates() {
    std::string numbers =
        Of<std::string>({"STDDEV_POP(n)", "VAR_SAMP(n)", "MEDIAN(n)", "QUANTILE_CONT(price, 0.3)",
                         "AVG(CAST(n AS DOUBLE)) FILTER (WHERE n > 1)"});
    std::string texts =
        Of<std::string>({"STRING_AGG(k, ',' ORDER BY id)", "ARG_MIN(k, id)", "ARG_MAX(k, id)",
                         "ARRAY_JOIN(ARRAY_AGG(n ORDER BY price DESC NULLS LAST, id), ',')"});
    switch (Pick(3)) {
      case 0:
        return {"aggregates", "g INT, d DOUBLE, t STRING, x BIGINT, PRIMARY KEY (g) NOT ENFORCED",
                fmt::format("SELECT g, CAST({} AS DOUBLE), {}, BIT_XOR(id) FROM {{t}} GROUP BY g",
                            numbers, texts)};
      case 1:
        return {"window_aggregates", "e TIMESTAMP(3), g INT, d DOUBLE, t STRING, x BIGINT",
                fmt::format("SELECT window_end, g, CAST({} AS DOUBLE), {}, BIT_XOR(DISTINCT n) "
                            "FROM TABLE(TUMBLE(TABLE {{t}}, "
                            "DESCRIPTOR(event_time), INTERVAL '10' SECOND)) GROUP BY window_start, "
                            "window_end, g",
                            numbers, texts),
                "late_t", true};
      default:
        return {"aggregates_of_updates",
                "c BIGINT, d DOUBLE, m DOUBLE, t STRING, PRIMARY KEY (c) NOT ENFORCED",
                "SELECT c, MEDIAN(s), STDDEV_POP(m), STRING_AGG(k, ',' ORDER BY m) FROM (SELECT k, "
                "g, COUNT(*) AS c, SUM(n) AS "
                "s, MIN(id) AS m FROM {t} GROUP BY k, g) GROUP BY c"};
    }
  }

  // Windows that are shown early, or corrected by late rows; with an hour for these none is
  // refused.
  GeneratedQuery UpdatingWindows() {
    const std::string lateness = Of<std::string>({"4 s", "12 s", "1 h", "1 h"});
    std::string settings = fmt::format(
        "SET 'millrace.late-rows' = 'update';\nSET '{}' = '{}';\n",
        Of<std::string>({"millrace.allowed-lateness", "table.exec.emit.allow-lateness"}), lateness);
    settings += Of<std::string>({"", "SET 'millrace.emit' = 'update';\n",
                                 "SET 'table.exec.emit.early-fire.enabled' = 'true';\n"
                                 "SET 'table.exec.emit.early-fire.delay' = '10 ms';\n",
                                 "SET 'table.exec.emit.late-fire.enabled' = 'true';\n"
                                 "SET 'table.exec.emit.late-fire.delay' = '5 ms';\n"});
    // Of overlapping windows a row may be late for some only.
    std::string window = lateness == "1 h"
                             ? Window()
                             : "TUMBLE(TABLE {t}, DESCRIPTOR(event_time), INTERVAL '10' SECOND)";
    const std::string windows = fmt::format(
        "SELECT window_start AS ws, window_end AS we, COALESCE(k, '?') AS key, COUNT(*) AS c, "
        "COUNT(DISTINCT g) AS d, SUM(n) AS s, MIN(id) AS m FROM TABLE({}){} GROUP BY window_start, "
        "window_end, COALESCE(k, '?')",
        window, Of<std::string>({"", " WHERE n <> 3 OR n IS NULL"}));
    switch (Pick(6)) {
      case 5:
        return {
            "window_top_n_early",
            "id BIGINT, we TIMESTAMP(3), rn BIGINT, PRIMARY KEY (we, id) NOT ENFORCED",
            fmt::format("SELECT id, window_end, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "
                        "window_start, window_end ORDER BY {}, id) AS rn FROM TABLE({})) WHERE "
                        "rn <= 3",
                        Order(), window),
            "late_t",
            true,
            "",
            settings};
      case 0:
        return {"sum_of_updating_windows",
                "k STRING, w BIGINT, c BIGINT, s BIGINT, PRIMARY KEY (k) NOT ENFORCED",
                fmt::format("SELECT key, COUNT(*), SUM(c), MAX(s) FROM ({}) GROUP BY key", windows),
                "late_t",
                true,
                "",
                settings};
      case 1:
        return {"top_of_updating_windows",
                "we TIMESTAMP(3), rn BIGINT, k STRING, c BIGINT, PRIMARY KEY (we, rn) NOT ENFORCED",
                fmt::format("SELECT we, rn, key, c FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "
                            "ws, we ORDER BY c DESC, m) AS rn FROM ({})) WHERE rn <= 2",
                            windows),
                "late_t",
                true,
                "",
                settings};
      case 2:
        return {"join_of_updating_windows",
                "we TIMESTAMP(3), k STRING, c BIGINT, d BIGINT, PRIMARY KEY (we, k) NOT ENFORCED",
                fmt::format("SELECT a.we, a.key, a.c, b.d FROM ({0}) a LEFT JOIN ({0}) b ON a.ws = "
                            "b.ws AND a.we = b.we AND a.key = b.key AND b.c > 1",
                            windows),
                "late_t",
                true,
                "",
                settings};
      default:
        return {"updating_windows",
                "ws TIMESTAMP(3), we TIMESTAMP(3), k STRING, c BIGINT, d BIGINT, s BIGINT, m "
                "BIGINT, PRIMARY KEY (we, ws, k) NOT ENFORCED",
                windows,
                "late_t",
                true,
                "",
                settings};
    }
  }

  // OVER in any order, over rows or over groups that change.
  GeneratedQuery UpdatingOver() {
    const std::string rows = Of<std::string>(
        {"(SELECT *, id AS c FROM {t})",
         "(SELECT k, g, MAX(n) AS n, COUNT(*) AS c, MIN(id) AS id, MAX(price) AS price, "
         "MAX(event_time) AS event_time FROM {t} GROUP BY k, g)",
         "(SELECT *, rn AS c FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k, g ORDER BY price "
         "DESC, id) AS rn FROM {t}) WHERE rn <= 2)"});
    const std::string partition = Of<std::string>(
        {"", "PARTITION BY k", "PARTITION BY g", "PARTITION BY n", "PARTITION BY UPPER(k)"});
    const std::string unique = fmt::format("OVER ({} ORDER BY {}, id", partition, Order());
    const std::string frame = Of<std::string>(
        {"", "ROWS BETWEEN 3 PRECEDING AND CURRENT ROW", "ROWS BETWEEN 2 PRECEDING AND 3 FOLLOWING",
         "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
         "ROWS BETWEEN 4 PRECEDING AND 2 PRECEDING", "ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
         "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"});
    const std::string order_by_value = Of<std::string>(
        {"", "ORDER BY n NULLS LAST", "ORDER BY price DESC",
         "ORDER BY event_time RANGE BETWEEN INTERVAL '3' SECOND PRECEDING AND INTERVAL '2' SECOND "
         "FOLLOWING",
         "ORDER BY n NULLS FIRST RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING",
         "ORDER BY c DESC RANGE BETWEEN 2 PRECEDING AND CURRENT ROW",
         "ORDER BY event_time RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"});
    const std::string by_value = fmt::format("OVER ({} {})", partition, order_by_value);
    const std::string value =
        Of<std::string>({"LAG(id)", "LEAD(id)", "LEAD(id, 2, c)", "LAG(c, 3, id)",
                         "NTH_VALUE(id, 2)", "ROW_NUMBER()", "NTILE(3)"});
    const bool framed = value.starts_with("NTH");
    const std::string rank = fmt::format(
        "CAST({} OVER ({} ORDER BY n NULLS LAST) AS DOUBLE)",
        Of<std::string>({"RANK()", "DENSE_RANK()", "PERCENT_RANK()", "CUME_DIST()"}), partition);
    return {"updating_over",
            "id BIGINT, a BIGINT, s BIGINT, m DECIMAL(10, 2), f BIGINT, l BIGINT, v BIGINT, r "
            "DOUBLE, q BIGINT, x BIGINT, PRIMARY KEY (id) NOT ENFORCED",
            fmt::format("SELECT id, COUNT(*) {0} {1}), SUM(n) {0} {1}), MIN(price) {0} {1}), "
                        "FIRST_VALUE(id) {0} {1}), LAST_VALUE(id) {0} {1}), {2} {0}{3}), {4}, "
                        "SUM(c) {5}, COUNT(DISTINCT g) {5} FROM {6}{7}",
                        unique, frame, value, framed ? " " + frame : "", rank, by_value, rows,
                        Of<std::string>({"", " WHERE n <> 3"}))};
  }

  GeneratedQuery TimeSort() {
    return {"time_sort", "id BIGINT, k STRING, event_time TIMESTAMP(3)",
            fmt::format("SELECT id, k, event_time FROM {{t}}{} ORDER BY event_time{}",
                        Of<std::string>({"", " WHERE n <> 3"}),
                        Of<std::string>({"", ", id", ", k DESC, n"})),
            "late_t", true};
  }

  // As SQL has it, and DuckDB has not: a NULL matters only where nothing else tells the rows apart.
  GeneratedQuery NotInSeveral() {
    const std::string inner = Of<std::string>(
        {"id % 7 = 0 AND (k IS NOT NULL OR n IS NOT NULL)", "id % 11 = 0 AND k IS NOT NULL",
         "n IS NULL AND k IS NOT NULL AND id < 30", "id < 0"});
    return {
        "not_in_several",
        "id BIGINT, PRIMARY KEY (id) NOT ENFORCED",
        fmt::format("SELECT id FROM {{t}} WHERE (k, n) NOT IN (SELECT k, n FROM {{t}} WHERE {})",
                    inner),
        "late_t",
        false,
        fmt::format("SELECT id FROM {{t}} o WHERE NOT EXISTS (SELECT 1 FROM {{t}} i WHERE {} "
                    "AND (i.k = o.k OR i.k IS NULL OR o.k IS NULL) AND (i.n = o.n OR i.n IS "
                    "NULL OR o.n IS NULL))",
                    inner)};
  }

  // The total goes away with its last row.
  GeneratedQuery TotalOfUpdates() {
    const std::string text = fmt::format(
        "SELECT COALESCE(k, '?'), GROUPING(k), COUNT(*), SUM(c) FROM (SELECT k, g, COUNT(*) AS c "
        "FROM {{t}} GROUP BY k, g HAVING COUNT(*) < {}) GROUP BY GROUPING SETS ((k), ())",
        Of<std::string>({"12", "25", "40"}));
    return {"total_of_updates",
            "k STRING, g BIGINT, n BIGINT, c BIGINT, PRIMARY KEY (k, g) NOT ENFORCED",
            text,
            "late_t",
            false,
            text + " HAVING COUNT(*) > 0"};
  }

 private:
  std::string PartitionBy() {
    std::string key = Of<std::string>({"", "k", "g", "k, g", "UPPER(k)", "n", "price"});
    return key.empty() ? "" : "PARTITION BY " + key;
  }
  std::string Order() {
    std::string column = Of<std::string>({"n", "price", "event_time", "k", "g * 2 + 1"});
    std::string direction =
        Of<std::string>({"ASC", "DESC"}) + Of<std::string>({" NULLS FIRST", " NULLS LAST"});
    std::string second = Pick(3) == 0 ? ", price DESC NULLS LAST" : "";
    return column + " " + direction + second;
  }
  std::string RankFilter(const std::string& column) {
    return Of<std::string>({"rn <= 1", "rn = 1", "rn <= 3", "rn < 6", "4 >= rn",
                            "rn BETWEEN 2 AND 4", "rn = 2", "rn <= 5 AND " + column + " > 2",
                            "rn <= 4 AND rn <> 2"});
  }
  // A row may be late for some of its overlapping windows only, which no list of rows can say.
  static std::string TableOf(const std::string& window) {
    return window.starts_with("TUMBLE") ? "late_t" : "t";
  }
  std::string Window() {
    return Of<std::string>(
        {"TUMBLE(TABLE {t}, DESCRIPTOR(event_time), INTERVAL '10' SECOND)",
         "HOP(TABLE {t}, DESCRIPTOR(event_time), INTERVAL '5' SECOND, INTERVAL '15' SECOND)",
         "CUMULATE(TABLE {t}, DESCRIPTOR(event_time), INTERVAL '5' SECOND, INTERVAL '20' SECOND)"});
  }

  std::mt19937 random_;
};

}  // namespace millrace::project
