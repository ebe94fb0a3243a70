#include "connectors/filesystem/manifest.h"

#include <simdjson.h>

#include "base/strings.h"

namespace millrace::connectors::filesystem {

Result<Manifest> ReadManifest(env::FileSystem& files, const std::string& path) {
  auto text = env::ReadWholeFile(files, path);
  if (!text.ok()) {
    if (text.status().code() == Code::kNotFound) return Manifest{};
    return text.status();
  }
  const Status damaged =
      Status(Code::kCorruption, "the manifest \"" + path + "\" is damaged")
          .WithHint(
              "it tells which files are committed: restore it, or start the job anew in "
              "another directory");
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array parts;
  Manifest manifest;
  if (parser.parse(*text).get(root) || root["epoch"].get_int64().get(manifest.epoch) ||
      root["files"].get_array().get(parts)) {
    return damaged;
  }
  for (simdjson::dom::element part : parts) {
    std::string_view staged, final;
    if (part["staged"].get_string().get(staged) || part["final"].get_string().get(final)) {
      return damaged;
    }
    manifest.parts.push_back({std::string(staged), std::string(final)});
  }
  return manifest;
}

Status WriteManifest(env::FileSystem& files, const std::string& path, const Manifest& manifest) {
  std::string text = "{\"epoch\": " + std::to_string(manifest.epoch) + ", \"files\": [";
  for (size_t i = 0; i < manifest.parts.size(); i++) {
    text += (i ? ",\n  " : "\n  ") + ("{\"staged\": " + JsonQuote(manifest.parts[i].staged)) +
            ", \"final\": " + JsonQuote(manifest.parts[i].final) + "}";
  }
  return env::ReplaceFile(files, path, text + "]}\n");
}

}  // namespace millrace::connectors::filesystem
