#include "duck/extensions.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/strings.h"
#include "duck/warehouse.h"

namespace millrace::duck {

std::string ExtensionDirectory() {
  namespace fs = std::filesystem;
  std::error_code unknown;  // of where the program is: then only the other places count
  std::vector<fs::path> places;
  if (const char* given = std::getenv("MILLRACE_EXTENSIONS")) places.emplace_back(given);
  const fs::path program = fs::read_symlink("/proc/self/exe", unknown).parent_path();
  if (!program.empty()) {
    places.push_back(program / "extensions");
    places.push_back(program.parent_path().parent_path() / ".deps/duckdb-1.5.5/extensions");
  }
  for (const fs::path& place : places) {
    if (fs::is_directory(place, unknown)) return place.string();
  }
  return "";
}

Status UseExtensions(duckdb::Connection& connection) {
  const std::string directory = ExtensionDirectory();
  if (!directory.empty()) {
    MR_RETURN_IF_ERROR(
        Warehouse::Execute(connection, "SET extension_directory = " + QuoteLiteral(directory)));
  }
  return Warehouse::Execute(connection, "SET autoload_known_extensions = true");
}

Status ExplainMissingExtension(Status status) {
  if (status.message().find("xtension \"") == std::string::npos ||
      status.message().find("not found") == std::string::npos) {
    return status;
  }
  return std::move(status).WithHint(
      "scripts/setup.sh fetches the extensions; for a program elsewhere, copy "
      ".deps/duckdb-1.5.5/extensions beside it or name the directory in MILLRACE_EXTENSIONS");
}

}  // namespace millrace::duck
