#include "connectors/delta/table_columns.h"

#include <algorithm>

#include "base/strings.h"
#include "connectors/delta/delta_schema.h"

namespace millrace::connectors::delta {

namespace {

Status Refused(const std::string& what) {
  return Status(Code::kFailedPrecondition, what)
      .WithHint("declare the table as it is there, or write to another 'path'");
}

Status CheckColumn(const model::Column& there, const model::Column& declared) {
  if (there.type != declared.type) {
    return Refused("column \"" + there.name + "\" is " + there.type.ToString() +
                   " there, but declared as " + declared.type.ToString());
  }
  if (!there.nullable && declared.nullable) {
    return Refused("column \"" + there.name + "\" is NOT NULL there, but not declared so");
  }
  return Status::Ok();
}

}  // namespace

Result<model::Schema> MissingColumns(const Metadata& table, const model::Schema& declared,
                                     const std::vector<std::string>& partitioned_by) {
  const auto& partitions = table.partition_columns;
  if (!std::equal(partitions.begin(), partitions.end(), partitioned_by.begin(),
                  partitioned_by.end(), EqualsIgnoreCase)) {
    return Refused("it is partitioned by (" + Join(partitions, ", ") + "), but declared with (" +
                   Join(partitioned_by, ", ") + ")");
  }
  MR_ASSIGN_OR_RETURN(const model::Schema stored, ParseSchemaJson(table.schema));
  model::Schema missing;
  for (const model::Column& column : declared.columns) {
    const int at = stored.Find(column.name);
    if (at < 0) {
      missing.columns.push_back(column);
    } else {
      MR_RETURN_IF_ERROR(CheckColumn(stored.columns[static_cast<size_t>(at)], column));
    }
  }
  for (const model::Column& there : stored.columns) {
    if (there.nullable || declared.Find(there.name) >= 0) continue;
    return Refused("column \"" + there.name + "\" is NOT NULL there, but not declared at all");
  }
  return missing;
}

Result<model::Schema> NamedAsStored(const Metadata& table, const model::Schema& declared) {
  MR_ASSIGN_OR_RETURN(const model::Schema stored, ParseSchemaJson(table.schema));
  model::Schema named = declared;
  for (model::Column& column : named.columns) {
    column.name = stored.columns[static_cast<size_t>(stored.Find(column.name))].name;
  }
  return named;
}

}  // namespace millrace::connectors::delta
