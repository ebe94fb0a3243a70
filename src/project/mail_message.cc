#include "project/mail_message.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace millrace::project {

namespace {

constexpr size_t kLineBytes = 76;
// Of text in an encoded word; a line with one has at most 76 characters, "Subject: " among them.
constexpr size_t kWordBytes = 39;

bool IsPlain(char c) {
  return c >= ' ' && c <= '~';
}

// The largest end of a piece of `text` from `begin` that cuts no character of UTF-8 in two.
size_t PieceEnd(const std::string& text, size_t begin, size_t bytes_max) {
  size_t end = std::min(text.size(), begin + bytes_max);
  while (end < text.size() && end > begin + 1 &&
         (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    end--;
  }
  return end;
}

// A header's value; long ones go on in further lines.
std::string HeaderText(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  if (text.size() <= kWordBytes && std::all_of(text.begin(), text.end(), IsPlain)) return text;
  std::string words;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = PieceEnd(text, begin, kWordBytes);
    if (begin > 0) words += "\r\n ";
    words += "=?utf-8?B?" + Base64(text.substr(begin, end - begin)) + "?=";
    begin = end;
  }
  return words;
}

}  // namespace

std::string MailMessage::ToBytes() const {
  const auto time = fmt::gmtime(static_cast<std::time_t>(time_ms / 1000));
  std::string bytes = fmt::format(
      "Date: {:%a, %d %b %Y %H:%M:%S} +0000\r\nFrom: {}\r\nTo: {}\r\nSubject: {}\r\n"
      "Message-ID: <{}>\r\n",
      time, from, to, HeaderText(subject), id);
  if (!answers_to.empty()) {
    bytes += fmt::format("In-Reply-To: <{0}>\r\nReferences: <{0}>\r\n", answers_to);
  }
  bytes +=
      "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n";
  const std::string body = Base64(text);
  for (size_t begin = 0; begin < body.size(); begin += kLineBytes) {
    bytes += body.substr(begin, kLineBytes) + "\r\n";
  }
  return bytes;
}

bool IsMailAddress(const std::string& address) {
  const size_t at = address.find('@');
  const bool whole = at != std::string::npos && at > 0 && at + 1 < address.size() &&
                     address.find('@', at + 1) == std::string::npos;
  return whole && std::all_of(address.begin(), address.end(), [](char c) {
           return IsPlain(c) && std::string(" <>()[],;:\\\"").find(c) == std::string::npos;
         });
}

}  // namespace millrace::project
