// Incremental models: append, delete+insert and merge into the table that is there.
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "dbt/builder.h"

namespace millrace::dbt {

Result<std::vector<std::string>> Builder::MatchColumns(Session& session, const Node& node,
                                                       const std::string& staged,
                                                       const std::string& target) {
  const std::string rule = node.config["on_schema_change"].text_or("ignore");
  MR_ASSIGN_OR_RETURN(std::vector<Column> ours, session.ColumnsOf(target));
  MR_ASSIGN_OR_RETURN(std::vector<Column> theirs, session.ColumnsOf(staged));
  auto find = [](const std::vector<Column>& in, const std::string& name) {
    return std::find_if(in.begin(), in.end(),
                        [&](const Column& c) { return EqualsIgnoreCase(c.name, name); });
  };
  std::vector<std::string> added, removed, names;
  for (const Column& column : theirs) {
    if (find(ours, column.name) == ours.end()) added.push_back(column.name);
  }
  for (const Column& column : ours) {
    if (find(theirs, column.name) == theirs.end()) removed.push_back(column.name);
  }
  if (rule == "fail" && !(added.empty() && removed.empty())) {
    return Status(Code::kFailedPrecondition,
                  fmt::format("the columns of the model changed: new are [{}], gone are [{}]",
                              Join(added, ", "), Join(removed, ", ")))
        .WithHint("run it with --full-refresh, or set on_schema_change");
  }
  if (rule == "append_new_columns" || rule == "sync_all_columns") {
    for (const std::string& name : added) {
      MR_RETURN_IF_ERROR(session.Run(fmt::format("ALTER TABLE {} ADD COLUMN {} {}", target,
                                                 adapter_.Quote(name), find(theirs, name)->type)));
    }
    if (rule == "sync_all_columns") {
      for (const std::string& name : removed) {
        MR_RETURN_IF_ERROR(session.Run(
            fmt::format("ALTER TABLE {} DROP COLUMN {}", target, adapter_.Quote(name))));
      }
      for (const Column& column : theirs) {
        auto old = find(ours, column.name);
        if (old == ours.end() || old->type == column.type) continue;
        MR_RETURN_IF_ERROR(session.Run(fmt::format("ALTER TABLE {} ALTER COLUMN {} TYPE {}", target,
                                                   adapter_.Quote(column.name), column.type)));
      }
    }
    MR_ASSIGN_OR_RETURN(ours, session.ColumnsOf(target));
  } else if (rule != "ignore" && rule != "fail") {
    return Status(Code::kBadOption, fmt::format("on_schema_change \"{}\" is not known", rule))
        .WithHint("there is: ignore, fail, append_new_columns, sync_all_columns");
  } else if (!removed.empty() && rule == "ignore") {
    return Status(Code::kFailedPrecondition,
                  fmt::format("the model no longer has column {}", Join(removed, ", ")))
        .WithHint("run it with --full-refresh, or set on_schema_change");
  }
  for (const Column& column : theirs) {
    if (find(ours, column.name) != ours.end()) names.push_back(adapter_.Quote(column.name));
  }
  return names;
}

Status Builder::UpsertFrom(Session& session, const Node& node, const std::string& staged,
                           const std::string& target) {
  MR_ASSIGN_OR_RETURN(std::vector<std::string> columns,
                      MatchColumns(session, node, staged, target));
  const std::vector<std::string> keys = node.config["unique_key"].texts();
  const std::string strategy = adapter_.IncrementalStrategy(node);
  const std::string list = Join(columns, ", ");
  if (strategy == "merge" && !keys.empty()) {
    std::vector<std::string> chosen;
    for (const std::string& name : node.config["merge_update_columns"].texts()) {
      chosen.push_back(adapter_.Quote(name));
    }
    const std::vector<std::string> kept = node.config["merge_exclude_columns"].texts();
    if (chosen.empty()) chosen = columns;
    std::vector<std::string> sets, values;
    for (const std::string& column : chosen) {
      const bool excluded = std::any_of(kept.begin(), kept.end(), [&](const std::string& name) {
        return EqualsIgnoreCase(adapter_.Quote(name), column);
      });
      if (!excluded) sets.push_back(column + " = staged." + column);
    }
    for (const std::string& column : columns) values.push_back("staged." + column);
    return session.Run(
        fmt::format("MERGE INTO {} AS target USING {} AS staged ON ({}) WHEN MATCHED THEN "
                    "UPDATE SET {} WHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
                    target, staged, OnKeys(keys), Join(sets, ", "), list, Join(values, ", ")));
  }
  if (strategy == "insert_overwrite") {
    return adapter_.Overwrite(session, node, target, list, staged);
  }
  if (strategy == "delete+insert" && !keys.empty()) {
    MR_RETURN_IF_ERROR(adapter_.DeleteMatching(session, target, staged, keys));
  } else if (strategy != "microbatch" && strategy != "append" && strategy != "delete+insert" &&
             strategy != "merge") {
    return Status(Code::kUnsupported,
                  fmt::format("incremental_strategy \"{}\" is not known here", strategy))
        .WithHint("there is: append, delete+insert, merge, microbatch");
  }
  return session.Run(
      fmt::format("INSERT INTO {} ({}) SELECT {} FROM {}", target, list, list, staged));
}

Result<int64_t> Builder::AddIncrement(Session& session, const Node& node, const std::string& sql,
                                      const std::string& replaced) {
  const std::string name = NameBeside(node, "millrace_staged");
  MR_ASSIGN_OR_RETURN(int64_t rows, adapter_.CreateTemporary(session, name, "\n" + sql));
  const std::string staged = adapter_.Temporary(name);
  MR_ASSIGN_OR_RETURN(std::string target, adapter_.BeginChange(session, node));
  if (!replaced.empty()) {
    MR_RETURN_IF_ERROR(session.Run(fmt::format("DELETE FROM {} WHERE {}", target, replaced)));
  }
  MR_RETURN_IF_ERROR(UpsertFrom(session, node, staged, target));
  MR_RETURN_IF_ERROR(adapter_.Publish(session, node));
  MR_RETURN_IF_ERROR(session.Run("DROP TABLE " + staged));
  return rows;
}

Result<Outcome> Builder::Incremental(Node& node, const std::string& sql) {
  const bool into_existing = IsIncremental(node);
  int64_t rows = -1;
  Status status = InTransaction(node, [&](Session& session) -> Status {
    auto done = into_existing ? AddIncrement(session, node, sql) : CreateTable(session, node, sql);
    MR_ASSIGN_OR_RETURN(rows, std::move(done));
    return Status::Ok();
  });
  if (!status.ok()) return status;
  return Outcome{"success", "OK", -1, rows};
}

}  // namespace millrace::dbt
