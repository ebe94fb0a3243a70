#include "project/batch_settings.h"

#include "env/files.h"
#include "model/masking.h"
#include "project/project.h"

namespace millrace::project {

namespace {

void ReadStorage(YamlReader& reader, const YAML::Node& node, batch::Storage& storage) {
  auto text = [&](const char* option) {
    return [&reader, &storage, option](const YAML::Node& n) {
      reader.Text(n, storage.options[option]);
    };
  };
  auto secret = [&](const char* option, const char* key) {
    return [&reader, &storage, option, key](const YAML::Node& n) {
      reader.Secret(n, key, storage.options[option]);
    };
  };
  reader.Map(node, "storage \"" + storage.prefix + "\"",
             {{"endpoint", text("endpoint")},
              {"region", text("region")},
              {"url-style", text("url_style")},
              {"tls",
               [&](const YAML::Node& n) {
                 bool tls = true;
                 reader.Flag(n, tls);
                 storage.options["use_ssl"] = tls ? "true" : "false";
               }},
              {"key-id", text("key_id")},
              {"secret", secret("secret", "secret")},
              {"session-token", secret("session_token", "session-token")}});
}

void ReadDatabase(YamlReader& reader, const YAML::Node& node, batch::Database& database) {
  auto url = [&](const YAML::Node& n) {
    reader.Text(n, database.url);
    if (model::MaskUrls(database.url) != database.url) {
      reader.Fault(n, Code::kBadOption, "a secret is given by reference only",
                   "write \"postgres:postgresql://user:${env:NAME}@host/database\"");
    }
  };
  if (node.IsScalar()) return url(node);
  reader.Map(node, "database \"" + database.name + "\"",
             {{"url", url}, {"options", [&](const YAML::Node& options) {
                               if (!options.IsMap()) {
                                 reader.Fault(options, Code::kBadOption,
                                              "options must be a map of keys and values", "");
                                 return;
                               }
                               for (const auto& option : options) {
                                 reader.Text(option.second,
                                             database.options[option.first.as<std::string>()]);
                               }
                             }}});
}

// Replaces the references in `value`; what they stood for is remembered as secret.
Status Resolve(std::string& value, batch::Settings& settings) {
  for (size_t at = value.find("${"); at != std::string::npos; at = value.find("${", at + 2)) {
    MR_ASSIGN_OR_RETURN(std::string secret,
                        ResolveReferences(value.substr(at, value.find('}', at) + 1 - at)));
    if (!secret.empty()) settings.secrets.push_back(std::move(secret));
  }
  MR_ASSIGN_OR_RETURN(value, ResolveReferences(value));
  return Status::Ok();
}

}  // namespace

void ReadBatchSection(YamlReader& reader, const YAML::Node& node, batch::Settings& settings) {
  reader.Map(
      node, "batch",
      {{"memory-limit", [&](const YAML::Node& n) { reader.Bytes(n, settings.memory_limit_bytes); }},
       {"threads", [&](const YAML::Node& n) { reader.Number(n, settings.threads, 1, 256); }},
       {"storage",
        [&](const YAML::Node& stores) {
          for (const auto& entry : stores) {
            settings.storage.push_back({entry.first.as<std::string>(), {}});
            ReadStorage(reader, entry.second, settings.storage.back());
          }
        }},
       {"databases", [&](const YAML::Node& databases) {
          for (const auto& entry : databases) {
            settings.databases.push_back({entry.first.as<std::string>(), "", {}});
            ReadDatabase(reader, entry.second, settings.databases.back());
          }
        }}});
}

Result<batch::Settings> BatchSettingsOf(const std::string& directory) {
  const std::string path = directory + "/millrace.yml";
  batch::Settings settings;
  auto text = env::ReadWholeFile(*env::FileSystem::Real(), path);
  if (!text.ok()) {
    return text.status().code() == Code::kNotFound ? Result<batch::Settings>(settings)
                                                   : text.status();
  }
  try {
    std::vector<Status> faults;
    YamlReader reader(path, faults);
    const YAML::Node root = YAML::Load(*text);
    if (root.IsMap() && root["batch"]) ReadBatchSection(reader, root["batch"], settings);
    if (!faults.empty()) return faults.front();
  } catch (const YAML::Exception& e) {
    return Status(Code::kSyntax, "not valid YAML: " + e.msg)
        .At({path, e.mark.line + 1, e.mark.column + 1, 1});
  }
  for (batch::Storage& storage : settings.storage) {
    for (auto& [name, value] : storage.options) {
      MR_RETURN_IF_ERROR(Resolve(value, settings).Annotate("storage \"" + storage.prefix + "\""));
    }
  }
  for (batch::Database& database : settings.databases) {
    MR_RETURN_IF_ERROR(
        Resolve(database.url, settings).Annotate("database \"" + database.name + "\""));
    for (auto& [name, value] : database.options) {
      MR_RETURN_IF_ERROR(Resolve(value, settings).Annotate("database \"" + database.name + "\""));
    }
  }
  return settings;
}

}  // namespace millrace::project
