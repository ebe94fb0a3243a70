// LineInput: lines of a file or of stdin, and whether the next one is there already.
#pragma once

#include <string>

#include "base/status.h"

namespace millrace::cli {

class LineInput {
 public:
  // `path` "" or "-": stdin. Error kNotFound.
  static Result<LineInput> Open(const std::string& path);
  ~LineInput();
  LineInput(LineInput&& other) noexcept;
  LineInput& operator=(LineInput&&) = delete;

  // The next line without its '\n'; false at the end. Blocks while there is none. The last line may
  // lack its '\n'.
  bool Next(std::string& line);
  // True when Next will not have to wait.
  bool Ready() const;
  const std::string& name() const { return name_; }  // for messages

 private:
  LineInput(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}

  int descriptor_;
  std::string name_;
  std::string buffer_;
  size_t begin_ = 0;  // of what was not returned yet
  bool at_end_ = false;
};

}  // namespace millrace::cli
