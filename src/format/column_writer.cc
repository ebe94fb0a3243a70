#include "format/column_writer.h"

#include <algorithm>
#include <bit>

#include "base/strings.h"

namespace millrace::format {

using duckdb::idx_t;

namespace {

constexpr size_t kBlockMin = 4096;
constexpr size_t kBlockMax = 65536;

template <typename T>
ParseResult WriteInteger(ColumnWriter& writer, idx_t row, std::string_view text) {
  int64_t value = 0;
  const ParseResult result =
      ParseInteger(text, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), value);
  if (result == ParseResult::kOk) writer.Store<T>(row, static_cast<T>(value));
  return result;
}

template <typename T>
ParseResult WriteFloating(ColumnWriter& writer, idx_t row, std::string_view text) {
  T value = 0;
  const ParseResult result = ParseFloating(text, value);
  if (result == ParseResult::kOk) writer.Store<T>(row, value);
  return result;
}

template <typename T>
ParseResult WriteParsed(ColumnWriter& writer, idx_t row, std::string_view text,
                        ParseResult (*parse)(std::string_view, T&)) {
  T value{};
  const ParseResult result = parse(text, value);
  if (result == ParseResult::kOk) writer.Store<T>(row, value);
  return result;
}

ParseResult WriteDecimal(ColumnWriter& writer, idx_t row, std::string_view text) {
  const ColumnType& type = writer.type();
  duckdb::hugeint_t value;
  const ParseResult result = ParseDecimal(text, type.width, type.scale, value);
  if (result == ParseResult::kOk) writer.StoreDecimal(row, value);
  return result;
}

}  // namespace

ColumnWriter::ColumnWriter(const ColumnType& type, const model::WantedFields& wanted)
    : type_(&type) {
  const bool picks = type.kind == ColumnKind::kStruct && !wanted.whole();
  for (size_t i = 0; i < type.children.size(); i++) {
    const auto field = wanted.fields.find(i);
    const bool named = picks && field != wanted.fields.end();
    children_.emplace_back(type.children[i], named ? field->second : model::WantedFields());
    children_.back().skipped_ = picks && !named;
    if (i < 64 && !children_.back().skipped_) wanted_fields_ |= uint64_t{1} << i;
  }
}

void ColumnWriter::Bind(duckdb::Vector& vector) {
  vector_ = &vector;
  if (skipped_) {
    vector.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
    duckdb::ConstantVector::SetNull(vector, true);
    return;
  }
  data_ = duckdb::FlatVector::GetData(vector);
  validity_ = &duckdb::FlatVector::Validity(vector);
  heap_ = heap_end_ = nullptr;
  block_size_ = kBlockMin / 2;
  if (type_->kind == ColumnKind::kList || type_->kind == ColumnKind::kMap) {
    list_size_ = duckdb::ListVector::GetListSize(vector);
    list_capacity_ = duckdb::ListVector::GetListCapacity(vector);
  }
  BindChildren();
}

void ColumnWriter::BindChildren() {
  switch (type_->kind) {
    case ColumnKind::kList:
      children_[0].Bind(duckdb::ListVector::GetEntry(*vector_));
      break;
    case ColumnKind::kMap:
      children_[0].Bind(duckdb::MapVector::GetKeys(*vector_));
      children_[1].Bind(duckdb::MapVector::GetValues(*vector_));
      break;
    case ColumnKind::kStruct: {
      auto& entries = duckdb::StructVector::GetEntries(*vector_);
      for (size_t i = 0; i < children_.size(); i++) children_[i].Bind(*entries[i]);
      break;
    }
    default:
      break;
  }
}

void ColumnWriter::Finish() {
  if (skipped_) return;
  for (ColumnWriter& child : children_) child.Finish();
  if (type_->kind == ColumnKind::kList || type_->kind == ColumnKind::kMap) {
    duckdb::ListVector::SetListSize(*vector_, list_size_);
  }
}

void ColumnWriter::SetNull(idx_t row) {
  if (skipped_) return;
  validity_->SetInvalid(row);
  switch (type_->kind) {
    case ColumnKind::kStruct:
      // DuckDB's rule: the fields of a NULL struct are NULL.
      for (uint64_t left = wanted_fields_; left != 0; left &= left - 1) {
        children_[static_cast<size_t>(std::countr_zero(left))].SetNull(row);
      }
      for (size_t i = 64; i < children_.size(); i++) children_[i].SetNull(row);
      break;
    case ColumnKind::kList:
    case ColumnKind::kMap:
      reinterpret_cast<duckdb::list_entry_t*>(data_)[row] = {0, 0};
      break;
    case ColumnKind::kString:
    case ColumnKind::kBytes:
      reinterpret_cast<duckdb::string_t*>(data_)[row] = duckdb::string_t(uint32_t{0});
      break;
    default:
      break;
  }
}

idx_t ColumnWriter::BeginElement() {
  if (list_size_ == list_capacity_) {
    // Growing moves the children's data, and theirs; what they counted must be kept.
    for (ColumnWriter& child : children_) child.Finish();
    duckdb::ListVector::SetListSize(*vector_, list_size_);
    duckdb::ListVector::Reserve(*vector_, std::max<idx_t>(list_size_ + 1, list_capacity_ * 2));
    list_capacity_ = duckdb::ListVector::GetListCapacity(*vector_);
    BindChildren();
  }
  return list_size_;
}

char* ColumnWriter::NewBlock(size_t size) {
  block_size_ = std::min(block_size_ * 2, kBlockMax);
  const size_t bytes = std::max(block_size_, size + kSlack);
  duckdb::string_t block = duckdb::StringVector::EmptyString(*vector_, bytes);
  heap_ = block.GetPointer();
  heap_end_ = heap_ + bytes;
  return heap_;
}

void ColumnWriter::StoreDecimal(idx_t row, duckdb::hugeint_t value) {
  switch (type_->physical) {
    case duckdb::PhysicalType::INT16:
      Store(row, static_cast<int16_t>(value.lower));
      break;
    case duckdb::PhysicalType::INT32:
      Store(row, static_cast<int32_t>(value.lower));
      break;
    case duckdb::PhysicalType::INT64:
      Store(row, static_cast<int64_t>(value.lower));
      break;
    default:
      Store(row, value);
  }
}

void ColumnWriter::StoreString(idx_t row, std::string_view text) {
  if (text.size() > duckdb::string_t::INLINE_LENGTH) {
    char* target = ReserveString(text.size());
    std::memcpy(target, text.data(), text.size());
    CommitString(row, target, text.size());
    return;
  }
  if (text.empty()) {  // may have no bytes at all to load
    Store(row, duckdb::string_t(uint32_t{0}));
    return;
  }
  // An inlined string is its length and 12 bytes, the unused ones 0: two loads and two masks.
  uint64_t low = 0;
  uint64_t high = 0;
  std::memcpy(&low, text.data(), 8);
  std::memcpy(&high, text.data() + 8, 8);
  const size_t size = text.size();
  low &= size >= 8 ? ~uint64_t{0} : (uint64_t{1} << (size * 8)) - 1;
  high &= size <= 8 ? 0 : (uint64_t{1} << ((size - 8) * 8)) - 1;
  const uint32_t length = static_cast<uint32_t>(size);
  const uint32_t tail = static_cast<uint32_t>(high);
  duckdb::data_ptr_t slot = data_ + row * sizeof(duckdb::string_t);
  std::memcpy(slot, &length, 4);
  std::memcpy(slot + 4, &low, 8);
  std::memcpy(slot + 12, &tail, 4);
  SetValid(row);
}

void ColumnWriter::CommitString(idx_t row, char* text, size_t size) {
  Store(row, duckdb::string_t(text, static_cast<uint32_t>(size)));
  if (size > duckdb::string_t::INLINE_LENGTH) heap_ = text + size;
}

ParseResult ColumnWriter::WriteText(idx_t row, std::string_view text) {
  switch (type_->kind) {
    case ColumnKind::kBool:
      return WriteParsed<bool>(*this, row, text, ParseBool);
    case ColumnKind::kInt8:
      return WriteInteger<int8_t>(*this, row, text);
    case ColumnKind::kInt16:
      return WriteInteger<int16_t>(*this, row, text);
    case ColumnKind::kInt32:
      return WriteInteger<int32_t>(*this, row, text);
    case ColumnKind::kInt64:
      return WriteInteger<int64_t>(*this, row, text);
    case ColumnKind::kFloat:
      return WriteFloating<float>(*this, row, text);
    case ColumnKind::kDouble:
      return WriteFloating<double>(*this, row, text);
    case ColumnKind::kDecimal:
      return WriteDecimal(*this, row, text);
    case ColumnKind::kDate:
      return WriteParsed<int32_t>(*this, row, text, ParseDate);
    case ColumnKind::kTime:
      return WriteParsed<int64_t>(*this, row, text, ParseTime);
    case ColumnKind::kTimestamp:
    case ColumnKind::kTimestampTz:
      return WriteParsed<int64_t>(*this, row, text, ParseTimestamp);
    case ColumnKind::kString:
      StoreString(row, text);
      return ParseResult::kOk;
    case ColumnKind::kBytes: {
      std::string bytes;
      if (!ParseBase64(text, bytes)) return ParseResult::kNotA;
      bytes.append(kSlack, '\0');
      StoreString(row, std::string_view(bytes).substr(0, bytes.size() - kSlack));
      return ParseResult::kOk;
    }
    default:
      return ParseResult::kNotA;
  }
}

}  // namespace millrace::format
