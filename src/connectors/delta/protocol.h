// What a Delta table asks of those who write it, and whether Millrace can.
//
// A table whose rules are not known here is refused, however small the difference: whoever writes
// without keeping them damages it for everybody.
// Source: PROTOCOL.md of delta-io/delta, sections "Table Features" and "Writer Version
// Requirements".
#pragma once

#include "base/status.h"
#include "connectors/delta/actions.h"
#include "model/schema.h"

namespace millrace::connectors::delta {

// Error kUnsupported, naming the feature or the property. `changes_rows`: the writer also takes
// rows away, not only adds some.
Status CheckWritable(const Protocol& protocol, const Metadata& metadata, bool changes_rows);

// How long what `property` is about is kept: `ours_us`, or longer where the table's owner says so,
// as in "interval 30 days". For ever (INT64_MAX) where what he says is not understood.
int64_t KeptMicros(const Metadata& metadata, const std::string& property, int64_t ours_us);

// `protocol`, changed where columns like `columns` need it. kUnsupported when it is of a kind that
// cannot simply be raised.
Result<Protocol> RaisedFor(Protocol protocol, const model::Schema& columns);

}  // namespace millrace::connectors::delta
