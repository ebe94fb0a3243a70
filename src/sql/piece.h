// Piece: text being built together with where each part of it came from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sql/rewriter.h"

namespace millrace::sql {

class Piece {
 public:
  // Bytes copied from offset `source` of the original.
  void Copy(std::string_view bytes, size_t source) { Add(bytes, source, true); }
  // Bytes made because of what stands at `source`.
  void Make(std::string_view bytes, size_t source) { Add(bytes, source, false); }
  void Append(const Piece& other) {
    for (PositionMap::Mark mark : other.marks_) {
      mark.target += text_.size();
      marks_.push_back(mark);
    }
    text_ += other.text_;
  }
  const std::string& text() const { return text_; }

  Rewritten Finish(Fragment original) && {
    Rewritten result;
    for (const PositionMap::Mark& mark : marks_) result.map.Add(mark);
    result.text = std::move(text_);
    result.original = std::move(original);
    return result;
  }

 private:
  void Add(std::string_view bytes, size_t source, bool verbatim) {
    if (bytes.empty()) return;
    marks_.push_back({text_.size(), source, verbatim});
    text_ += bytes;
  }

  std::string text_;
  std::vector<PositionMap::Mark> marks_;
};

}  // namespace millrace::sql
