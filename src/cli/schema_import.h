// millrace schema import: a JSON Schema file becomes a CREATE TABLE on stdout.
#pragma once

#include <string>

namespace millrace::cli {

struct SchemaImportOptions {
  std::string file;
  std::string table;
};
// Returns the exit code, as the functions of cli/commands.h.
int RunSchemaImport(const SchemaImportOptions& options);

}  // namespace millrace::cli
