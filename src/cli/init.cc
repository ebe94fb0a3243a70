#include <fmt/format.h>

#include <filesystem>

#include "base/strings.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/project_files.h"
#include "cli/terminal.h"
#include "env/files.h"

namespace millrace::cli {

namespace {

// "shop" for "some/shop" and, asking the system, for ".".
std::string NameOf(const std::string& directory) {
  std::error_code error;
  std::string name =
      std::filesystem::absolute(directory, error).lexically_normal().filename().string();
  if (name.empty()) {
    name = std::filesystem::absolute(directory, error)
               .lexically_normal()
               .parent_path()
               .filename()
               .string();
  }
  return name.empty() ? "pipeline" : name;
}

Status WriteFiles(const std::string& directory, const std::vector<ProjectFile>& all) {
  env::FileSystem& files = *env::FileSystem::Real();
  std::vector<std::string> present;
  for (const ProjectFile& file : all) {
    if (files.Size(directory + "/" + file.path).ok()) present.push_back(file.path);
  }
  if (!present.empty()) {
    return Status(Code::kAlreadyExists,
                  fmt::format("\"{}\" holds {} already", directory, Join(present, ", ")))
        .WithHint("nothing was written; give another directory: millrace init DIR");
  }
  for (const ProjectFile& file : all) {
    std::string path = directory + "/" + file.path;
    MR_RETURN_IF_ERROR(files.CreateDirectories(env::ParentDirectory(path)));
    MR_RETURN_IF_ERROR(env::ReplaceFile(files, path, file.content));
  }
  return Status::Ok();
}

}  // namespace

int RunInit(const InitOptions& options) {
  std::string directory = CleanPath(options.directory);
  std::vector<ProjectFile> files = NewProjectFiles(NameOf(directory));
  Status written = WriteFiles(directory, files);
  if (!written.ok()) return Fail(written);
  fmt::print("A new project in {}:\n", directory);
  for (const ProjectFile& file : files) fmt::print("  {}\n", file.path);
  std::string argument = directory == "." ? "" : " " + directory;
  fmt::print(
      "\nNext:\n"
      "  millrace dev{0}                  run it, with its page on http://127.0.0.1:8080\n"
      "  millrace status{0}               what runs, beside a running dev\n"
      "  millrace sql{0} -c \"SELECT * FROM page_view_counts ORDER BY 1 DESC LIMIT 10\"\n"
      "  millrace validate{0}             after every change of the SQL\n"
      "  millrace test{0}                 its unit tests, in tests/\n",
      argument);
  return kExitOk;
}

}  // namespace millrace::cli
