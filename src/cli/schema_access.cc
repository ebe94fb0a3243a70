#include "cli/schema_access.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <future>

#include "cli/client.h"
#include "cli/dev_process.h"
#include "cli/terminal.h"
#include "project/runtime.h"
#include "serve/blocking_pool.h"
#include "serve/project_backend.h"
#include "serve/routes/routes.h"

namespace millrace::cli {

namespace {

class RemoteSchemas : public SchemaAccess {
 public:
  explicit RemoteSchemas(HttpClient client) : client_(std::move(client)) {}

 protected:
  Result<Answer> Send(const std::string& method, const std::string& path,
                      const std::string& body) override {
    MR_ASSIGN_OR_RETURN(HttpReply reply, client_.Send(method, path, body));
    return Answer{reply.status, std::move(reply.body)};
  }

 private:
  HttpClient client_;
};

class LocalSchemas : public SchemaAccess {
 public:
  static Result<std::unique_ptr<SchemaAccess>> Open(std::unique_ptr<project::Project> project) {
    std::unique_ptr<LocalSchemas> schemas(new LocalSchemas());
    MR_ASSIGN_OR_RETURN(schemas->runtime_, project::Runtime::Open(std::move(project), false));
    MR_ASSIGN_OR_RETURN(schemas->backend_, serve::NewProjectBackend(*schemas->runtime_));
    serve::AddSchemaRoutes(schemas->router_, *schemas->backend_, schemas->pool_);
    return std::unique_ptr<SchemaAccess>(std::move(schemas));
  }
  ~LocalSchemas() override { pool_.Stop(); }

 protected:
  Result<Answer> Send(const std::string& method, const std::string& path,
                      const std::string& body) override {
    serve::Request request;
    request.method = method == "GET"    ? serve::Method::kGet
                     : method == "POST" ? serve::Method::kPost
                     : method == "PUT"  ? serve::Method::kPut
                                        : serve::Method::kDelete;
    request.SetBody(body);
    request.target = path;
    if (!serve::ParseTarget(request)) {
      return Status(Code::kInvalidArgument, fmt::format("\"{}\" is no path", path));
    }
    const serve::Router::Found found = router_.Match(request);
    if (found.handler == nullptr) return Answer{found.status, ""};
    auto sink = std::make_shared<AnswerSink>();
    (*found.handler)(std::move(request), serve::Responder(sink));
    serve::Response response = sink->Wait();
    return Answer{response.status, std::move(response.body)};
  }

 private:
  class AnswerSink : public serve::Responder::Sink {
   public:
    void Send(serve::Response response) override { answer_.set_value(std::move(response)); }
    std::shared_ptr<serve::BodyStream> StartStream(serve::Response) override { return nullptr; }
    serve::Response Wait() { return answer_.get_future().get(); }

   private:
    std::promise<serve::Response> answer_;
  };

  LocalSchemas() = default;

  std::unique_ptr<project::Runtime> runtime_;
  std::unique_ptr<serve::Backend> backend_;
  serve::Router router_;
  serve::BlockingPool pool_{1, 8};
};

}  // namespace

Result<std::unique_ptr<SchemaAccess>> SchemaAccess::Open(const std::string& path,
                                                         const std::string& target) {
  const std::string directory = CleanPath(path);
  if (auto dev = FindDevProcess(DataDirectoryOf(directory))) {
    MR_ASSIGN_OR_RETURN(HttpClient client, HttpClient::ForUrl(dev->url));
    return std::unique_ptr<SchemaAccess>(std::make_unique<RemoteSchemas>(std::move(client)));
  }
  std::vector<Status> faults;
  auto project = project::Project::Load(directory, target, faults);
  if (!faults.empty()) return faults[0];
  return LocalSchemas::Open(std::move(project));
}

Result<std::string> SchemaAccess::Ask(const std::string& method, const std::string& path,
                                      const std::string& body) {
  MR_ASSIGN_OR_RETURN(Answer answer, Send(method, path, body));
  if (answer.status == 200) return std::move(answer.body);
  simdjson::dom::parser parser;
  std::string_view message;
  if (parser.parse(answer.body)["message"].get(message) != simdjson::SUCCESS) {
    message = "the schema registry answers something else";
  }
  return Status(answer.status == 404 ? Code::kNotFound : Code::kFailedPrecondition,
                std::string(message));
}

}  // namespace millrace::cli
