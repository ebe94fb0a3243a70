// TableVersions: versions of a sink's table beside each other. One of them has the table's own name
// and is what readers see; the others are called "<table>__v<number>".
//
// Which version has the name stands in millrace_versions (job, sink, version) in the same database,
// and changes in the transaction that renames the tables: after a crash at any moment the one or
// the other is served, whole. Without a row it is version 1.
//
// Contract: one thread. Nothing of the job that writes the tables runs meanwhile.
#pragma once

#include <memory>
#include <string>

#include "connectors/connector.h"

namespace millrace::connectors {

class TableVersions {
 public:
  virtual ~TableVersions() = default;

  // The version that has the table's name.
  virtual Result<int> Serving() = 0;
  // Gives the name to version `to` instead of `from`; nothing to do when it has it. Errors:
  // kFailedPrecondition when another version has it, or something in the database holds on to the
  // table (a view, a foreign key) and would not move along; kNotFound when there is no table of
  // version `to`.
  virtual Status Swap(int from, int to) = 0;
  // Deletes the table of a version that is not served, where it is there, and what
  // millrace_commits remembers of `commit_name`.
  virtual Status Drop(int version, const std::string& commit_name) = 0;
};

// "orders" -> "orders__v2"; a schema before it stays: "shop.orders" -> "shop.orders__v2".
std::string VersionedName(const std::string& table, int version);

// `connector`: name of the table's connector. Null: its tables have no versions. `table.job`: the
// job's name, without a version.
Result<std::unique_ptr<TableVersions>> OpenTableVersions(const std::string& connector,
                                                         const TableContext& table);

}  // namespace millrace::connectors
