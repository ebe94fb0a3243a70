// Snapshots where a table's rows cannot be updated from another table (ClickHouse): a version that
// ends is inserted once more, with its end, and the open one is deleted; all of it in the copy that
// Publish puts in the table's place.
#include <fmt/format.h>

#include "base/strings.h"
#include "dbt/builder.h"
#include "env/clock.h"

namespace millrace::dbt {

namespace {

constexpr const char* kNew = "millrace_new";

}  // namespace

Status Builder::RewriteVersions(Session& session, const Node& node, const VersionMerge& merge) {
  std::vector<std::string> names, staged_keys;
  MR_ASSIGN_OR_RETURN(std::vector<Column> columns, session.ColumnsOf(merge.target));
  for (const Column& column : columns) names.push_back(QuoteIdentifier(column.name));
  const std::vector<std::string> keys = node.config["unique_key"].texts();
  for (const std::string& key : keys) staged_keys.push_back("staged." + key);
  // Keys that `table` has.
  const auto keys_of = [&](const std::string& table) {
    return fmt::format("(SELECT {} FROM {} AS staged)", Join(staged_keys, ", "), table);
  };
  // Ends the open versions that fulfil `which`, at `until`; `from` is what that needs, joined by
  // key.
  const auto end = [&](const std::string& from, const std::string& until,
                       const std::string& which) -> Status {
    std::vector<std::string> values;
    for (const std::string& name : names) {
      values.push_back(name == "\"dbt_valid_to\"" ? until : "target." + name);
    }
    const std::string chosen = from.empty() ? " AND " + which : "";
    MR_RETURN_IF_ERROR(session.Run(fmt::format(
        "INSERT INTO {0} ({1}) SELECT {2} FROM {0} AS target{3} WHERE {4}{5}", merge.target,
        Join(names, ", "), Join(values, ", "), from, merge.open, chosen)));
    return session.Run(
        fmt::format("DELETE FROM {} WHERE {} AND {}", merge.target, merge.open_alone, which));
  };
  const std::string fresh_name = NameBeside(node, kNew);
  // What is new or changed, before anything is ended. The id is never NULL, as a key might be.
  MR_RETURN_IF_ERROR(
      adapter_
          .CreateTemporary(
              session, fresh_name,
              fmt::format("SELECT * FROM {0} WHERE dbt_scd_id NOT IN (SELECT "
                          "staged.dbt_scd_id FROM {0} AS staged JOIN {1} AS target ON "
                          "{2} WHERE {3} AND NOT ({4}))",
                          merge.staged, merge.target, OnKeys(keys), merge.open, merge.changed))
          .status());
  const std::string fresh = adapter_.Temporary(fresh_name);
  const std::string key = "(" + Join(keys, ", ") + ")";
  if (merge.ends_deleted) {
    MR_RETURN_IF_ERROR(end("", adapter_.TimestampLiteral(env::Clock::System()->WallMicros()),
                           key + " NOT IN " + keys_of(merge.staged)));
  }
  const std::string joined = fmt::format(" JOIN {} AS staged ON {}", fresh, OnKeys(keys));
  MR_RETURN_IF_ERROR(end(joined, "staged.dbt_valid_from", key + " IN " + keys_of(fresh)));
  const std::string list = Join(merge.columns, ", ");
  MR_RETURN_IF_ERROR(session.Run(
      fmt::format("INSERT INTO {} ({}) SELECT {} FROM {}", merge.target, list, list, fresh)));
  return session.Run("DROP TABLE " + fresh);
}

}  // namespace millrace::dbt
