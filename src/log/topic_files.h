// Topic settings on disk, and the names of a topic's files.
//
// Format
//   <topic>.topic.json     {"partitions": 4, "retention_ms": 604800000, "retention_bytes": -1,
//                          "segment_bytes": 268435456, "created_us": …}; replaced in one
//   <topic>.deleted.json   the same, renamed: the topic is gone, its directories may still be there
//   <topic>-<partition>/   log/partition.h
#pragma once

#include <string>
#include <string_view>

#include "env/files.h"
#include "log/log.h"

namespace millrace::log {

constexpr std::string_view kTopicSuffix = ".topic.json";
constexpr std::string_view kDeletedSuffix = ".deleted.json";

std::string PartitionDirectory(const std::string& directory, const std::string& topic,
                               int partition);

// kInvalidArgument: a name that is not [a-zA-Z0-9._-]{1,240}, "." or ".."; settings out of range.
Status CheckTopic(const std::string& name, const TopicConfig& config);

std::string EncodeTopic(const TopicConfig& config, int64_t created_us);
// All but the name. kCorruption when the text is not such JSON.
Result<TopicInfo> DecodeTopic(const std::string& path, std::string_view text);

// Removes a directory of files; fine when it is gone already.
Status RemoveDirectory(env::FileSystem& files, const std::string& path);

}  // namespace millrace::log
