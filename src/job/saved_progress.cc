#include "job/saved_progress.h"

#include <algorithm>
#include <cstring>

#include "env/files.h"
#include "job/job_entries.h"
#include "job/source_reader.h"
#include "state/decision_log.h"

namespace millrace::job {

Result<SavedProgress> ReadProgress(const CompiledJob& job, const std::string& state_directory) {
  SavedProgress progress;
  env::FileSystem& files = *env::FileSystem::Real();
  // Opening would create it.
  if (!files.List(state_directory + "/checkpoint").ok()) return progress;
  MR_ASSIGN_OR_RETURN(auto store, state::StateStore::Open(state_directory + "/checkpoint"));
  progress.fit = FitOf(*store, job);
  if (progress.fit.kind == StateFit::Kind::kNew) return progress;
  store->Scan(state::kJobEntries, kRateKey, [&](std::string_view, std::string_view value) {
    if (value.size() == 8) std::memcpy(&progress.rows_per_second, value.data(), 8);
  });
  progress.position.epoch = store->epoch();
  for (size_t i = 0; i < job.sources.size(); i++) {
    std::vector<SplitPosition> splits;
    for (const SplitState& split : SourceReader::SavedSplits(*store, static_cast<int>(i))) {
      splits.push_back({split.id, split.first, split.next});
    }
    progress.position.sources.push_back(std::move(splits));
  }
  MR_ASSIGN_OR_RETURN(auto decisions, state::DecisionLog::Open(&files, state_directory));
  for (const state::Decision& decision : decisions->found()) {
    for (const state::SplitRange& range : decision.ranges) {
      if (static_cast<size_t>(range.source) >= progress.position.sources.size()) continue;
      auto& splits = progress.position.sources[static_cast<size_t>(range.source)];
      auto found = std::find_if(splits.begin(), splits.end(),
                                [&](const SplitPosition& s) { return s.split == range.split; });
      if (found == splits.end()) found = splits.insert(splits.end(), {range.split, range.from, 0});
      found->to = std::max(found->to, range.to);
    }
  }
  return progress;
}

}  // namespace millrace::job
