// StatementReader: cuts typed or piped SQL into statements at ';', as people type it.
//
// Contract: knows strings, quoted names and comments, nothing else of SQL; a ';' inside those does
// not end a statement.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

class StatementReader {
 public:
  // Adds text; returns the statements that are now whole, without their ';', blanks around them and
  // empty ones.
  std::vector<std::string> Add(std::string_view text);
  // True when nothing but blanks and comments waits for its ';'.
  bool Empty() const;
  // What waits, and forgets it: the last statement may lack its ';'.
  std::string TakeRest();

 private:
  std::string pending_;
};

}  // namespace millrace::cli
