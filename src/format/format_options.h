// The formats Millrace knows, each described once: NewDecoder and NewEncoder check a table's
// options against these descriptions, and the reference docs are printed from them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/changelog.h"
#include "model/option_spec.h"

namespace millrace::format {

struct FormatSpec {
  std::string name;     // 'format' = name; its options begin with "name."
  std::string summary;  // one sentence
  std::vector<model::OptionSpec> options;
  std::string example;  // a WITH clause
  // kRetract: a record says whether its row comes or is taken away.
  model::ChangelogKind changelog = model::ChangelogKind::kAppend;
  // What a message tells beside its rows: keys for METADATA FROM 'value.…', without the "value.".
  std::vector<std::string> metadata = {};
  // Records are bytes, not text: no separator can stand between them.
  bool binary = false;
};

// Checked options of one table; every declared option is given, defaulted or absent.
class FormatOptions {
 public:
  bool GetBool(const std::string& name) const { return values_.at(name) == "true"; }
  const std::string& GetString(const std::string& name) const { return values_.at(name); }
  bool Has(const std::string& name) const { return values_.count(name) > 0; }

 private:
  friend Result<FormatOptions> ParseFormatOptions(const FormatSpec&,
                                                  const std::map<std::string, std::string>&);
  std::map<std::string, std::string> values_;
};

// Every format, one explicit list.
const std::vector<FormatSpec>& AllFormats();

// Error kUnknownOption with did-you-mean and the list.
Result<const FormatSpec*> FindFormat(std::string_view name);

// Checks the options of a format as given in a WITH clause, full names ("json.…").
// Errors: kUnknownOption (did-you-mean; also for options of another format), kBadOption for values
// of the wrong type or out of the list.
Result<FormatOptions> ParseFormatOptions(const FormatSpec& spec,
                                         const std::map<std::string, std::string>& given);

}  // namespace millrace::format
