#include "format/avro/avro_file.h"

#include <fmt/format.h>
#include <zlib.h>

#include <functional>

#include "format/avro/avro_cursor.h"

namespace millrace::format {

namespace {

constexpr std::string_view kMagic("Obj\x01", 4);
constexpr int64_t kMarkerBytes = 16;
constexpr int kDepthMax = 100;
constexpr size_t kBlockBytesMax = 256UL << 20;  // uncompressed

Status Broken(const std::string& what) {
  return Status(Code::kCorruption, "no whole Avro file: " + what);
}

class ValueReader {
 public:
  explicit ValueReader(std::string_view bytes) : cursor_(bytes), values_left_(bytes.size() + 1) {}

  size_t left() const { return cursor_.left(); }

  bool Read(const AvroType& type, AvroValue& value, int depth = 0) {
    if (depth > kDepthMax) return false;
    value.type = &type;
    switch (type.kind) {
      case AvroKind::kNull:
        return true;
      case AvroKind::kBoolean: {
        bool yes = false;
        const bool read = cursor_.ReadBoolean(yes);
        value.number = yes;
        return read;
      }
      case AvroKind::kInt:
      case AvroKind::kLong:
      case AvroKind::kEnum:
        return cursor_.ReadLong(value.number);
      case AvroKind::kFloat: {
        float number = 0;
        const bool read = cursor_.ReadFloating(number);
        value.floating = number;
        return read;
      }
      case AvroKind::kDouble:
        return cursor_.ReadFloating(value.floating);
      case AvroKind::kBytes:
      case AvroKind::kString: {
        std::string_view bytes;
        const bool read = cursor_.ReadBytes(bytes);
        value.bytes = bytes;
        return read;
      }
      case AvroKind::kFixed: {
        std::string_view bytes;
        const bool read = cursor_.ReadFixed(type.size, bytes);
        value.bytes = bytes;
        return read;
      }
      case AvroKind::kRecord:
        value.parts.resize(type.fields.size());
        for (size_t i = 0; i < type.fields.size(); i++) {
          if (!Read(*type.fields[i].type, value.parts[i], depth + 1)) return false;
        }
        return true;
      case AvroKind::kUnion: {
        int64_t branch = 0;
        if (!cursor_.ReadLong(branch) || branch < 0) return false;
        if (static_cast<size_t>(branch) >= type.parts.size()) return false;
        return Read(*type.parts[static_cast<size_t>(branch)], value, depth + 1);
      }
      case AvroKind::kArray:
      case AvroKind::kMap:
        return ReadBlocks(type, value, depth);
    }
    return false;
  }

 private:
  bool ReadBlocks(const AvroType& type, AvroValue& value, int depth) {
    for (int64_t count = 0; cursor_.ReadLong(count);) {
      if (count == 0) return true;
      int64_t bytes = 0;  // of the block, for who passes over it
      if (count < 0 && !cursor_.ReadLong(bytes)) return false;
      const uint64_t elements = count < 0 ? 0 - static_cast<uint64_t>(count) : count;
      if (elements > values_left_) return false;
      values_left_ -= elements;
      for (uint64_t i = 0; i < elements; i++) {
        std::string_view key;
        if (type.kind == AvroKind::kMap) {
          if (!cursor_.ReadBytes(key)) return false;
          value.keys.emplace_back(key);
        }
        if (!Read(*type.parts[0], value.parts.emplace_back(), depth + 1)) return false;
      }
    }
    return false;
  }

  AvroCursor cursor_;
  uint64_t values_left_;
};

// Raw deflate, without the header of zlib.
Result<std::string> Inflate(std::string_view bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return Broken("zlib does not start");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int state = Z_OK;
  while (state == Z_OK && out.size() < kBlockBytesMax) {
    const size_t before = out.size();
    out.resize(before + std::max<size_t>(4 * bytes.size(), 1024));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(out.size() - before);
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END) return Broken("a block cannot be uncompressed");
  return out;
}

// 16 bytes that are not likely to stand in the file otherwise: by what it holds.
std::string MarkerFor(const std::string& header, const std::string& block) {
  std::string marker;
  for (const std::string& text : {header, block}) {
    AppendAvroFloating(static_cast<uint64_t>(std::hash<std::string>()(text)), marker);
  }
  return marker;
}

Status ReadHeader(AvroCursor& cursor, AvroFile& file, std::string_view& marker) {
  std::string_view magic;
  if (!cursor.ReadFixed(kMagic.size(), magic) || magic != kMagic) {
    return Broken("it does not begin as one");
  }
  for (int64_t count = -1; count != 0;) {
    int64_t bytes = 0;
    if (!cursor.ReadLong(count) || (count < 0 && !cursor.ReadLong(bytes))) {
      return Broken("its metadata ends early");
    }
    for (int64_t left = count; left != 0; left += left < 0 ? 1 : -1) {
      std::string_view key, value;
      if (!cursor.ReadBytes(key) || !cursor.ReadBytes(value)) {
        return Broken("its metadata ends early");
      }
      file.metadata[std::string(key)] = value;
    }
  }
  if (!cursor.ReadFixed(kMarkerBytes, marker)) return Broken("it has no marker");
  return Status::Ok();
}

}  // namespace

const AvroValue* AvroValue::Find(std::string_view field) const {
  for (size_t i = 0; i < parts.size() && i < type->fields.size(); i++) {
    if (type->fields[i].name == field) return parts[i].is_null() ? nullptr : &parts[i];
  }
  return nullptr;
}

Result<AvroFile> ReadAvroFile(std::string_view bytes) {
  AvroFile file;
  AvroCursor cursor(bytes);
  std::string_view marker;
  MR_RETURN_IF_ERROR(ReadHeader(cursor, file, marker));
  const std::string codec = file.metadata["avro.codec"];
  if (!codec.empty() && codec != "null" && codec != "deflate") {
    return Status(Code::kUnsupported, "an Avro file compressed with \"" + codec + "\"")
        .WithHint("\"null\" and \"deflate\" can be read");
  }
  MR_ASSIGN_OR_RETURN(file.schema, AvroSchema::Parse(file.metadata["avro.schema"]));
  while (cursor.left() > 0) {
    int64_t count = 0;
    std::string_view block, behind;
    if (!cursor.ReadLong(count) || !cursor.ReadBytes(block) ||
        !cursor.ReadFixed(kMarkerBytes, behind) || behind != marker) {
      return Broken("a block ends early");
    }
    std::string inflated;
    if (codec == "deflate") {
      MR_ASSIGN_OR_RETURN(inflated, Inflate(block));
      block = inflated;
    }
    if (count < 0 || static_cast<uint64_t>(count) > block.size()) {
      return Broken("a block has too few bytes for its records");
    }
    ValueReader reader(block);
    for (int64_t i = 0; i < count; i++) {
      if (!reader.Read(file.schema->root(), file.records.emplace_back())) {
        return Broken(fmt::format("record {} does not fit the schema", file.records.size()));
      }
    }
    if (reader.left() > 0) return Broken("a block has more bytes than its records");
  }
  return file;
}

std::string WriteAvroFile(const std::string& schema, std::map<std::string, std::string> metadata,
                          const std::vector<std::string>& records) {
  metadata["avro.schema"] = schema;
  metadata["avro.codec"] = "null";
  std::string out(kMagic);
  AppendAvroLong(static_cast<int64_t>(metadata.size()), out);
  for (const auto& [key, value] : metadata) {
    AppendAvroBytes(key, out);
    AppendAvroBytes(value, out);
  }
  AppendAvroLong(0, out);
  std::string block;
  for (const std::string& record : records) block += record;
  const std::string marker = MarkerFor(out, block);
  out += marker;
  if (records.empty()) return out;
  AppendAvroLong(static_cast<int64_t>(records.size()), out);
  AppendAvroBytes(block, out);
  return out + marker;
}

}  // namespace millrace::format
