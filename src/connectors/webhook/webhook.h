// Connector "webhook": rows as signed JSON requests to an HTTP endpoint. What is sent, and how to
// check a signature: docs/reference/webhook.md.
#pragma once

#include <memory>
#include <string>

#include "connectors/connector.h"

namespace millrace::connectors::webhook {

ConnectorEntry WebhookConnector();
Result<std::unique_ptr<Sink>> NewWebhookSink(const TableContext& table);

// Value of the header Millrace-Signature: "t=<seconds>,v1=<hex>", the latter being the HMAC-SHA256
// of "<seconds>.<body>" with `secret`.
std::string Signature(const std::string& secret, int64_t seconds, const std::string& body);

}  // namespace millrace::connectors::webhook
