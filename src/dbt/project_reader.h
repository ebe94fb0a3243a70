// ProjectReader: the steps of Project::Load. One per load.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dbt/project.h"
#include "dbt/read_memory.h"
#include "dbt/templates.h"

namespace millrace::dbt {

class ProjectReader {
 public:
  ProjectReader(Project& project, ReadMemory& memory);
  Status Read();

 private:
  // An entry of a .yml file, and where it stands.
  struct Property {
    const Value* value = nullptr;  // in the memory's file, or in made_
    int64_t file = 0;              // the memory's number of the file; 0: in made_
    std::string path;
    const Package* package = nullptr;
  };
  // A file in one of the folders that dbt_project.yml names.
  struct Found {
    enum class Part { kMacros, kDocs, kProperties, kNodes };  // in the order they are read
    Part part;
    const Package* package;
    std::string kind;  // of the folder: macro, model, seed, snapshot, test, analysis
    std::string root;
    std::string path;
  };

  // project_reader.cc
  Status ReadPackage(const std::string& directory);
  Status ReadProfile();
  Status ReadPackages();
  void FindFiles(const Package& package);
  Status ReadMacros();
  Status ReadMacros(const Found& file, JinjaEngine& engine);
  Status ReadDocs();
  Status ReadNodes(const Found& file);
  // Packages, profile, docs: what a template may ask for besides macros and sources.
  Value Surroundings() const;
  // Where the sources are that a node read; null for those that are not there.
  Value PlacesOf(const Value& source_refs);
  // The node of a file that is one; `number`: the memory's, of the file.
  Status AddFile(Node node, const std::string& section, int64_t number);
  Status AddNode(Node node, const std::string& section);
  // What its template says of it, and where it lies.
  Status Note(Node& node);
  // Puts a noted node into the project.
  Status Keep(Node node);
  // Puts in what was made of the same before, if it is still so.
  Result<bool> KeepAgain(const ReadMemory::Made& made, const std::string& path);
  Status Place(Node& node);
  // Whether the node's package or the project brings the macro.
  bool HasMacro(const Node& node, const std::string& name) const;
  Status Resolve();
  Result<std::string> ReadText(const std::string& path);

  // properties.cc
  Status ReadProperties(const Package& package, const std::string& path);
  Status AddVersions(const Property& model);
  Status AddSources(const Property& file, const Value& group);
  Status AddSnapshot(const Property& entry);
  static std::string TestedId(const Property& entry, const std::string& kind);
  Status AddTests(const Property& entry, const std::string& kind);
  Status AddTest(const Property& entry, const std::string& kind, const std::string& column,
                 const Value& test);

  // unit_test_reader.cc
  Status AddUnitTest(const Property& entry);
  Result<Value> ReadRows(const Property& entry, const Value& given);
  Result<std::string> ReadFixture(const Package& package, const std::string& name,
                                  const std::string& extension);

  // As Project::Absolute, which makes it anew each time.
  std::string Absolute(const std::string& path) const;

  Project& project_;
  ReadMemory& memory_;
  const std::string base_;
  Templates templates_;
  std::vector<Found> files_;
  std::set<std::string> disabled_;  // ids
  std::deque<Value> made_;
  std::vector<std::string> added_;                          // ids, as AddNode took them
  std::map<std::string, Property> properties_;              // "models orders" -> its entry
  std::vector<std::pair<std::string, Property>> in_order_;  // kind, entry
};

// Names a generic test as dbt does: the short name (md5 at its end above 63 characters).
std::string GenericTestName(const std::string& test, const std::string& tested,
                            const Value& arguments);
// `value` as an expression of Jinja.
std::string JinjaLiteral(const Value& value);
std::string Md5Hex(const std::string& text);

}  // namespace millrace::dbt
