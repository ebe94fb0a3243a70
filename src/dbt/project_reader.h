// ProjectReader: the steps of Project::Load. One per load.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dbt/project.h"
#include "dbt/templates.h"

namespace millrace::dbt {

class ProjectReader {
 public:
  explicit ProjectReader(Project& project) : project_(project), templates_(project) {}
  Status Read();

 private:
  // An entry of a .yml file, and where it stands.
  struct Property {
    Value value;
    std::string path;
    const Package* package = nullptr;
  };
  using Blocks = std::vector<TemplateBlock>;

  // project_reader.cc
  Status ReadPackage(const std::string& directory);
  Status ReadProfile();
  Status ReadFiles(const Package& package);
  Status ReadFile(const Package& package, const std::string& kind, const std::string& root,
                  const std::string& path);
  Status AddNode(Node node, const std::string& section);
  Status Place(Node& node);
  // Whether the node's package or the project brings the macro.
  bool HasMacro(const Node& node, const std::string& name) const;
  Status Resolve();
  Result<std::string> ReadText(const std::string& path);

  // properties.cc
  Status ReadProperties(const Package& package, const std::string& path);
  Status AddSources(const Property& file, const Value& group);
  Status AddSnapshot(const Property& entry);
  Status AddTests(const Property& entry, const std::string& kind);
  Status AddTest(const Property& entry, const std::string& kind, const std::string& column,
                 const Value& test);

  // unit_test_reader.cc
  Status AddUnitTest(const Property& entry);
  Result<Value> ReadRows(const Property& entry, const Value& given);
  Result<std::string> ReadFixture(const Package& package, const std::string& name,
                                  const std::string& extension);

  Project& project_;
  Templates templates_;
  std::set<std::string> disabled_;                          // ids
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
