// Snapshots: every version of every row (slowly changing dimension, type 2).
//
// Source: https://docs.getdbt.com/docs/build/snapshots. A row's version is valid from
// dbt_valid_from up to, not including, dbt_valid_to; the current one has NULL there (or
// dbt_valid_to_current).
#include <fmt/format.h>

#include "base/strings.h"
#include "dbt/builder.h"
#include "env/clock.h"

namespace millrace::dbt {

namespace {

// Tables beside a snapshot: NameBeside.
constexpr const char* kStaged = "millrace_staged";
constexpr const char* kNew = "millrace_new";
constexpr const char* kGone = "millrace_gone";
constexpr const char* kDeleted = "target.dbt_is_deleted IS NOT DISTINCT FROM 'True'";

// ignore, invalidate or new_record
std::string HardDeletes(const Node& node) {
  return node.config["hard_deletes"].text_or(
      node.config["invalidate_hard_deletes"].truth() ? "invalidate" : "ignore");
}

// The condition that a version has no end yet.
std::string OpenVersion(const Node& node, const std::string& prefix) {
  const std::string column = prefix + "dbt_valid_to";
  const std::string current = node.config["dbt_valid_to_current"].text();
  if (current.empty()) return column + " IS NULL";
  return fmt::format("({0} = {1} OR {0} IS NULL)", column, current);
}

std::string Concatenated(const Dialect& dialect, const std::vector<std::string>& expressions) {
  std::vector<std::string> parts;
  for (const std::string& e : expressions) {
    parts.push_back("coalesce(cast(" + e + " as " + dialect.TextType() + "), '')");
  }
  return Join(parts, " || '|' || ");
}

}  // namespace

Result<Outcome> Builder::Snapshot(Node& node, const std::string& sql) {
  const std::vector<std::string> keys = node.config["unique_key"].texts();
  const std::string strategy = node.config["strategy"].text();
  const std::string updated_at = node.config["updated_at"].text();
  if (keys.empty()) {
    return Status(Code::kBadOption, "a snapshot needs unique_key").At({node.path, node.line, 0, 0});
  }
  if (strategy != "check" && (strategy != "timestamp" || updated_at.empty())) {
    return Status(Code::kBadOption,
                  "a snapshot needs strategy: timestamp with updated_at, or strategy: check with "
                  "check_cols")
        .At({node.path, node.line, 0, 0});
  }
  const int64_t now_us = env::Clock::System()->WallMicros();
  const std::string now = adapter_.TimestampLiteral(now_us);
  const std::string version = strategy == "timestamp" ? updated_at : now;
  std::vector<std::string> scd = keys;
  scd.push_back(version);
  const std::string until = node.config["dbt_valid_to_current"].text_or("NULL");
  const std::string staging = fmt::format(
      "SELECT *, {} AS dbt_scd_id, {} AS dbt_updated_at, {} AS dbt_valid_from, "
      "{} AS dbt_valid_to{} FROM (\n{}\n) AS snapshotted",
      adapter_.Hash(Concatenated(adapter_, scd)), version, version,
      adapter_.ValidTo(version, until),
      HardDeletes(node) == "new_record" ? ", 'False' AS dbt_is_deleted" : "", sql);
  const std::string staged = NameBeside(node, kStaged);
  Status status = InTransaction(node, [&](Session& session) -> Status {
    MR_RETURN_IF_ERROR(adapter_.CreateTemporary(session, staged, staging).status());
    MR_ASSIGN_OR_RETURN(std::string existing, adapter_.Existing(session, node));
    if (existing.empty()) {
      const std::string all = "SELECT * FROM " + adapter_.Temporary(staged);
      MR_RETURN_IF_ERROR(adapter_.Replace(session, node, existing, {.query = all}).status());
    } else {
      MR_RETURN_IF_ERROR(UpdateSnapshot(session, node));
    }
    return session.Run("DROP TABLE " + adapter_.Temporary(staged));
  });
  if (!status.ok()) return status;
  return Outcome{"success", "OK", -1, -1};
}

// Ends the versions of rows that are gone; with new_record, each has one more that says so.
Status Builder::CloseDeleted(Session& session, const Node& node, const std::string& gone) {
  const std::string target = adapter_.TableName(node);
  const std::string now = adapter_.TimestampLiteral(env::Clock::System()->WallMicros());
  std::string condition = gone;
  const bool new_record = HardDeletes(node) == "new_record";
  const std::string gone_name = NameBeside(node, kGone);
  const std::string closed = adapter_.Temporary(gone_name);
  if (new_record) {
    condition += fmt::format(" AND NOT ({})", kDeleted);
    MR_ASSIGN_OR_RETURN(std::vector<Column> columns, session.ColumnsOf(target));
    std::vector<std::string> values;
    for (const Column& column : columns) {
      std::string value = adapter_.Quote(column.name);
      if (column.name == "dbt_valid_from" || column.name == "dbt_updated_at") value = now;
      if (column.name == "dbt_scd_id")
        value = "md5(" + Concatenated(adapter_, {"dbt_scd_id", now}) + ")";
      if (column.name == "dbt_is_deleted") value = "'True'";
      values.push_back(value + " AS " + adapter_.Quote(column.name));
    }
    MR_RETURN_IF_ERROR(adapter_
                           .CreateTemporary(session, gone_name,
                                            fmt::format("SELECT {} FROM {} AS target WHERE {}",
                                                        Join(values, ", "), target, condition))
                           .status());
  }
  MR_RETURN_IF_ERROR(session.Run(
      fmt::format("UPDATE {} AS target SET dbt_valid_to = {} WHERE {}", target, now, condition)));
  if (!new_record) return Status::Ok();
  MR_RETURN_IF_ERROR(session.Run(fmt::format("INSERT INTO {} SELECT * FROM {}", target, closed)));
  return session.Run("DROP TABLE " + closed);
}

Status Builder::UpdateSnapshot(Session& session, const Node& node) {
  MR_ASSIGN_OR_RETURN(std::string target, adapter_.BeginChange(session, node));
  const std::string staged = adapter_.Temporary(NameBeside(node, kStaged));
  MR_ASSIGN_OR_RETURN(std::vector<Column> theirs, session.ColumnsOf(staged));
  MR_ASSIGN_OR_RETURN(std::vector<Column> ours, session.ColumnsOf(target));
  std::vector<std::string> columns;
  for (const Column& column : theirs) {
    columns.push_back(adapter_.Quote(column.name));
    bool known = false;
    for (const Column& old : ours) known |= EqualsIgnoreCase(old.name, column.name);
    if (known) continue;
    MR_RETURN_IF_ERROR(session.Run(fmt::format("ALTER TABLE {} ADD COLUMN {} {}", target,
                                               adapter_.Quote(column.name), column.type)));
  }
  std::vector<std::string> changed;
  if (node.config["strategy"].text() == "timestamp") {
    changed.push_back("target.dbt_valid_from < staged.dbt_valid_from");
  } else {
    std::vector<std::string> checked = node.config["check_cols"].texts();
    if (checked.empty() || checked == std::vector<std::string>{"all"}) {
      checked.clear();
      for (const Column& column : theirs) {
        if (!column.name.starts_with("dbt_")) checked.push_back(adapter_.Quote(column.name));
      }
    }
    for (const std::string& column : checked) {
      changed.push_back(adapter_.Differs("target." + column, "staged." + column));
    }
  }
  // A row that was gone and is back is new, even if it looks as before.
  if (HardDeletes(node) == "new_record") changed.push_back(kDeleted);
  const VersionMerge merge{target,
                           staged,
                           columns,
                           Join(changed, " OR "),
                           OpenVersion(node, "target."),
                           OpenVersion(node, ""),
                           HardDeletes(node) == "invalidate"};
  MR_RETURN_IF_ERROR(adapter_.MergesVersions() ? MergeVersions(session, node, merge)
                     : adapter_.CanUpdate()    ? UpdateVersions(session, node, merge)
                                               : RewriteVersions(session, node, merge));
  return adapter_.Publish(session, node);
}

Status Builder::UpdateVersions(Session& session, const Node& node, const VersionMerge& merge) {
  const std::string &target = merge.target, &staged = merge.staged, &open = merge.open;
  const std::string fresh_name = NameBeside(node, kNew);
  const std::string fresh = adapter_.Temporary(fresh_name);
  const std::string keys = OnKeys(node.config["unique_key"].texts());
  // What is new or changed, before anything is closed.
  MR_RETURN_IF_ERROR(
      adapter_
          .CreateTemporary(
              session, fresh_name,
              fmt::format("SELECT staged.* FROM {} AS staged WHERE NOT EXISTS (SELECT 1 FROM {} AS "
                          "target WHERE {} AND {} AND NOT ({}))",
                          staged, target, open, keys, merge.changed))
          .status());
  if (HardDeletes(node) != "ignore") {
    MR_RETURN_IF_ERROR(CloseDeleted(session, node,
                                    fmt::format("{} AND NOT EXISTS (SELECT 1 FROM {} AS staged "
                                                "WHERE {})",
                                                open, staged, keys)));
  }
  MR_RETURN_IF_ERROR(
      session.Run(fmt::format("UPDATE {} AS target SET dbt_valid_to = staged.dbt_valid_from FROM "
                              "{} AS staged WHERE {} AND {}",
                              target, fresh, open, keys)));
  const std::string list = Join(merge.columns, ", ");
  MR_RETURN_IF_ERROR(
      session.Run(fmt::format("INSERT INTO {} ({}) SELECT {} FROM {}", target, list, list, fresh)));
  return session.Run("DROP TABLE " + fresh);
}

}  // namespace millrace::dbt
