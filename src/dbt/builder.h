// Builder: carries one node out in the database, in one transaction: after a crash there is what
// was before or what is new, nothing between.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dbt/adapter.h"
#include "dbt/project.h"
#include "dbt/run_journal.h"
#include "dbt/templates.h"

namespace millrace::dbt {

struct Outcome {
  std::string status;     // success, pass, warn, fail, error, skipped
  std::string message;    // one line: "INSERT 99", "Got 2 results, configured to fail if != 0"
  int64_t failures = -1;  // tests: rows that fail; -1: no test
  int64_t rows = -1;      // written; -1: unknown
  Value batches = {};     // of a microbatch model: {"successful": [[from, to]], "failed": …}
  std::string note = {};  // what is well done but should be looked at
  Status error = {};      // of status "error" and "partial success"
};

// Brings a stream model up to date; ends with an error soon after `stopped` says so.
using RefreshStream =
    std::function<Result<Outcome>(Node& node, const std::function<bool()>& stopped)>;

// Contract: one thread at a time, as its templates and its adapter.
class Builder {
 public:
  // `journal`: of this run, begun.
  Builder(Project& project, Templates& templates, Adapter& adapter, RunJournal* journal);

  // How a stream model is brought up to date; without it they are refused.
  void set_refresh_stream(RefreshStream f) { refresh_stream_ = std::move(f); }
  // Whether the run is to end: then a microbatch model begins no further batch.
  void set_stopped(std::function<bool()> f) { stopped_ = std::move(f); }
  // Makes the schemas that the nodes need, before several of them do so at once. Says nothing of
  // what fails: each node's own attempt will.
  void CreateSchemas(const std::vector<Node*>& nodes);
  // Errors point into the node's template where the database names a line.
  Result<Outcome> Build(Node& node);
  // Statements of on-run-start and on-run-end.
  Status RunHooks(const Value& hooks, Node& owner);
  // Whether is_incremental() holds: the table is there, and it is not to be made anew.
  bool IsIncremental(const Node& node);
  // Whether a table, and no view, is there now.
  bool IsTable(const Node& node);

 private:
  using Body = std::function<Status(Session&)>;

  Result<Outcome> Seed(Node& node);
  Result<Outcome> View(Node& node, const std::string& sql);
  Result<Outcome> Table(Node& node, const std::string& sql);
  Result<Outcome> Incremental(Node& node, const std::string& sql);
  Result<Outcome> Snapshot(Node& node, const std::string& sql);
  Result<Outcome> Test(Node& node, const std::string& sql);
  bool KeepsFailures(const Node& test) const;
  Status KeepFailures(Node& test, const std::string& sql);

  Status InTransaction(Node& node, const Body& body);
  // The target as a table of `sql`; gives the rows.
  Result<int64_t> CreateTable(Session& session, const Node& node, const std::string& sql);
  // on_schema_change; gives the columns that both have, quoted.
  Result<std::vector<std::string>> MatchColumns(Session& session, const Node& node,
                                                const std::string& staged,
                                                const std::string& target);
  Status UpsertFrom(Session& session, const Node& node, const std::string& staged,
                    const std::string& target);
  // The rows of `sql` into the table that is there, out of which those that fulfil `replaced` are
  // taken before; gives how many.
  Result<int64_t> AddIncrement(Session& session, const Node& node, const std::string& sql,
                               const std::string& replaced = "");
  Status UpdateSnapshot(Session& session, const Node& node);
  // What a snapshot's query gave, put into the versions that there are.
  struct VersionMerge {
    std::string target, staged;        // tables
    std::vector<std::string> columns;  // of `staged`, quoted
    std::string changed;               // of a version "target" and a row "staged": they differ
    std::string open, open_alone;      // of a version: it has no end; without "target."
    bool ends_deleted = false;         // versions of rows that are gone end
  };
  Status UpdateVersions(Session& session, const Node& node, const VersionMerge& merge);
  Status CloseDeleted(Session& session, const Node& node, const std::string& gone);
  // build_snapshot_rewritten.cc
  Status RewriteVersions(Session& session, const Node& node, const VersionMerge& merge);
  // build_snapshot_merged.cc
  Status MergeVersions(Session& session, const Node& node, const VersionMerge& merge);

  // contracts.cc
  Status CheckContract(const Node& node, const std::string& sql);
  // Names, for people, those of the contract that the database does not hold; "" for none.
  std::string ConstraintsLeftOut(const Node& node) const;
  // As CreateTable, with the declared types and constraints.
  Result<int64_t> CreateContracted(Session& session, const Node& node, const std::string& sql);

  // microbatch.cc
  Result<Outcome> Microbatch(Node& node);
  Result<std::vector<Batch>> BatchesOf(const Node& node, bool into_existing);
  Result<int64_t> BuildBatch(Node& node, const Batch& batch, bool into_existing);
  Result<std::string> MissingBatches(Node& node);

  // unit_tests.cc
  Result<Outcome> UnitTest(Node& node);
  Result<Node*> InputOf(const Node& test, const std::string& input);
  Result<std::vector<Column>> InputColumns(Node& input);
  Result<std::vector<Column>> OwnColumns(Node& model, Replacements replaced);
  Result<std::string> FixtureSql(const Value& fixture, const std::vector<Column>& columns);
  Result<Outcome> CompareRows(Session& session, const std::string& actual, const Value& expected);
  Result<Outcome> CompareTable(const Node& test, const Node& model, const std::string& existing,
                               const std::string& sql);

  Project& project_;
  Templates& templates_;
  Adapter& adapter_;
  RefreshStream refresh_stream_;
  std::function<bool()> stopped_ = [] { return false; };
  RunJournal* journal_;
};

bool IsMicrobatch(const Node& node);
// `status` of the node's SQL, with its place in the template.
Status Placed(const Project& project, const Node& node, Status status);

}  // namespace millrace::dbt
