// The shape of `millrace schema`: options, help, examples.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace millrace::cli {

struct SchemaOptions {
  std::string directory = ".";
  std::string target;
  std::string subject;
  std::string version = "latest";
  std::string file;                     // "-": stdin
  std::string type;                     // "": by the file's name
  std::vector<std::string> references;  // "NAME=SUBJECT:VERSION"
  bool permanent = false;
  int64_t records = 100'000;  // newest ones that are tried
};
int RunSchemaList(const SchemaOptions& options);
int RunSchemaShow(const SchemaOptions& options);
int RunSchemaRegister(const SchemaOptions& options);
int RunSchemaCheck(const SchemaOptions& options);
int RunSchemaDelete(const SchemaOptions& options);

// Adds the subcommands to `schema`. `to` takes what they are given; `choose` is told which one to
// run.
void AddSchemaCommands(CLI::App* schema, SchemaOptions& to,
                       const std::function<void(std::function<int()>)>& choose);

}  // namespace millrace::cli
