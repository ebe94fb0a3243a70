// A message of e-mail as its bytes.
//
// Format: RFC 5322 with CRLF; the text is UTF-8 in base64 (RFC 2045), a subject that is not plain
// ASCII is an encoded word (RFC 2047). `Auto-Submitted` (RFC 3834) keeps answering machines quiet.
#pragma once

#include <cstdint>
#include <string>

namespace millrace::project {

struct MailMessage {
  std::string from;  // addresses, without names
  std::string to;
  std::string subject;  // control characters become blanks
  std::string text;
  int64_t time_ms = 0;
  std::string id;               // unique; "part@domain"
  std::string answers_to = {};  // the id of an earlier one, so that both are shown together

  std::string ToBytes() const;
};

// Whether it can stand in a message and in a mail server's commands as it is.
bool IsMailAddress(const std::string& address);

}  // namespace millrace::project
