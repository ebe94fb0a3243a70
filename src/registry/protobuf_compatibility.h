// Whether records of one Protobuf schema can be read with another, and if not, why and where.
//
// Fields are told apart by their numbers, so names do not matter; messages and the types of fields
// by their names without the package.
//   - Fields may be added and removed, unless they are `required`.
//   - A type may become another of its group: int32 int64 uint32 uint64 bool and enums; sint32
//     sint64; string bytes; fixed32 sfixed32; fixed64 sfixed64. `string` and `bytes` may change
//     between one and repeated, numbers may not.
//   - A message may not be removed, nor the package change.
//   - A field of a oneof may not be removed, unless with all of its oneof; fields that could be set
//     at the same time may not come together in a oneof.
//
// Source: Protocol Buffers' documentation, "Updating A Message Type"; the rules as Confluent's
// schema registry has them (its ProtobufSchema), with one more: a repeated number does not become
// a single one without a label (proto3), which loses what is packed.
#pragma once

#include <string>
#include <vector>

#include "format/protobuf/proto_schema.h"
#include "registry/incompatibility.h"

namespace millrace::registry {

// Empty: whatever `writer` wrote, `reader` reads. The names are what messages call the schemas.
// Paths are those of messages and the number of a field: "/Order/Line/3".
std::vector<Incompatibility> CheckProtobuf(const format::ProtoSchema& reader,
                                           const format::ProtoSchema& writer,
                                           const std::string& reader_name,
                                           const std::string& writer_name);

}  // namespace millrace::registry
