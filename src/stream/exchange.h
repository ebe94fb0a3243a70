// Exchange: where a sharded plan hands rows to the shard that owns their key.
//
// A job on N shards has N copies of its plan; copy s reads its part of the splits and owns the keys
// whose hash gives s. The same Exchange of every copy belongs together: Process sorts a batch by
// owner and keeps it; between two stages of an epoch, when no shard is working, each copy Receives
// what every copy kept for it, in the order of the senders. So what an operator sees is a function
// of the epoch alone, whatever the threads did.
//
//   stage k, all shards side by side      Process: rows wait in outgoing_[owner]
//   between k and k + 1                   shard t: Receive(exchange of shard 0), (1), …
#pragma once

#include <memory>
#include <vector>

#include "stream/operator.h"
#include "stream/row_codec.h"

namespace millrace::stream {

class Exchange : public Operator {
 public:
  // No key columns: every row belongs to shard 0.
  Exchange(uint32_t id, duckdb::vector<duckdb::LogicalType> types, std::vector<duckdb::idx_t> keys,
           size_t shards);
  ~Exchange() override;

  void Process(int port, const Batch& batch) override;
  // Emits, on this copy, what `sender` kept for shard `me`, and forgets it.
  void Receive(Exchange& sender, size_t me);
  OperatorDescription Describe() const override;
  bool Forwards() const override { return true; }

 private:
  struct Parcel;
  struct Outgoing;
  void Keep(const Batch& batch, size_t owner, const std::vector<uint32_t>& rows);

  duckdb::vector<duckdb::LogicalType> types_;
  std::vector<duckdb::idx_t> keys_;
  RowCodec codec_;
  std::vector<Outgoing> outgoing_;           // by owner
  std::vector<std::vector<uint32_t>> rows_;  // by owner, of the batch in hand
};

}  // namespace millrace::stream
