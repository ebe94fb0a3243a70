// KeyPattern: how the name of a Redis key is made from columns: 'rate:{currency}'. "{{" and "}}"
// stand for the brackets themselves.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "model/schema.h"

namespace millrace::connectors::redis {

class KeyPattern {
 public:
  // Errors: kBadOption for brackets that do not match, kUnknownColumn.
  static Result<KeyPattern> Parse(const std::string& text, const model::Schema& schema);

  // Columns of the schema, in order of appearance, each once.
  const std::vector<size_t>& columns() const { return columns_; }
  // values[i] is the text of columns()[i].
  std::string Fill(const std::vector<std::string>& values) const;

 private:
  struct Part {
    std::string text;
    int column = -1;  // index into columns_, or -1: the text alone
  };
  std::vector<Part> parts_;
  std::vector<size_t> columns_;
};

}  // namespace millrace::connectors::redis
