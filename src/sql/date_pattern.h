// Java's date patterns ("yyyy-MM-dd HH:mm:ss"), which Flink's functions take, as strftime's.
#pragma once

#include <optional>
#include <string>

namespace millrace::sql {

struct DatePattern {
  std::string strftime;
  std::string fault;  // why the pattern cannot be carried over; "" when it can
};

DatePattern ConvertDatePattern(const std::string& java);

}  // namespace millrace::sql
