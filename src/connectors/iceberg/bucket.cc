#include "connectors/iceberg/bucket.h"

#include <bit>
#include <cstring>
#include <duckdb/common/vector_operations/binary_executor.hpp>
#include <duckdb/function/scalar_function.hpp>
#include <duckdb/parser/parsed_data/create_scalar_function_info.hpp>
#include <limits>
#include <string>

#include "duck/door.h"

namespace millrace::connectors::iceberg {

using duckdb::LogicalType;

namespace {

uint32_t Mixed(uint32_t block) {
  return std::rotl(block * 0xCC9E2D51U, 15) * 0x1B873593U;
}

template <typename T>
void Bucket(duckdb::DataChunk& arguments, duckdb::ExpressionState&, duckdb::Vector& result) {
  duckdb::BinaryExecutor::Execute<T, int32_t, int32_t>(
      arguments.data[0], arguments.data[1], result, arguments.size(),
      [](const T& value, int32_t count) {
        int32_t hash = 0;
        if constexpr (std::is_same_v<T, duckdb::string_t>) {
          hash = BucketHash(std::string_view(value.GetData(), value.GetSize()));
        } else {
          hash = BucketHash(value);
        }
        return (hash & std::numeric_limits<int32_t>::max()) % count;
      });
}

}  // namespace

int32_t BucketHash(std::string_view bytes) {
  uint32_t hash = 0;
  size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    uint32_t block = 0;
    std::memcpy(&block, bytes.data() + at, 4);
    hash = std::rotl(hash ^ Mixed(block), 13) * 5 + 0xE6546B64U;
  }
  uint32_t rest = 0;
  std::memcpy(&rest, bytes.data() + at, bytes.size() - at);
  if (at < bytes.size()) hash ^= Mixed(rest);
  hash ^= static_cast<uint32_t>(bytes.size());
  hash = (hash ^ (hash >> 16)) * 0x85EBCA6BU;
  hash = (hash ^ (hash >> 13)) * 0xC2B2AE35U;
  return static_cast<int32_t>(hash ^ (hash >> 16));
}

int32_t BucketHash(int64_t number) {
  return BucketHash(std::string_view(reinterpret_cast<const char*>(&number), sizeof number));
}

// Two's complement, big endian, as short as it can be.
int32_t BucketHash(duckdb::hugeint_t unscaled) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(unscaled.upper >> shift);
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(unscaled.lower >> shift);
  const char sign = unscaled.upper < 0 ? '\xFF' : '\0';
  size_t first = 0;
  // The byte that is left has to have the sign itself.
  while (first + 1 < bytes.size() && bytes[first] == sign &&
         ((bytes[first + 1] ^ sign) & '\x80') == 0) {
    first++;
  }
  return BucketHash(std::string_view(bytes).substr(first));
}

Status RegisterBucketFunction(duckdb::Connection& connection) {
  duckdb::ScalarFunctionSet set("mr_iceberg_bucket");
  const auto add = [&](const LogicalType& type, duckdb::scalar_function_t function) {
    set.AddFunction(
        duckdb::ScalarFunction({type, LogicalType::INTEGER}, LogicalType::INTEGER, function));
  };
  add(LogicalType::BIGINT, Bucket<int64_t>);
  add(LogicalType::HUGEINT, Bucket<duckdb::hugeint_t>);
  add(LogicalType::VARCHAR, Bucket<duckdb::string_t>);
  add(LogicalType::BLOB, Bucket<duckdb::string_t>);
  return duck::AtTheDoor([&] {
    duckdb::CreateScalarFunctionInfo info(set);
    connection.context->RegisterFunction(info);
    return Status::Ok();
  });
}

}  // namespace millrace::connectors::iceberg
