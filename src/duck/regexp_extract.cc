#include "duck/regexp_extract.h"

#include <re2/re2.h>

#include <map>
#include <memory>

namespace millrace::duck {

namespace {

using duckdb::idx_t;
using duckdb::string_t;

re2::StringPiece Piece(const string_t& text) {
  return {text.GetData(), text.GetSize()};
}

// Compiled patterns of one thread; a query has few, data could bring many.
class Patterns {
 public:
  const RE2& Get(const string_t& text) {
    std::string pattern = text.GetString();
    if (last_ && last_->pattern() == pattern) return *last_;
    auto found = compiled_.find(pattern);
    if (found == compiled_.end()) {
      RE2::Options options;
      options.set_log_errors(false);
      auto made = std::make_unique<RE2>(pattern, options);
      if (!made->ok()) {
        throw duckdb::InvalidInputException("\"%s\" is no regular expression: %s", pattern,
                                            made->error());
      }
      if (compiled_.size() == kMost) compiled_.clear();
      found = compiled_.emplace(std::move(pattern), std::move(made)).first;
    }
    last_ = found->second.get();
    return *last_;
  }

 private:
  static constexpr size_t kMost = 256;
  std::map<std::string, std::unique_ptr<RE2>> compiled_;
  const RE2* last_ = nullptr;
};

void Extract(duckdb::DataChunk& args, duckdb::ExpressionState&, duckdb::Vector& result) {
  thread_local Patterns patterns;
  std::vector<re2::StringPiece> groups;
  duckdb::TernaryExecutor::ExecuteWithNulls<string_t, string_t, int32_t, string_t>(
      args.data[0], args.data[1], args.data[2], result, args.size(),
      [&](string_t text, string_t pattern, int32_t group, duckdb::ValidityMask& mask, idx_t row) {
        const RE2& compiled = patterns.Get(pattern);
        bool there = group >= 0 && group <= compiled.NumberOfCapturingGroups();
        if (there) {
          groups.assign(static_cast<size_t>(group) + 1, {});
          there = compiled.Match(Piece(text), 0, text.GetSize(), RE2::UNANCHORED, groups.data(),
                                 group + 1) &&
                  groups.back().data() != nullptr;
        }
        if (!there) {
          mask.SetInvalid(row);
          return string_t();
        }
        return duckdb::StringVector::AddString(result, groups.back().data(), groups.back().size());
      });
}

}  // namespace

duckdb::ScalarFunctionSet RegexpExtractFunction() {
  using duckdb::LogicalType;
  duckdb::ScalarFunctionSet set("mr_regexp_extract");
  set.AddFunction(
      duckdb::ScalarFunction({LogicalType::VARCHAR, LogicalType::VARCHAR, LogicalType::INTEGER},
                             LogicalType::VARCHAR, Extract));
  return set;
}

}  // namespace millrace::duck
