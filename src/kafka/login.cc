#include "kafka/login.h"

#include "base/strings.h"
#include "env/diag.h"
#include "kafka/worker.h"

namespace millrace::kafka {

void TakeLoginMessage(Services& services, Worker& worker, const SessionPtr& session,
                      std::string message, std::function<void(const Result<std::string>&)> done) {
  const auto take = [&services, &worker, session, message = std::move(message),
                     done = std::move(done)] {
    const SaslExchange& exchange = *session->sasl;
    const Result<std::string> answer = session->sasl->Take(message);
    if (answer.ok()) {
      if (exchange.done()) {
        session->principal = "User:" + exchange.user();
        session->authenticated = true;
      }
      done(answer);
      return;
    }
    diag::Warn("kafka: login refused: peer={} mechanism={} user={} reason=\"{}\"", session->address,
               exchange.mechanism(), JsonQuote(exchange.user()), answer.status().message());
    worker.Post([&services, &worker, done, answer] {
      worker.After(services.options.login_delay_ms, [done, answer] { done(answer); });
    });
  };
  if (session->sasl->mechanism() == kPlainMechanism) {
    services.in_background(take);
  } else {
    take();
  }
}

}  // namespace millrace::kafka
