// Sink into a topic of a Kafka cluster.
//
// 'sink.delivery-guarantee' = 'exactly-once' (the default): an epoch is one transaction of a
// producer whose transactional id is made of prefix, job and table. With it the epoch's number
// becomes an offset that the consumer group of the same name commits for partition 0 of the topic:
//
//   begin · the epoch's records · group "<id>": offset = epoch · commit
//
// Why this is exactly once: the number is visible exactly if the records are. Whatever fails, the
// producer is thrown away; the next one's InitTransactions ends what was left open, commit or
// abort, and then the group's offset says which epoch was the last. What the job writes again after
// that is written once.
//
// 'at-least-once' (and 'none', which gives no less): an idempotent producer; once all records are
// acknowledged the number is committed as above. A crash in between writes the epoch twice.
//
// Limit: a cluster forgets the offsets of a group that is silent for offsets.retention.minutes (a
// week, by default). A job that was killed and is started again only after that may write the
// epochs since its last checkpoint twice.
//
// Source: KIP-98, KIP-447; librdkafka's INTRODUCTION.md, "Transactional Producer".
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::kafka {

// `upsert`: a record per PRIMARY KEY that changed, a tombstone where its row went. Errors:
// kBadOption for properties that librdkafka does not take; those of key and format.
Result<std::unique_ptr<Sink>> NewClusterSink(const TableContext& table, bool upsert);

}  // namespace millrace::connectors::kafka
