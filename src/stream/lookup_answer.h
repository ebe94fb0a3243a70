// LookupAnswer: what a table says of one key, as bytes.
//
// Format: 1 byte kind; kRows: number of rows (4 bytes, native order), then each as RowCodec has it;
// kBad: why the stored value cannot be used, as text. Where who answered said his version, it
// stands before that: the byte 2, its size (4 bytes) and its text.
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
  std::string_view rest;     // encoded rows, or the reason
  std::string_view version;  // of who answered, or empty

  static LookupAnswer Read(std::string_view bytes) {
    LookupAnswer answer;
    if (bytes[0] == kVersion) {
      uint32_t size = 0;
      std::memcpy(&size, bytes.data() + 1, sizeof size);
      answer.version = bytes.substr(1 + sizeof size, size);
      bytes.remove_prefix(1 + sizeof size + size);
    }
    answer.kind = static_cast<AnswerKind>(bytes[0]);
    bytes.remove_prefix(1);
    if (answer.kind == AnswerKind::kRows) {
      std::memcpy(&answer.count, bytes.data(), sizeof answer.count);
      bytes.remove_prefix(sizeof answer.count);
    }
    answer.rest = bytes;
    return answer;
  }

  // An answer without rows; AddRow adds one to it, before WithVersion.
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
  static std::string WithVersion(std::string_view version, std::string_view answer) {
    const auto size = static_cast<uint32_t>(version.size());
    std::string bytes(1, kVersion);
    bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
    return bytes.append(version).append(answer);
  }

 private:
  static constexpr char kVersion = 2;
};

}  // namespace millrace::stream
