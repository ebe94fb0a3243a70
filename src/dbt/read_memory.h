// ReadMemory: what reading a project found out, kept for the next read of it, so that after a
// change only what the change reaches is read, parsed and rendered again.
//
// Contract
//   threads  one read at a time.
//   result   as of Project::Load, but for its templates: the engine stays here, so they cannot be
//            rendered.
//   options  always the same ones.
//   true     a read gives what one without a memory would, if Forget was told of all that changed
//            since. Each thing is kept together with all that it was made of: what a file holds by
//            its path; the engine by the texts of all macro files; what a template says while it is
//            read (Templates::Note) by its node, the engine, all configs, vars, the profile, all
//            docs, and the places of the sources it named. Not so what templates ask of the time,
//            chance or the environment: they are not asked again.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dbt/project.h"

namespace millrace::dbt {

class ReadMemory {
 public:
  // Reads what was forgotten, and what depends on it, anew.
  Result<std::unique_ptr<Project>> Load(const ProjectOptions& options);
  // Project::Load: with a memory that nobody keeps.
  static Result<std::unique_ptr<Project>> LoadOnce(const ProjectOptions& options);

  // A file, or a directory with all in it; absolute.
  void Forget(const std::string& path);
  void ForgetAll();

  // Where the last read looked, absolute, even if nothing was there: directories with all in them,
  // and directories that hold single files of a project, or the former.
  const std::set<std::string>& trees() const { return trees_; }
  const std::set<std::string>& directories() const { return directories_; }

  // Nodes whose templates the last read had to render.
  size_t rendered() const { return rendered_; }

 private:
  friend class ProjectReader;

  struct File {
    std::optional<std::string> text;  // not kept of a seed
    std::string checksum;
    std::optional<Value> yaml;
    int64_t number = 0;  // of the reading; another one when it was read again
  };
  // What became of a node by its template, where what that asked for is as it was.
  struct Note {
    Node asked;
    Value sources;  // the places of answer.source_refs
    Node answer;
  };
  // The nodes that a file, or an entry of a .yml file with its tests, became: the same again as
  // long as what it was made of was not read again.
  struct Made {
    int64_t file = 0;              // File::number
    const Value* entry = nullptr;  // of a .yml file about it; null without
    int64_t entry_file = 0;
    std::vector<std::string> ids;
  };
  using Checksums = std::vector<std::pair<std::string, std::string>>;  // by path

  // `path`: absolute.
  Result<const File*> Read(const std::string& path);
  Result<const Value*> ReadYaml(const std::string& path, const std::string& shown);
  // Null where the node asked otherwise, or not yet.
  const Note* FindNote(const Node& asked) const;
  // All that any template may ask for; what was noted under others is forgotten.
  void SetSurroundings(Value surroundings);

  std::map<std::string, File> files_;
  // An engine without macros, that asks the project which is being read, `reading_`.
  std::unique_ptr<JinjaEngine> NewEngine() const;

  std::shared_ptr<Project*> reading_ = std::make_shared<Project*>(nullptr);
  std::unique_ptr<JinjaEngine> engine_;  // null: none has all of macro_files_
  Checksums macro_files_;
  std::map<std::string, std::string> macros_;  // Project::macros
  Value surroundings_;
  std::unordered_map<std::string, Note> notes_;        // by the node's id
  std::unordered_map<std::string, Made> of_files_;     // by path
  std::unordered_map<const Value*, Made> of_entries_;  // by the entry
  int64_t readings_ = 0;
  std::set<std::string> trees_, directories_;
  size_t rendered_ = 0;
};

}  // namespace millrace::dbt
