// A batch taken apart by windows.
#pragma once

#include <cstdint>
#include <duckdb.hpp>
#include <vector>

namespace millrace::stream {

// Calls visit(pane, rows) for each pane among panes[0..count), with its rows, ascending; rows that
// are `done` are left out, and afterwards all are. `rows` is room to work in. Rows come nearly in
// time order, so a batch is a few runs of rows with the same pane.
template <typename Visit>
void ForEachPane(const int64_t* panes, duckdb::idx_t count, std::vector<uint8_t>& done,
                 std::vector<uint32_t>& rows, const Visit& visit) {
  for (duckdb::idx_t first = 0; first < count; first++) {
    if (done[first]) continue;
    const int64_t pane = panes[first];
    rows.clear();
    for (duckdb::idx_t row = first; row < count; row++) {
      if (done[row] || panes[row] != pane) continue;
      rows.push_back(static_cast<uint32_t>(row));
      done[row] = 1;
    }
    visit(pane, rows);
  }
}

}  // namespace millrace::stream
