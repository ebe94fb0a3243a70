#include "stream/equal_rows.h"

#include <xxhash.h>

#include <algorithm>

namespace millrace::stream {

using duckdb::idx_t;

namespace {
constexpr size_t kBuckets = size_t{STANDARD_VECTOR_SIZE} * 2;
}  // namespace

EqualRows::EqualRows(std::vector<idx_t> columns, duckdb::vector<duckdb::LogicalType> types)
    : columns_(std::move(columns)), codec_(std::move(types)), buckets_(kBuckets) {}

void EqualRows::Find(duckdb::DataChunk& chunk, duckdb::DataChunk& lists,
                     const std::vector<uint32_t>& alone) {
  keys_.Clear();
  hashes_.clear();
  first_.clear();
  count_.clear();
  std::fill(buckets_.begin(), buckets_.end(), uint16_t{0});
  codec_.Bind(chunk, columns_);
  struct List {
    duckdb::UnifiedVectorFormat format;
    const char* values;
    size_t width;
    const duckdb::ValidityMask* valid;  // of the values
  };
  std::vector<List> formats(lists.ColumnCount());
  for (size_t i = 0; i < formats.size(); i++) {
    lists.data[i].ToUnifiedFormat(chunk.size(), formats[i].format);
    duckdb::Vector& child = duckdb::ListVector::GetEntry(lists.data[i]);
    child.Flatten(duckdb::ListVector::GetListSize(lists.data[i]));
    formats[i].values = reinterpret_cast<const char*>(duckdb::FlatVector::GetData(child));
    formats[i].width = duckdb::GetTypeIdSize(child.GetType().InternalType());
    formats[i].valid = &duckdb::FlatVector::Validity(child);
  }
  auto next_alone = alone.begin();
  for (uint32_t row = 0; row < chunk.size(); row++) {
    if (next_alone != alone.end() && *next_alone == row) {
      ++next_alone;
      keys_.Add({});
      hashes_.push_back(0);
      first_.push_back(row);
      count_.push_back(1);
      continue;
    }
    key_ = codec_.Encode(row);
    for (const List& list : formats) {
      idx_t at = list.format.sel->get_index(row);
      duckdb::list_entry_t entry{0, 0};  // NULL gives no rows either
      if (list.format.validity.RowIsValid(at)) {
        entry = reinterpret_cast<const duckdb::list_entry_t*>(list.format.data)[at];
      }
      key_.append(reinterpret_cast<const char*>(&entry.length), sizeof entry.length);
      if (list.valid->AllValid()) {
        key_.append(list.values + entry.offset * list.width, entry.length * list.width);
        continue;
      }
      for (idx_t e = entry.offset; e < entry.offset + entry.length; e++) {
        const bool valid = list.valid->RowIsValid(e);
        key_.push_back(valid ? '\1' : '\0');
        if (valid) key_.append(list.values + e * list.width, list.width);
      }
    }
    const auto hash = static_cast<uint32_t>(XXH3_64bits(key_.data(), key_.size()));
    size_t bucket = hash % kBuckets;
    while (buckets_[bucket] != 0) {
      const size_t group = buckets_[bucket] - 1U;
      if (hashes_[group] == hash && keys_[group] == key_) break;
      bucket = (bucket + 1) % kBuckets;
    }
    if (buckets_[bucket] != 0) {
      count_[buckets_[bucket] - 1U]++;
      continue;
    }
    keys_.Add(key_);
    hashes_.push_back(hash);
    first_.push_back(row);
    count_.push_back(1);
    buckets_[bucket] = static_cast<uint16_t>(first_.size());
  }
}

}  // namespace millrace::stream
