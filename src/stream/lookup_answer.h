// LookupAnswer: what a table says of one key, as bytes.
//
// Format: 1 byte kind; kRows: number of rows (4 bytes, native order), then each as RowCodec has it;
// kBad: why the stored value cannot be used, as text.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace::stream {

enum class AnswerKind : char { kRows = 0, kBad = 1 };

struct LookupAnswer {
  AnswerKind kind = AnswerKind::kRows;
  uint32_t count = 0;
  std::string_view rest;  // encoded rows, or the reason

  static LookupAnswer Read(std::string_view bytes) {
    LookupAnswer answer;
    answer.kind = static_cast<AnswerKind>(bytes[0]);
    bytes.remove_prefix(1);
    if (answer.kind == AnswerKind::kRows) {
      std::memcpy(&answer.count, bytes.data(), sizeof answer.count);
      bytes.remove_prefix(sizeof answer.count);
    }
    answer.rest = bytes;
    return answer;
  }

  // An answer without rows; AddRow adds one to it.
  static std::string Nothing() { return std::string(1 + sizeof(uint32_t), '\0'); }
  static void AddRow(std::string& answer, std::string_view row) {
    uint32_t count = 0;
    std::memcpy(&count, answer.data() + 1, sizeof count);
    count++;
    std::memcpy(answer.data() + 1, &count, sizeof count);
    answer.append(row);
  }
  static std::string Bad(std::string_view why) {
    return std::string(1, static_cast<char>(AnswerKind::kBad)).append(why);
  }
};

}  // namespace millrace::stream
