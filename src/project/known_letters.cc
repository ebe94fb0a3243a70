#include "project/known_letters.h"

#include <simdjson.h>

#include "job/job.h"

namespace millrace::project {

bool KnownLetters::Knows(const model::DeadLetter& letter) {
  if (letter.offset < 0) return false;
  Follow();
  return keys_.count({letter.job, letter.topic, letter.partition, letter.offset,
                      model::RowErrorKindName(letter.kind)}) > 0;
}

// What cannot be read now is not known: then a letter is there twice, not missing.
void KnownLetters::Follow() {
  constexpr int64_t kBytes = 1 << 20;
  auto info = log_.Describe(job::kDeadLetterTopic);
  if (!info.ok()) return;
  simdjson::dom::parser parser;
  auto take = [&](std::span<const model::Record> records) {
    for (const model::Record& record : records) {
      simdjson::dom::element json;
      std::string_view job, topic, kind;
      int64_t partition = 0, offset = 0;
      if (parser.parse(record.value.data(), record.value.size(), true).get(json) ||
          json["job"].get(job) || json["topic"].get(topic) || json["kind"].get(kind) ||
          json["partition"].get(partition) || json["offset"].get(offset)) {
        continue;
      }
      keys_.emplace(std::string(job), std::string(topic), static_cast<int>(partition), offset,
                    std::string(kind));
    }
  };
  for (int p = 0; p < info->config.partitions; p++) {
    auto at = log_.DescribePartition(job::kDeadLetterTopic, p);
    if (!at.ok()) continue;
    int64_t& next = next_.try_emplace(p, at->start_offset).first->second;
    while (next < at->stable_offset) {
      auto read = log_.Read(job::kDeadLetterTopic, p, std::max(next, at->start_offset),
                            at->stable_offset, kBytes, take);
      if (!read.ok() || *read <= next) return;
      next = *read;
    }
  }
}

}  // namespace millrace::project
