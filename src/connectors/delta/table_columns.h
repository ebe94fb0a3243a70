// How the columns that a job declares and those of the Delta table that it writes go together.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/delta/actions.h"
#include "model/schema.h"

namespace millrace::connectors::delta {

// The declared columns that the table lacks. Error kFailedPrecondition: it is partitioned by
// others, has other types, or is stricter about NULL; and those of ParseSchemaJson.
Result<model::Schema> MissingColumns(const Metadata& table, const model::Schema& declared,
                                     const std::vector<std::string>& partitioned_by);

// The declared columns, all of which the table has, under the names that it has for them: names are
// the same whatever their case.
Result<model::Schema> NamedAsStored(const Metadata& table, const model::Schema& declared);

}  // namespace millrace::connectors::delta
