#include "dbt/jinja_engine.h"

// The crate's interface: src/dbt/jinja/src/lib.rs.
extern "C" {
typedef void (*MillraceJinjaCallback)(void* user, const char* request, size_t length, void* reply);
void* millrace_jinja_new(MillraceJinjaCallback callback, void* user);
void* millrace_jinja_fork(void* engine, MillraceJinjaCallback callback, void* user);
void millrace_jinja_free(void* engine);
void millrace_jinja_free_text(char* text, size_t length);
void millrace_jinja_reply(void* reply, const char* text, size_t length);
char* millrace_jinja_add(void* engine, const char* request, size_t length, size_t* out_length);
char* millrace_jinja_render(void* engine, const char* request, size_t length, size_t* out_length);
}

namespace millrace::dbt {

struct JinjaEngine::Native {
  explicit Native(HostFunction function) : host(std::move(function)) {}

  // Nothing may be thrown through the crate's frames.
  static void OnCall(void* user, const char* request, size_t length, void* reply) noexcept {
    auto* self = static_cast<Native*>(user);
    std::string answer;
    try {
      auto parsed = Value::FromJson({request, length});
      Result<Value> result =
          parsed.ok() ? self->host((*parsed)["name"].text(), (*parsed)["args"], (*parsed)["kwargs"])
                      : Result<Value>(parsed.status());
      if (result.ok()) {
        answer = Value::Object({{"ok", *result}}).ToJson();
      } else {
        self->failure = result.status();
        answer = Value::Object({{"error", result.status().message()}}).ToJson();
      }
    } catch (const std::exception& e) {
      self->failure = Status(Code::kInternal, e.what());
      answer = Value::Object({{"error", e.what()}}).ToJson();
    }
    millrace_jinja_reply(reply, answer.data(), answer.size());
  }

  HostFunction host;
  void* engine = nullptr;
  Status failure;  // the last one of a host function
};

JinjaEngine::JinjaEngine(HostFunction host) : native_(std::make_unique<Native>(std::move(host))) {
  native_->engine = millrace_jinja_new(&Native::OnCall, native_.get());
}

JinjaEngine::JinjaEngine(HostFunction host, const JinjaEngine& like)
    : native_(std::make_unique<Native>(std::move(host))) {
  native_->engine = millrace_jinja_fork(like.native_->engine, &Native::OnCall, native_.get());
}

std::unique_ptr<JinjaEngine> JinjaEngine::Fork(HostFunction host) const {
  return std::unique_ptr<JinjaEngine>(new JinjaEngine(std::move(host), *this));
}

JinjaEngine::~JinjaEngine() {
  millrace_jinja_free(native_->engine);
}

Result<Value> JinjaEngine::Ask(const Value& request) {
  const std::string json = request.ToJson();
  size_t length = 0;
  char* text = request.has("root")
                   ? millrace_jinja_add(native_->engine, json.data(), json.size(), &length)
                   : millrace_jinja_render(native_->engine, json.data(), json.size(), &length);
  auto answer = Value::FromJson({text, length});
  millrace_jinja_free_text(text, length);
  if (!answer.ok()) return answer.status();
  const Value& error = (*answer)["error"];
  if (error.is_null()) return answer;
  SourceSpan span{error["file"].text(), std::atoi(error["line"].text().c_str()), 0, 0};
  if (native_->failure.message() == error["message"].text() && !native_->failure.ok()) {
    Status status = native_->failure;
    if (!status.span().file.empty()) return status;
    return std::move(status).At(span);
  }
  return Status(Code::kSyntax, error["message"].text()).At(span);
}

Result<std::vector<TemplateBlock>> JinjaEngine::Add(const std::string& package,
                                                    const std::string& path,
                                                    const std::string& source, bool root) {
  MR_ASSIGN_OR_RETURN(
      Value answer,
      Ask(Value::Object(
          {{"package", package}, {"path", path}, {"source", source}, {"root", root}})));
  std::vector<TemplateBlock> out;
  for (const Value& block : answer["ok"].list()) {
    out.push_back({block["kind"].text(), block["name"].text(),
                   std::atoi(block["line"].text().c_str()), block["body"].text()});
  }
  return out;
}

Result<std::string> JinjaEngine::Render(const Template& source, const Value& context,
                                        std::vector<std::string>* called) {
  MR_ASSIGN_OR_RETURN(Value answer, Ask(Value::Object({{"package", source.package},
                                                       {"path", source.path},
                                                       {"line", source.line},
                                                       {"source", source.source},
                                                       {"context", context}})));
  if (called != nullptr) *called = answer["macros"].texts();
  return answer["ok"].text();
}

Result<Value> JinjaEngine::Call(const std::string& package, const std::string& macro,
                                const Value& args, const Value& context) {
  MR_ASSIGN_OR_RETURN(Value answer, Ask(Value::Object({{"package", package},
                                                       {"path", macro},
                                                       {"macro", macro},
                                                       {"args", args},
                                                       {"context", context}})));
  return answer["ok"];
}

}  // namespace millrace::dbt
