#include "cli/schema_import.h"

#include <fmt/format.h>

#include "cli/cli.h"
#include "cli/json_schema.h"
#include "cli/terminal.h"
#include "env/files.h"

namespace millrace::cli {

int RunSchemaImport(const SchemaImportOptions& options) {
  auto text = env::ReadWholeFile(*env::FileSystem::Real(), options.file);
  if (!text.ok()) return Fail(text.status());
  auto table = TableFromJsonSchema(*text, options.table);
  if (!table.ok()) return Fail(std::move(table).status().At({options.file, 0, 0, 0}));
  fmt::print("{}", *table);
  return kExitOk;
}

}  // namespace millrace::cli
