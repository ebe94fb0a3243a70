#include "stream/exchange.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "base/strings.h"
#include "stream/columns.h"

namespace millrace::stream {

using duckdb::idx_t;

namespace {

// Stands in for the source record of a late candidate, which does not outlive its batch.
class KeptOrigins : public RowOrigin {
 public:
  void Describe(uint32_t row, model::DeadLetter& letter) const override {
    letter.TakeRecordOf(letters.at(row));
  }
  std::vector<model::DeadLetter> letters;
};

}  // namespace

// Rows on their way: up to one vector of them, owned.
struct Exchange::Parcel {
  duckdb::DataChunk rows;
  std::vector<int32_t> weights;  // empty: all +1
  std::vector<LateCandidate> late;
  KeptOrigins origins;
};

struct Exchange::Outgoing {
  std::vector<std::unique_ptr<Parcel>> parcels;  // the first `used` hold rows
  size_t used = 0;
};

Exchange::Exchange(uint32_t id, duckdb::vector<duckdb::LogicalType> types, std::vector<idx_t> keys,
                   size_t shards)
    : Operator(id),
      types_(std::move(types)),
      keys_(std::move(keys)),
      codec_(Pick(types_, keys_)),
      outgoing_(shards),
      rows_(shards) {}
Exchange::~Exchange() = default;

void Exchange::Process(int port, const Batch& batch) {
  (void)port;
  stats_.rows_in += static_cast<int64_t>(batch.size());
  for (auto& rows : rows_) rows.clear();
  if (!keys_.empty()) codec_.Bind(*batch.rows, keys_);
  for (uint32_t row = 0; row < batch.size(); row++) {
    size_t owner = 0;
    if (!keys_.empty()) {
      std::string_view key = codec_.Encode(row);
      // The high bits: key tables use the low ones.
      owner = (XXH3_64bits(key.data(), key.size()) >> 40) % outgoing_.size();
    }
    rows_[owner].push_back(row);
  }
  for (size_t owner = 0; owner < outgoing_.size(); owner++) {
    if (!rows_[owner].empty()) Keep(batch, owner, rows_[owner]);
  }
}

void Exchange::Keep(const Batch& batch, size_t owner, const std::vector<uint32_t>& rows) {
  Outgoing& outgoing = outgoing_[owner];
  size_t candidate = 0;
  for (size_t first = 0; first < rows.size();) {
    bool fits = outgoing.used > 0 &&
                outgoing.parcels[outgoing.used - 1]->rows.size() < STANDARD_VECTOR_SIZE &&
                outgoing.parcels[outgoing.used - 1]->weights.empty() == (batch.weights == nullptr);
    if (!fits) {
      if (outgoing.used == outgoing.parcels.size()) {
        outgoing.parcels.push_back(std::make_unique<Parcel>());
        outgoing.parcels.back()->rows.Initialize(duckdb::Allocator::DefaultAllocator(), types_);
      }
      outgoing.used++;
    }
    Parcel& parcel = *outgoing.parcels[outgoing.used - 1];
    const idx_t before = parcel.rows.size();
    const size_t count = std::min<size_t>(rows.size() - first, STANDARD_VECTOR_SIZE - before);
    duckdb::SelectionVector selection(STANDARD_VECTOR_SIZE);
    for (size_t i = 0; i < count; i++) {
      const uint32_t row = rows[first + i];
      selection.set_index(i, row);
      if (batch.weights) parcel.weights.push_back(batch.weights[row]);
      while (candidate < batch.late.size() && batch.late[candidate].row < row) candidate++;
      if (candidate == batch.late.size() || batch.late[candidate].row != row) continue;
      LateCandidate late = batch.late[candidate];
      model::DeadLetter letter;
      if (batch.origin) batch.origin->Describe(late.origin_row, letter);
      late.row = static_cast<uint32_t>(before + i);
      late.origin_row = static_cast<uint32_t>(parcel.origins.letters.size());
      parcel.origins.letters.push_back(std::move(letter));
      parcel.late.push_back(late);
    }
    parcel.rows.Append(*batch.rows, false, &selection, count);
    first += count;
  }
}

void Exchange::Receive(Exchange& sender, size_t me) {
  Outgoing& incoming = sender.outgoing_[me];
  for (size_t i = 0; i < incoming.used; i++) {
    Parcel& parcel = *incoming.parcels[i];
    Batch batch;
    batch.rows = &parcel.rows;
    batch.weights = parcel.weights.empty() ? nullptr : parcel.weights.data();
    batch.late = parcel.late;
    if (!parcel.late.empty()) batch.origin = &parcel.origins;
    emitter_.Emit(batch);
    parcel.rows.Reset();
    parcel.weights.clear();
    parcel.late.clear();
    parcel.origins.letters.clear();
  }
  incoming.used = 0;
  constexpr size_t kParcelsKept = 64;
  if (incoming.parcels.size() > kParcelsKept) incoming.parcels.resize(kParcelsKept);
}

OperatorDescription Exchange::Describe() const {
  std::vector<std::string> columns;
  for (idx_t key : keys_) columns.push_back(fmt::format("#{}", key));
  OperatorDescription description;
  description.name = "Exchange";
  description.detail = keys_.empty() ? "all rows to shard 0"
                                     : fmt::format("by hash of {} over {} shards",
                                                   Join(columns, ", "), outgoing_.size());
  return description;
}

}  // namespace millrace::stream
