// The schema registry's routes, as Confluent's REST API has them, at the root paths that its
// clients expect. Source: Confluent's documentation, "Schema Registry API Reference".
#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>

#include "base/strings.h"
#include "format/protobuf/proto_schema.h"
#include "registry/registry.h"
#include "registry/registry_error.h"
#include "serve/routes/routes.h"

namespace millrace::serve {

using registry::Fault;
using registry::Registry;
using registry::RegistryError;
using registry::Schema;
using registry::SubjectVersion;

namespace {

constexpr const char* kContentType = "application/vnd.schemaregistry.v1+json";

// Who asks for plain JSON gets the same, under that name.
bool WantsPlainJson(const Request& request) {
  const std::string_view accepts = request.Header("accept");
  return accepts.find("application/json") != std::string_view::npos &&
         accepts.find("schemaregistry") == std::string_view::npos;
}

Response Answer(const Request& request, Result<std::string> json) {
  Response response;
  response.content_type = WantsPlainJson(request) ? "application/json" : kContentType;
  if (json.ok()) {
    response.body = std::move(*json);
    return response;
  }
  const RegistryError error = registry::ErrorOf(json.status());
  std::string message = json.status().message();
  if (!json.status().hint().empty()) message += "; " + json.status().hint();
  response.status = registry::HttpStatusOf(error);
  response.body = fmt::format(R"({{"error_code":{},"message":{}}})", static_cast<int>(error),
                              JsonQuote(message));
  return response;
}

std::string Subject(const Request& request) {
  return std::string(request.PathArg("subject"));
}

bool IsTrue(const Request& request, std::string_view name) {
  return EqualsIgnoreCase(request.Query(name), "true");
}

// "latest", or a number from 1 on.
Result<int> VersionOf(const Request& request) {
  const std::string_view text = request.PathArg("version");
  if (text == "latest" || text == "-1") return registry::kLatest;
  int version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error == std::errc() && end == text.data() + text.size() && version > 0) return version;
  return Fault(RegistryError::kInvalidVersion,
               fmt::format("The specified version '{}' is not a valid version id. Allowed values "
                           "are between [1, 2^31-1] and the string \"latest\"",
                           text));
}

Result<int32_t> IdOf(const Request& request) {
  const std::string_view text = request.PathArg("id");
  int32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error == std::errc() && end == text.data() + text.size()) return id;
  return Fault(RegistryError::kSchemaNotFound, fmt::format("\"{}\" is no schema's number", text));
}

// A request's body; fields that are not known are passed over, as newer clients send more.
class Body {
 public:
  explicit Body(const Request& request) : request_(request) {}

  Status Parse() {
    const std::string_view body = request_.body();
    if (parser_.parse(body.data(), body.size()).get(json_) == simdjson::SUCCESS) return {};
    return Fault(RegistryError::kInvalidSchema, "the body is no JSON object");
  }
  std::string Text(std::string_view field) const {
    std::string_view text;
    return json_[field].get(text) == simdjson::SUCCESS ? std::string(text) : "";
  }
  std::optional<int> Number(std::string_view field) const {
    int64_t number = 0;
    if (json_[field].get(number) != simdjson::SUCCESS) return std::nullopt;
    return static_cast<int>(number);
  }
  Result<Schema> GivenSchema() const {
    Schema schema;
    if (const std::string type = Text("schemaType"); !type.empty()) schema.type = type;
    schema.text = Text("schema");
    simdjson::dom::element references;
    if (json_["references"].get(references) == simdjson::SUCCESS && !references.is_null()) {
      if (!references.is_array()) {
        return Fault(RegistryError::kInvalidSchema, "\"references\" is no list");
      }
      for (auto reference : references.get_array()) {
        std::string_view name;
        std::string_view subject;
        int64_t version = 0;
        if (reference["name"].get(name) != simdjson::SUCCESS ||
            reference["subject"].get(subject) != simdjson::SUCCESS ||
            reference["version"].get(version) != simdjson::SUCCESS) {
          return Fault(RegistryError::kInvalidSchema,
                       "a reference has a \"name\", a \"subject\" and a \"version\"");
        }
        schema.references.push_back(
            {std::string(name), std::string(subject), static_cast<int>(version)});
      }
    }
    return schema;
  }

 private:
  const Request& request_;
  simdjson::dom::parser parser_;
  simdjson::dom::object json_;
};

std::string List(const std::vector<std::string>& parts) {
  return "[" + Join(parts, ",") + "]";
}

template <typename T>
std::string Numbers(const std::vector<T>& numbers) {
  return fmt::format("[{}]", fmt::join(numbers, ","));
}

std::string Names(const std::vector<std::string>& names) {
  std::vector<std::string> quoted;
  for (const std::string& name : names) quoted.push_back(JsonQuote(name));
  return List(quoted);
}

// The fields of a schema: "schemaType" and "references" only where there is something to say.
std::string SchemaFields(const Schema& schema) {
  std::string fields;
  if (schema.type != "AVRO") fields += fmt::format(R"("schemaType":"{}",)", schema.type);
  if (!schema.references.empty()) {
    fields += fmt::format(R"("references":{},)", registry::ReferencesJson(schema.references));
  }
  return fields + fmt::format(R"("schema":{})", JsonQuote(schema.text));
}

std::string VersionJson(const SubjectVersion& version) {
  return fmt::format(R"({{"subject":{},"version":{},"id":{},{}}})", JsonQuote(version.subject),
                     version.version, version.id, SchemaFields(version.schema));
}

// What a client asks for with format=serialized: a Protobuf schema as a file descriptor in base64.
Status PutIntoFormat(Registry& schemas, const Request& request, Schema& schema) {
  if (schema.type != "PROTOBUF" || request.Query("format") != "serialized") return {};
  MR_ASSIGN_OR_RETURN(registry::WholeSchema whole, schemas.Resolve(schema));
  MR_ASSIGN_OR_RETURN(auto parsed, format::ProtoSchema::Parse(whole.schema.text, whole.references));
  schema.text = parsed->Serialized();
  return {};
}

// ---- subjects -----------------------------------------------------------------------------------

Result<std::string> GetSubjects(Registry& schemas, const Request& request) {
  return Names(
      schemas.Subjects(std::string(request.Query("subjectPrefix")), IsTrue(request, "deleted")));
}

Result<std::string> GetVersions(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(auto versions,
                      schemas.Versions(Subject(request), IsTrue(request, "deleted")));
  return Numbers(versions);
}

Result<SubjectVersion> FindVersion(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(int version, VersionOf(request));
  return schemas.Version(Subject(request), version, IsTrue(request, "deleted"));
}

Result<std::string> GetVersion(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(SubjectVersion version, FindVersion(schemas, request));
  MR_RETURN_IF_ERROR(PutIntoFormat(schemas, request, version.schema));
  return VersionJson(version);
}

Result<std::string> GetVersionText(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(SubjectVersion version, FindVersion(schemas, request));
  return version.schema.text;
}

Result<std::string> GetReferencedBy(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(int version, VersionOf(request));
  MR_ASSIGN_OR_RETURN(auto ids, schemas.ReferencedBy(Subject(request), version));
  return Numbers(ids);
}

Result<std::string> Register(Registry& schemas, const Request& request) {
  Body body(request);
  MR_RETURN_IF_ERROR(body.Parse());
  MR_ASSIGN_OR_RETURN(Schema schema, body.GivenSchema());
  MR_ASSIGN_OR_RETURN(SubjectVersion version,
                      schemas.Register(Subject(request), {std::move(schema), body.Number("id"),
                                                          body.Number("version")}));
  return VersionJson(version);
}

Result<std::string> Lookup(Registry& schemas, const Request& request) {
  Body body(request);
  MR_RETURN_IF_ERROR(body.Parse());
  MR_ASSIGN_OR_RETURN(Schema schema, body.GivenSchema());
  MR_ASSIGN_OR_RETURN(SubjectVersion version,
                      schemas.Lookup(Subject(request), schema, IsTrue(request, "deleted")));
  return VersionJson(version);
}

Result<std::string> DeleteSubject(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(auto versions,
                      schemas.DeleteSubject(Subject(request), IsTrue(request, "permanent")));
  return Numbers(versions);
}

Result<std::string> DeleteVersion(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(int version, VersionOf(request));
  MR_ASSIGN_OR_RETURN(
      int deleted, schemas.DeleteVersion(Subject(request), version, IsTrue(request, "permanent")));
  return std::to_string(deleted);
}

// ---- schemas ------------------------------------------------------------------------------------

Result<std::string> GetSchemas(Registry& schemas, const Request& request) {
  std::vector<std::string> list;
  for (const SubjectVersion& version :
       schemas.All(std::string(request.Query("subjectPrefix")), IsTrue(request, "deleted"),
                   IsTrue(request, "latestOnly"))) {
    list.push_back(VersionJson(version));
  }
  return List(list);
}

Result<std::string> GetSchema(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(int32_t id, IdOf(request));
  MR_ASSIGN_OR_RETURN(Schema schema, schemas.SchemaById(id));
  MR_RETURN_IF_ERROR(PutIntoFormat(schemas, request, schema));
  return "{" + SchemaFields(schema) + "}";
}

Result<std::string> GetSchemaText(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(int32_t id, IdOf(request));
  MR_ASSIGN_OR_RETURN(Schema schema, schemas.SchemaById(id));
  return schema.text;
}

Result<std::string> GetSchemaVersions(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(int32_t id, IdOf(request));
  MR_ASSIGN_OR_RETURN(auto versions, schemas.VersionsOf(id, IsTrue(request, "deleted")));
  std::vector<std::string> list;
  for (const SubjectVersion& version : versions) {
    list.push_back(fmt::format(R"({{"subject":{},"version":{}}})", JsonQuote(version.subject),
                               version.version));
  }
  return List(list);
}

Result<std::string> GetSchemaSubjects(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(int32_t id, IdOf(request));
  MR_ASSIGN_OR_RETURN(auto versions, schemas.VersionsOf(id, IsTrue(request, "deleted")));
  std::vector<std::string> subjects;  // in order, so equal ones are neighbours
  for (const SubjectVersion& version : versions) {
    if (subjects.empty() || subjects.back() != version.subject) subjects.push_back(version.subject);
  }
  return Names(subjects);
}

// ---- compatibility and settings -----------------------------------------------------------------

Result<std::string> Check(Registry& schemas, const Request& request) {
  Body body(request);
  MR_RETURN_IF_ERROR(body.Parse());
  MR_ASSIGN_OR_RETURN(Schema schema, body.GivenSchema());
  std::optional<int> version;
  if (!request.PathArg("version").empty()) {
    MR_ASSIGN_OR_RETURN(version, VersionOf(request));
  }
  MR_ASSIGN_OR_RETURN(auto answer, schemas.Check(Subject(request), version, schema));
  const std::string messages =
      IsTrue(request, "verbose") ? ",\"messages\":" + Names(answer.messages) : "";
  return fmt::format(R"({{"is_compatible":{}{}}})", answer.compatible, messages);
}

std::string LevelJson(registry::Compatibility level) {
  return fmt::format(R"({{"compatibilityLevel":"{}"}})", registry::CompatibilityName(level));
}

std::string ModeJson(registry::Mode mode) {
  return fmt::format(R"({{"mode":"{}"}})", registry::ModeName(mode));
}

Result<std::string> GetConfig(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(auto level,
                      schemas.Config(Subject(request), IsTrue(request, "defaultToGlobal")));
  return LevelJson(level);
}

Result<std::string> PutConfig(Registry& schemas, const Request& request) {
  Body body(request);
  MR_RETURN_IF_ERROR(body.Parse());
  MR_ASSIGN_OR_RETURN(auto level, registry::ParseCompatibility(body.Text("compatibility")));
  MR_RETURN_IF_ERROR(schemas.SetConfig(Subject(request), level));
  return fmt::format(R"({{"compatibility":"{}"}})", registry::CompatibilityName(level));
}

Result<std::string> DeleteConfig(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(auto level, schemas.DeleteConfig(Subject(request)));
  return LevelJson(level);
}

Result<std::string> GetMode(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(auto mode,
                      schemas.GetMode(Subject(request), IsTrue(request, "defaultToGlobal")));
  return ModeJson(mode);
}

Result<std::string> PutMode(Registry& schemas, const Request& request) {
  Body body(request);
  MR_RETURN_IF_ERROR(body.Parse());
  MR_ASSIGN_OR_RETURN(auto mode, registry::ParseMode(body.Text("mode")));
  MR_RETURN_IF_ERROR(schemas.SetMode(Subject(request), mode, IsTrue(request, "force")));
  return ModeJson(mode);
}

Result<std::string> DeleteMode(Registry& schemas, const Request& request) {
  MR_ASSIGN_OR_RETURN(auto mode, schemas.DeleteMode(Subject(request)));
  return ModeJson(mode);
}

Result<std::string> DryRun(Backend& backend, const Request& request) {
  Body body(request);
  MR_RETURN_IF_ERROR(body.Parse());
  MR_ASSIGN_OR_RETURN(Schema schema, body.GivenSchema());
  constexpr int kRecordsMax = 100'000;
  return backend.SchemaDryRunJson(Subject(request), schema,
                                  body.Number("records").value_or(kRecordsMax));
}

}  // namespace

void AddSchemaRoutes(Router& router, Backend& backend, BlockingPool& pool) {
  using Call = Result<std::string> (*)(Registry&, const Request&);
  auto add = [&](Method method, const std::string& pattern, Call call) {
    router.Add(method, pattern, InPool(pool, [&backend, call](const Request& request) {
                 Registry* schemas = backend.Schemas();
                 if (schemas != nullptr) return Answer(request, call(*schemas, request));
                 return Answer(request,
                               Fault(RegistryError::kStore, "there is no schema registry here"));
               }));
  };
  router.Add(Method::kPost, "/api/schemas/{subject}/dry-run",
             InPool(pool, [&backend](const Request& request) {
               return Answer(request, DryRun(backend, request));
             }));
  const std::string subject = "/subjects/{subject}";
  const std::string version = subject + "/versions/{version}";
  add(Method::kGet, "/subjects", GetSubjects);
  add(Method::kPost, subject, Lookup);
  add(Method::kDelete, subject, DeleteSubject);
  add(Method::kGet, subject + "/versions", GetVersions);
  add(Method::kPost, subject + "/versions", Register);
  add(Method::kGet, version, GetVersion);
  add(Method::kDelete, version, DeleteVersion);
  add(Method::kGet, version + "/schema", GetVersionText);
  add(Method::kGet, version + "/referencedby", GetReferencedBy);
  add(Method::kGet, "/schemas", GetSchemas);
  add(Method::kGet, "/schemas/types", [](Registry&, const Request&) -> Result<std::string> {
    return std::string(R"(["JSON","PROTOBUF","AVRO"])");
  });
  add(Method::kGet, "/schemas/ids/{id}", GetSchema);
  add(Method::kGet, "/schemas/ids/{id}/schema", GetSchemaText);
  add(Method::kGet, "/schemas/ids/{id}/versions", GetSchemaVersions);
  add(Method::kGet, "/schemas/ids/{id}/subjects", GetSchemaSubjects);
  add(Method::kPost, "/compatibility" + subject + "/versions", Check);
  add(Method::kPost, "/compatibility" + version, Check);
  for (const char* of_subject : {"", "/{subject}"}) {
    add(Method::kGet, std::string("/config") + of_subject, GetConfig);
    add(Method::kPut, std::string("/config") + of_subject, PutConfig);
    add(Method::kDelete, std::string("/config") + of_subject, DeleteConfig);
    add(Method::kGet, std::string("/mode") + of_subject, GetMode);
    add(Method::kPut, std::string("/mode") + of_subject, PutMode);
    add(Method::kDelete, std::string("/mode") + of_subject, DeleteMode);
  }
}

}  // namespace millrace::serve
