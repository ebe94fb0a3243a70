// MailSender: hands messages to a mail server (SMTP, RFC 5321), by libcurl.
//
// Contract: one thread at a time; Send blocks, for 15 s at most. A password goes out over TLS only,
// and the server's certificate is verified. It never appears in messages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "project/mail_message.h"

namespace millrace::project {

enum class MailTls {
  kStartTls,  // begins in the clear and must change over
  kTls,       // from the first byte
  kNone,
};
// "starttls", "tls", "none"
std::optional<MailTls> MailTlsFromName(std::string_view name);

struct MailSettings {
  std::string host;  // "": no e-mail
  int port = 0;      // 0: the usual one: 587, with kTls 465, with kNone 25
  MailTls tls = MailTls::kStartTls;
  std::string ca_file;  // in PEM, who vouches for the server; "": whom the system trusts
  std::string from;
  std::vector<std::string> to;
  std::string user;  // "": nobody logs in
  std::string password;
};

// Errors: kBadOption: no host, an address that is none, a password that would go out in the clear.
Status CheckSettings(const MailSettings& settings);

class MailSender {
 public:
  // `settings` without references, and checked.
  explicit MailSender(MailSettings settings) : settings_(std::move(settings)) {}

  // Ok when the server has taken it over. kUnavailable with kBackoff: it did not answer, or said
  // "not now" (4xx); kInvalidArgument: it refuses the message, the sender, the recipient or who
  // logs in (5xx).
  Status Send(const MailMessage& message) const;

 private:
  MailSettings settings_;
};

}  // namespace millrace::project
