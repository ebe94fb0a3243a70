#include "connectors/webhook/webhook.h"

#include "connectors/rejections.h"

namespace millrace::connectors::webhook {

namespace {

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "webhook";
  spec.summary = "Rows as signed JSON requests to an HTTP endpoint.";
  spec.sink = true;
  spec.guarantee = Guarantee::kAtLeastOnce;
  spec.guarantee_doc =
      "A request whose answer got lost, or whose epoch is written again after a crash, is sent "
      "again with the same Idempotency-Key and rows: an endpoint that heeds it has each row once.";
  spec.options = {
      {.name = "url",
       .doc = "Where the requests go.",
       .required = true,
       .example = "https://example.org/hooks/orders"},
      {.name = "secret",
       .doc = "Key of the signature in the header Millrace-Signature; in a project only by "
              "reference, '${env:NAME}' or '${file:/path}'. Without it requests are not signed.",
       .secret = true},
      {.name = "headers.*",
       .doc = "Further headers of each request.",
       .secret = true,
       .example = "'headers.authorization' = 'Bearer ${env:HOOK_TOKEN}'"},
      {.name = "batch.max-rows",
       .type = OptionType::kInt,
       .doc = "Rows of one request at most.",
       .default_value = "100"},
      {.name = "timeout",
       .type = OptionType::kDuration,
       .doc = "How long one request may take; the job then tries again with growing pauses.",
       .default_value = "10 s"},
      OnRejectOption(),
      {.name = "format",
       .type = OptionType::kEnum,
       .doc = "How rows are written.",
       .default_value = "json",
       .choices = {"json"}},
      {.name = "json.*", .doc = "Options of that format."},
  };
  spec.example =
      "CREATE TABLE order_hook (\n  order_id STRING,\n  total DOUBLE\n) WITH (\n  'connector' = "
      "'webhook',\n  'url' = 'https://example.org/hooks/orders',\n  'secret' = "
      "'${env:HOOK_SECRET}'\n);";
  return spec;
}

}  // namespace

ConnectorEntry WebhookConnector() {
  return {Spec(), nullptr, NewWebhookSink};
}

}  // namespace millrace::connectors::webhook
