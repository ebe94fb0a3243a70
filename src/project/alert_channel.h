// AlertChannel: one way on which alerts go out. Adding another: a class here, its settings in
// project/alert_settings.h, its line in Alerter::Start.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "project/alert_book.h"
#include "project/mail_sender.h"

namespace millrace::project {

// Contract: one thread at a time.
class AlertChannel {
 public:
  virtual ~AlertChannel() = default;
  // Blocks, for a few seconds at most. An error with another retry() than kNever: try again later,
  // it was not taken, or its answer was lost; otherwise it is refused for good.
  virtual Status Send(const Alert& alert) = 0;
};

// `url`, `token`, `settings`: without references. Errors: an URL that is none.
Result<std::unique_ptr<AlertChannel>> NewWebhookChannel(const std::string& url,
                                                        const std::string& token,
                                                        const std::string& project);
Result<std::unique_ptr<AlertChannel>> NewSlackChannel(const std::string& url,
                                                      const std::string& project);
// To one of the addresses, so that one which is refused keeps none from the others.
std::unique_ptr<AlertChannel> NewMailChannel(const MailSettings& settings, const std::string& to,
                                             const std::string& project);

}  // namespace millrace::project
