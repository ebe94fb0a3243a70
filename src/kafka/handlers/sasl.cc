// SaslHandshake and SaslAuthenticate: how a client says who it is.
#include <algorithm>

#include "kafka/handlers/handlers.h"
#include "kafka/login.h"

namespace millrace::kafka {

void HandleSaslHandshake(Services& services, const SaslHandshakeRequest& request,
                         const CallPtr& call) {
  Session& session = call->session();
  const std::vector<std::string>& served = services.options.sasl_mechanisms;
  SaslHandshakeResponse response;
  if (session.authenticated || session.sasl) {
    response.error_code = kIllegalSaslState;
  } else if (std::find(served.begin(), served.end(), request.mechanism) == served.end()) {
    response.error_code = kUnsupportedSaslMechanism;
    response.mechanisms = served;
  } else {
    session.sasl = SaslExchange::Begin(request.mechanism, services.users);
    session.bare_tokens = call->version() == 0;
    response.mechanisms = served;
  }
  call->Answer(response);
}

void HandleSaslAuthenticate(Services& services, const SaslAuthenticateRequest& request,
                            const CallPtr& call) {
  if (call->session().authenticated || !call->session().sasl) {
    SaslAuthenticateResponse response;
    response.error_code = kIllegalSaslState;
    response.error_message = call->session().authenticated
                                 ? "the client is logged in already"
                                 : "SaslHandshake comes before SaslAuthenticate";
    call->Answer(response);
    return;
  }
  TakeLoginMessage(services, call->worker(), call->shared_session(), request.message.value,
                   [call](const Result<std::string>& answer) {
                     SaslAuthenticateResponse response;
                     if (answer.ok()) {
                       response.message.value = *answer;
                       call->Answer(response);
                       return;
                     }
                     response.error_code = kSaslAuthenticationFailed;
                     response.error_message = "login refused: " + answer.status().message();
                     call->AnswerAndClose(response, "login refused");
                   });
}

}  // namespace millrace::kafka
