// RecordScanner: where records begin and end in the bytes of a text file.
//
// A record ends at "\n" ("\r\n" too); in CSV not at one inside quotes, where a field is quoted when
// its first character is the quote and a doubled quote stands for itself. A quote that is not
// closed within kMaxQuotedBytes, or by the end of the file, is taken for an ordinary character, so
// that one bad line cannot swallow the lines after it.
#pragma once

#include <cstddef>
#include <string_view>

namespace millrace::connectors::filesystem {

class RecordScanner {
 public:
  static constexpr size_t kMaxQuotedBytes = 1 << 20;

  // For formats whose records are lines.
  RecordScanner() = default;
  // For CSV; `comments`: lines that begin with '#' are records by themselves.
  RecordScanner(char delimiter, char quote, bool comments)
      : csv_(true), delimiter_(delimiter), quote_(quote), comments_(comments) {}

  bool records_are_lines() const { return !csv_; }

  // The size of the first record of `data` with its line end; 0 when `data` does not hold all of
  // it. `at_end`: the file ends with `data`, so a last record needs no line end.
  size_t RecordSize(std::string_view data, bool at_end) const;

 private:
  bool csv_ = false;
  char delimiter_ = ',';
  char quote_ = '"';
  bool comments_ = false;
};

}  // namespace millrace::connectors::filesystem
