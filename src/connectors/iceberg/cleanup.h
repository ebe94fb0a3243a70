// Cleanup: snapshots that are too old, and files that nobody needs.
//
// Snapshots go first, then files that only they had; a process that dies in between leaves
// orphans. Of those only files that this sink has made (by their names) are deleted, after a delay:
// another writer may be about to commit one.
//
// Contract: one thread; everything may be repeated.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/iceberg/rest_catalog.h"
#include "connectors/iceberg/table_files.h"

namespace millrace::connectors::iceberg {

// Which snapshots were made before `older_than_ms` and are not needed: no branch or tag has them,
// and they are not the newest of a job that counts its epochs in them.
std::vector<int64_t> ExpiredSnapshots(const TableMetadata& table, int64_t older_than_ms);

// Takes them out of the table, which becomes what it is then, and deletes the files that no other
// snapshot has. How many snapshots. A table with the property 'gc.enabled' = 'false' is left alone.
Result<int64_t> ExpireSnapshots(int64_t older_than_ms, RestCatalog& catalog, TableFiles& files,
                                TableMetadata& table);

// Deletes our files that no snapshot has and that were written before `older_than_us`. How many.
Result<int64_t> DeleteOrphans(int64_t older_than_us, TableFiles& files, const TableMetadata& table);

}  // namespace millrace::connectors::iceberg
