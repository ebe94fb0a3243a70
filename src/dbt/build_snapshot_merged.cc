// Snapshots where versions change by one MERGE (Spark with Delta Lake): what is new is inserted and
// what ends is ended in a single commit, so that a kill leaves all of it or nothing.
#include <fmt/format.h>

#include "base/strings.h"
#include "dbt/builder.h"
#include "env/clock.h"

namespace millrace::dbt {

Status Builder::MergeVersions(Session& session, const Node& node, const VersionMerge& merge) {
  const std::string keys = OnKeys(node.config["unique_key"].texts());
  // A comparison with NULL is no change.
  const std::string changed = fmt::format("coalesce({}, false)", merge.changed);
  std::vector<std::string> fresh, ended, gone, values;
  const std::string now = adapter_.TimestampLiteral(env::Clock::System()->WallMicros());
  for (const std::string& column : merge.columns) {
    const bool is_end = column == adapter_.Quote("dbt_valid_to");
    fresh.push_back("staged." + column);
    ended.push_back((is_end ? "staged.dbt_valid_from" : "target." + column) + " AS " + column);
    gone.push_back((is_end ? now : "target." + column) + " AS " + column);
    values.push_back("merged." + column);
  }
  std::string changes = fmt::format(
      "SELECT {0}, true AS millrace_is_new FROM {1} AS staged WHERE NOT EXISTS (SELECT 1 FROM {2} "
      "AS "
      "target WHERE {3} AND {4} AND NOT {5}) UNION ALL SELECT {6}, false FROM {2} AS target JOIN "
      "{1} "
      "AS staged ON {4} WHERE {3} AND {5}",
      Join(fresh, ", "), merge.staged, merge.target, merge.open, keys, changed, Join(ended, ", "));
  if (merge.ends_deleted) {
    changes += fmt::format(
        " UNION ALL SELECT {}, false FROM {} AS target WHERE {} AND NOT EXISTS (SELECT 1 FROM {} "
        "AS "
        "staged WHERE {})",
        Join(gone, ", "), merge.target, merge.open, merge.staged, keys);
  }
  return session.Run(fmt::format(
      "MERGE INTO {} AS target USING ({}) AS merged ON target.dbt_scd_id = merged.dbt_scd_id WHEN "
      "MATCHED AND {} AND NOT merged.millrace_is_new THEN UPDATE SET dbt_valid_to = "
      "merged.dbt_valid_to WHEN NOT MATCHED AND merged.millrace_is_new THEN INSERT ({}) VALUES "
      "({})",
      merge.target, changes, merge.open, Join(merge.columns, ", "), Join(values, ", ")));
}

}  // namespace millrace::dbt
