#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "serve/event_splitter.h"

// Events lie within the body, in order, and together with blanks and commas make it up.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  for (auto split : {millrace::serve::SplitEvents, millrace::serve::SplitLines}) {
    std::vector<std::string_view> events;
    split(body, events);
    const char* last = body.data();
    for (std::string_view event : events) {
      if (event.empty() || event.data() < last) std::abort();
      last = event.data() + event.size();
      if (last > body.data() + body.size()) std::abort();
    }
  }
  return 0;
}
