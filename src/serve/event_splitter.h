// SplitEvents: finds the events in a request body without parsing or copying them.
//
// Contract: a pure function; every returned view is a part of `body`, in order, without blanks
// around it. Whether an event is valid is the decoder's business: whatever cannot be told apart
// from its neighbours comes as one event, so that nothing is lost and the decoder names the fault.
//
//   body                              events
//   [{...}, {...}]                    the elements; after a fault, the rest of the body as one
//   {...} over one or many lines      the object(s), when all of the body is whole objects
//   anything else                     its lines that are not blank (NDJSON), so that one broken
//                                     line does not spoil the others
#pragma once

#include <string_view>
#include <vector>

namespace millrace::serve {

// Appends to `events`.
void SplitEvents(std::string_view body, std::vector<std::string_view>& events);
// The lines only, for formats other than JSON.
void SplitLines(std::string_view body, std::vector<std::string_view>& events);

}  // namespace millrace::serve
