// Messages that are kept in records of `__consumer_offsets`: written as those of the protocol are,
// in an encoding without tagged fields. A message says its version by itself, in its first field.
#pragma once

#include <string>
#include <string_view>

#include "kafka/wire_io.h"

namespace millrace::kafka {

template <class T>
std::string EncodeStored(T message) {
  std::string bytes;
  WireWriter(&bytes, 0, false).Field(message);
  return bytes;
}

// Whether the bytes begin with such a message.
template <class T>
bool DecodeStored(std::string_view bytes, T* message) {
  WireReader reader(bytes, 0, false);
  reader.Field(*message);
  return reader.ok();
}

}  // namespace millrace::kafka
