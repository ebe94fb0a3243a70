#include "stream/row_codec.h"

#include <cmath>
#include <cstring>
#include <duckdb/common/serializer/binary_deserializer.hpp>
#include <duckdb/common/serializer/binary_serializer.hpp>
#include <duckdb/common/serializer/memory_stream.hpp>
#include <limits>

namespace millrace::stream {

using duckdb::idx_t;
using duckdb::PhysicalType;

namespace {

template <typename T>
T Canonical(T value) {
  if (value == 0) return 0;
  return std::isnan(value) ? std::numeric_limits<T>::quiet_NaN() : value;
}

}  // namespace

RowCodec::RowCodec(duckdb::vector<duckdb::LogicalType> types) : types_(std::move(types)) {
  fixed_bytes_ = (types_.size() + 7) / 8;
  for (const duckdb::LogicalType& type : types_) {
    Column column{Kind::kFixed, 0};
    switch (type.InternalType()) {
      case PhysicalType::FLOAT:
        column.kind = Kind::kFloat;
        column.width = sizeof(float);
        break;
      case PhysicalType::DOUBLE:
        column.kind = Kind::kDouble;
        column.width = sizeof(double);
        break;
      case PhysicalType::VARCHAR:
        column.kind = Kind::kString;
        break;
      case PhysicalType::LIST:
      case PhysicalType::STRUCT:
      case PhysicalType::ARRAY:
        column.kind = Kind::kNested;
        break;
      default:
        column.width = static_cast<uint8_t>(duckdb::GetTypeIdSize(type.InternalType()));
    }
    fixed_bytes_ += column.width;
    columns_.push_back(column);
  }
  formats_.resize(types_.size());
  vectors_.resize(types_.size());
  scratch_.resize(fixed_bytes_ + 256);
}

void RowCodec::Bind(duckdb::DataChunk& chunk, const std::vector<idx_t>& columns) {
  for (size_t i = 0; i < columns_.size(); i++) {
    vectors_[i] = &chunk.data[columns[i]];
    vectors_[i]->ToUnifiedFormat(chunk.size(), formats_[i]);
  }
}

uint8_t* RowCodec::Reserve(size_t used, size_t more) {
  if (used + more > scratch_.size()) scratch_.resize((used + more) * 2);
  return scratch_.data() + used;
}

std::string_view RowCodec::Encode(idx_t row) {
  size_t bitmap_bytes = (columns_.size() + 7) / 8;
  // The scratch always holds the fixed part plus what strings reserved; fixed writes never check.
  std::memset(scratch_.data(), 0, bitmap_bytes);
  size_t used = bitmap_bytes;
  for (size_t i = 0; i < columns_.size(); i++) {
    const duckdb::UnifiedVectorFormat& format = formats_[i];
    idx_t at = format.sel->get_index(row);
    if (!format.validity.RowIsValid(at)) continue;
    scratch_[i / 8] = static_cast<uint8_t>(scratch_[i / 8] | (1u << (i % 8)));
    const Column& column = columns_[i];
    switch (column.kind) {
      case Kind::kFixed: {
        uint8_t* to = Reserve(used, 16);
        const uint8_t* from = format.data + at * column.width;
        switch (column.width) {
          case 8:
            std::memcpy(to, from, 8);
            break;
          case 4:
            std::memcpy(to, from, 4);
            break;
          default:
            std::memcpy(to, from, column.width);
        }
        used += column.width;
        break;
      }
      case Kind::kFloat: {
        float value = Canonical(reinterpret_cast<const float*>(format.data)[at]);
        std::memcpy(Reserve(used, sizeof value), &value, sizeof value);
        used += sizeof value;
        break;
      }
      case Kind::kDouble: {
        double value = Canonical(reinterpret_cast<const double*>(format.data)[at]);
        std::memcpy(Reserve(used, sizeof value), &value, sizeof value);
        used += sizeof value;
        break;
      }
      case Kind::kString: {
        const auto& text = reinterpret_cast<const duckdb::string_t*>(format.data)[at];
        uint32_t size = static_cast<uint32_t>(text.GetSize());
        uint8_t* to = Reserve(used, sizeof size + size);
        std::memcpy(to, &size, sizeof size);
        std::memcpy(to + sizeof size, text.GetData(), size);
        used += sizeof size + size;
        break;
      }
      case Kind::kNested: {
        duckdb::MemoryStream stream;
        duckdb::BinarySerializer serializer(stream);
        serializer.Begin();
        vectors_[i]->GetValue(row).Serialize(serializer);
        serializer.End();
        uint32_t size = static_cast<uint32_t>(stream.GetPosition());
        uint8_t* to = Reserve(used, sizeof size + size);
        std::memcpy(to, &size, sizeof size);
        std::memcpy(to + sizeof size, stream.GetData(), size);
        used += sizeof size + size;
        break;
      }
    }
  }
  return {reinterpret_cast<const char*>(scratch_.data()), used};
}

size_t RowCodec::Decode(std::string_view bytes, duckdb::DataChunk& out,
                        const std::vector<idx_t>& columns, idx_t row) const {
  return DecodeRow<false>(bytes, out, columns, row);
}

size_t RowCodec::DecodeInPlace(std::string_view bytes, duckdb::DataChunk& out,
                               const std::vector<idx_t>& columns, idx_t row) const {
  return DecodeRow<true>(bytes, out, columns, row);
}

template <bool in_place>
size_t RowCodec::DecodeRow(std::string_view bytes, duckdb::DataChunk& out,
                           const std::vector<idx_t>& columns, idx_t row) const {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t used = (columns_.size() + 7) / 8;
  for (size_t i = 0; i < columns_.size(); i++) {
    duckdb::Vector& vector = out.data[columns[i]];
    if (!(data[i / 8] >> (i % 8) & 1)) {
      duckdb::FlatVector::SetNull(vector, row, true);
      continue;
    }
    const Column& column = columns_[i];
    if (column.kind == Kind::kString || column.kind == Kind::kNested) {
      uint32_t size = 0;
      std::memcpy(&size, data + used, sizeof size);
      used += sizeof size;
      if (column.kind == Kind::kString) {
        const char* text = reinterpret_cast<const char*>(data + used);
        duckdb::FlatVector::GetData<duckdb::string_t>(vector)[row] =
            in_place ? duckdb::string_t(text, size)
                     : duckdb::StringVector::AddStringOrBlob(vector, text, size);
      } else {
        duckdb::MemoryStream stream(const_cast<duckdb::data_ptr_t>(data + used), size);
        duckdb::BinaryDeserializer deserializer(stream);
        deserializer.Begin();
        duckdb::Value value = duckdb::Value::Deserialize(deserializer);
        deserializer.End();
        vector.SetValue(row, value);
      }
      used += size;
    } else {
      std::memcpy(duckdb::FlatVector::GetData(vector) + row * column.width, data + used,
                  column.width);
      used += column.width;
    }
  }
  return used;
}

}  // namespace millrace::stream
