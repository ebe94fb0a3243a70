#include "serve/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "serve/testing/raw_client.h"

namespace millrace::serve {
namespace {

using namespace std::chrono_literals;

class HttpServerTest : public testing::Test {
 protected:
  void Start(HttpServerOptions options = {}) {
    Router router;
    router.Add(Method::kGet, "/hello", [](const Request& request, const Responder& responder) {
      Response response;
      response.body = "hello " + std::string(request.Query("name"));
      responder.Send(std::move(response));
    });
    router.Add(Method::kPost, "/echo/{what}", [](const Request& r, const Responder& responder) {
      Response response;
      response.body = std::string(r.PathArg("what")) + ":" + std::string(r.body());
      responder.Send(std::move(response));
    });
    router.Add(Method::kPost, "/size", [](const Request& r, const Responder& responder) {
      Response response;
      response.body = std::to_string(r.body().size());
      responder.Send(std::move(response));
    });
    router.Add(Method::kGet, "/throw",
               [](const Request&, const Responder&) { throw std::runtime_error("boom"); });
    router.Add(Method::kGet, "/forget", [](const Request&, const Responder&) {});
    router.Add(Method::kGet, "/later", [this](const Request&, const Responder& responder) {
      std::lock_guard lock(mutex_);
      waiting_.push_back(responder);
    });
    router.Add(Method::kGet, "/stream", [this](const Request&, const Responder& responder) {
      Response head;
      head.content_type = "text/event-stream";
      std::lock_guard lock(mutex_);
      std::atomic_store(&stream_, responder.StartStream(std::move(head)));
    });
    router.Add(Method::kPost, "/api/act", [](const Request&, const Responder& responder) {
      responder.Send(Result<std::string>(std::string("{}")));
    });
    auto server = HttpServer::Start(options, std::move(router));
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(*server);
  }
  int port() const { return server_->port(); }
  void WaitForWaiting(size_t count) {
    for (int i = 0; i < 12'000; i++) {
      {
        std::lock_guard lock(mutex_);
        if (waiting_.size() >= count) return;
      }
      std::this_thread::sleep_for(5ms);
    }
    FAIL() << "the requests did not arrive";
  }

  std::mutex mutex_;
  std::vector<Responder> waiting_;
  std::shared_ptr<BodyStream> stream_;
  std::unique_ptr<HttpServer> server_;  // last: its threads use the above
};

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  Start();
  EXPECT_EQ(server_->url(), "http://127.0.0.1:" + std::to_string(port()));
  RawClient client(port());
  for (int i = 0; i < 3; i++) {
    RawAnswer answer = client.Get("/hello?name=a%20b+c");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "hello a b c");
    EXPECT_NE(answer.head.find("Date: "), std::string::npos);
    EXPECT_NE(answer.head.find("nosniff"), std::string::npos);
  }
  EXPECT_EQ(client.Post("/echo/x", std::string("a\0b", 3)).body, std::string("x:a\0b", 5));
  EXPECT_EQ(client.Post("/echo/x", "").body, "x:");
  EXPECT_EQ(client.Post("/echo/a%2Fb%20c", "").body, "a/b c:") << "one segment";
  EXPECT_EQ(client.Post("/echo/a/b", "").status, 404);
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  Start();
  RawClient client(port());
  std::string all;
  for (int i = 0; i < 200; i++) all += RawClient::PostText("/echo/e", std::to_string(i));
  ASSERT_TRUE(client.Write(all));
  for (int i = 0; i < 200; i++) ASSERT_EQ(client.ReadAnswer().body, "e:" + std::to_string(i));
}

TEST_F(HttpServerTest, OtherMethodsAndPaths) {
  Start();
  RawClient client(port());
  EXPECT_EQ(client.Get("/nothing").status, 404);
  RawAnswer post = client.Post("/hello", "x");
  EXPECT_EQ(post.status, 405);
  EXPECT_NE(post.head.find("Allow: GET, HEAD, OPTIONS"), std::string::npos);
  client.Write("OPTIONS /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer().status, 204);
  client.Write("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer().status, 204);
  client.Write("HEAD /hello?name=x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  RawAnswer head = client.ReadAnswer(true);
  EXPECT_NE(head.head.find("Content-Length: 7"), std::string::npos);
  EXPECT_EQ(client.Get("/hello").status, 200);  // no stray body of the HEAD answer
  client.Write("PATCH /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer().status, 405);
}

TEST_F(HttpServerTest, MalformedRequestsGet400AndClose) {
  Start();
  const std::string nul("GET /\0 HTTP/1.1\r\n\r\n", 20);
  for (std::string text :
       {std::string("garbage\r\n\r\n"), std::string("\x16\x03\x01\x02\x00\x01\xfc\x03\x03", 9),
        std::string("GET / HTTP/9.9\r\n\r\n"), std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        std::string("GET /%zz HTTP/1.1\r\n\r\n"), std::string("GET /%00 HTTP/1.1\r\n\r\n"),
        std::string("GET nothing HTTP/1.1\r\n\r\n"), nul,
        std::string("POST /size HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
        std::string("POST /size HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        std::string("POST /size HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: "
                    "chunked\r\n\r\n0\r\n\r\n"),
        std::string("POST /size HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
        std::string("GET / HTTP/1.1\r\nbad header\r\n\r\n")}) {
    RawClient client(port());
    client.Write(text);
    RawAnswer answer = client.ReadAnswer();
    EXPECT_EQ(answer.status, 400) << text;
    EXPECT_NE(answer.body.find("\"error\""), std::string::npos) << text;
    EXPECT_TRUE(client.ReadEnd()) << text;
  }
  EXPECT_EQ(RawClient(port()).Get("/hello").status, 200);
}

TEST_F(HttpServerTest, LimitsOfHeaderAndBody) {
  Start({.body_bytes_max = 100'000});
  {
    RawClient client(port());
    client.Write("GET /hello HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n");
    EXPECT_EQ(client.ReadAnswer().status, 431);
  }
  {
    RawClient client(port());  // refused before the body is sent
    client.Write("POST /size HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n");
    EXPECT_EQ(client.ReadAnswer().status, 413);
  }
  {
    RawClient client(port());  // refused though the client sends all of its 10 MB first
    client.Write(RawClient::PostText("/size", std::string(10 << 20, 'x')));
    EXPECT_EQ(client.ReadAnswer().status, 413);
  }
  {
    RawClient client(port());  // chunks do not say in advance
    std::string chunk = "8000\r\n" + std::string(0x8000, 'x') + "\r\n";
    client.Write("POST /size HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk +
                 chunk + chunk + "0\r\n\r\n");
    EXPECT_EQ(client.ReadAnswer().status, 413);
  }
  RawClient client(port());
  EXPECT_EQ(client.Post("/size", std::string(100'000, 'x')).body, "100000");
}

TEST_F(HttpServerTest, ChunkedBodiesByteByByte) {
  Start();
  RawClient client(port());
  std::string text =
      "POST /echo/c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nTrailer: t\r\n\r\n";
  for (char c : text) ASSERT_TRUE(client.Write({&c, 1}));
  EXPECT_EQ(client.ReadAnswer().body, "c:abcd");
  EXPECT_EQ(client.Get("/hello").status, 200);
}

TEST_F(HttpServerTest, ExpectContinue) {
  Start();
  RawClient client(port());
  client.Write("POST /echo/c HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_TRUE(client.ReadUntil("100 Continue\r\n\r\n"));
  client.Write("ok");
  EXPECT_EQ(client.ReadAnswer().body, "c:ok");
}

TEST_F(HttpServerTest, HalfClosedClientsGetTheirAnswer) {
  Start();
  RawClient client(port());
  client.Write("GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n");
  client.HalfClose();
  WaitForWaiting(1);
  waiting_[0].Send(Result<std::string>(std::string("late")));
  EXPECT_EQ(client.ReadAnswer().body, "late");
  EXPECT_TRUE(client.ReadEnd());

  RawClient cut(port());
  cut.Write("POST /echo/x HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
  cut.HalfClose();
  EXPECT_EQ(cut.ReadAnswer().status, 400);
}

TEST_F(HttpServerTest, SlowAndIdleClientsAreSentAway) {
  Start({.idle_timeout_ms = 300, .io_timeout_ms = 300});
  RawClient idle(port());
  EXPECT_TRUE(idle.ReadEnd());
  RawClient slow(port());
  bool open = true;
  for (int i = 0; i < 1200 && open; i++) {  // a byte now and then does not help
    open = slow.Write("G") && !slow.ReadUntil("408", 50);
  }
  EXPECT_FALSE(open);
}

TEST_F(HttpServerTest, HandlersThatThrowOrForget) {
  Start();
  RawClient client(port());
  EXPECT_EQ(client.Get("/throw").status, 500);
  RawAnswer forgotten = client.Get("/forget");
  EXPECT_EQ(forgotten.status, 500);
  EXPECT_NE(forgotten.body.find("unanswered"), std::string::npos);
  EXPECT_EQ(client.Get("/hello").status, 200);
}

TEST_F(HttpServerTest, TooManyConnections) {
  Start({.connections_max = 3});
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 3; i++) {
    clients.push_back(std::make_unique<RawClient>(port()));
    ASSERT_EQ(clients.back()->Get("/hello").status, 200);
  }
  RawClient more(port());
  RawAnswer answer = more.ReadAnswer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.head.find("Retry-After"), std::string::npos);
  EXPECT_EQ(clients[0]->Get("/hello").status, 200);
}

TEST_F(HttpServerTest, HundredsOfConnections) {
  Start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 400; i++) {
    clients.push_back(std::make_unique<RawClient>(port()));
    ASSERT_TRUE(clients.back()->connected());
    clients.back()->Write(RawClient::PostText("/echo/n", std::to_string(i)));
  }
  for (int i = 0; i < 400; i++) {
    EXPECT_EQ(clients[static_cast<size_t>(i)]->ReadAnswer().body, "n:" + std::to_string(i));
  }
}

TEST_F(HttpServerTest, AnswersFromOtherThreadsAndToClientsThatLeft) {
  Start();
  {
    RawClient gone(port());
    gone.Write("GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n");
    WaitForWaiting(1);
  }
  RawClient client(port());
  client.Write("GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n");
  WaitForWaiting(2);
  std::thread([this] {
    for (const Responder& responder : waiting_) {
      responder.Send(Result<std::string>(std::string("once")));
      responder.Send(Result<std::string>(std::string("twice")));
    }
  }).join();
  EXPECT_EQ(client.ReadAnswer().body, "once");
  EXPECT_EQ(client.Get("/hello").body, "hello ");
}

TEST_F(HttpServerTest, OtherSitesAreKeptAway) {
  Start({.allowed_hosts = {"stream.example"}});
  RawClient client(port());
  EXPECT_EQ(client.Post("/api/act", "{}").status, 200);
  EXPECT_EQ(client.Post("/api/act", "{}", "Origin: http://localhost\r\n").status, 200);
  EXPECT_EQ(client.Post("/api/act", "{}", "Origin: http://evil.example\r\n").status, 403);
  RawClient other(port());
  other.Write("POST /api/act HTTP/1.1\r\nHost: evil.example:80\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(other.ReadAnswer().status, 403);
  RawClient named(port());
  named.Write("POST /api/act HTTP/1.1\r\nHost: stream.example\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(named.ReadAnswer().status, 200);
}

TEST_F(HttpServerTest, StreamsUntilTheClientFallsBehind) {
  Start({.stream_buffer_bytes_max = 1 << 20});
  RawClient client(port(), 4096);
  client.Write("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(client.ReadUntil("\r\n\r\n"));
  // The head can arrive before the handler has stored its end of the stream.
  for (int i = 0; i < 6000 && !std::atomic_load(&stream_); i++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(stream_);
  ASSERT_TRUE(stream_->Write(std::make_shared<const std::string>("first\n")));
  EXPECT_TRUE(client.ReadUntil("first\n"));
  auto block = std::make_shared<const std::string>(100'000, 'x');
  bool taken = true;
  for (int i = 0; i < 1000 && taken; i++) taken = stream_->Write(block);
  EXPECT_FALSE(taken);
  EXPECT_TRUE(stream_->Closed());

  RawClient leaving(port());
  leaving.Write("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(leaving.ReadUntil("\r\n\r\n"));
  leaving.Close();
  for (int i = 0; i < 12'000 && !stream_->Closed(); i++) std::this_thread::sleep_for(5ms);
  EXPECT_TRUE(stream_->Closed());
}

TEST_F(HttpServerTest, ShutdownFinishesWhatIsInFlight) {
  Start();
  RawClient waiting(port());
  waiting.Write("GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n");
  RawClient idle(port());
  ASSERT_EQ(idle.Get("/hello").status, 200);
  RawClient beginning(port());
  ASSERT_EQ(beginning.Get("/hello").status, 200);
  beginning.Write("GET /hello HTTP/1.1\r\nHo");
  RawClient polling(port());
  ASSERT_EQ(polling.Get("/hello").status, 200);
  WaitForWaiting(1);
  std::this_thread::sleep_for(500ms);  // for the half request to arrive
  std::thread stopper([this] { EXPECT_EQ(server_->Shutdown(60'000), 0); });
  while (polling.Get("/hello").status == 200) {
  }
  beginning.Write("st: localhost\r\n\r\n");
  EXPECT_EQ(beginning.ReadAnswer().status, 503);
  EXPECT_TRUE(idle.ReadEnd());
  waiting_[0].Send(Result<std::string>(std::string("done")));
  RawAnswer answer = waiting.ReadAnswer();
  EXPECT_EQ(answer.body, "done");
  EXPECT_NE(answer.head.find("Connection: close"), std::string::npos);
  EXPECT_TRUE(waiting.ReadEnd());
  stopper.join();
  EXPECT_FALSE(RawClient(port()).connected());
}

TEST_F(HttpServerTest, ShutdownGivesUpAfterTheGrace) {
  Start();
  RawClient waiting(port());
  waiting.Write("GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n");
  WaitForWaiting(1);
  EXPECT_EQ(server_->Shutdown(300), 1);
  EXPECT_EQ(server_->Shutdown(300), 0);
  waiting_[0].Send(Response{});  // too late, and harmless
  EXPECT_TRUE(waiting.ReadEnd());
}

TEST(HttpServer, AddressesThatCannotBe) {
  auto bad = HttpServer::Start({.address = "nowhere"}, Router());
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().code(), Code::kInvalidArgument);
  auto first = HttpServer::Start({}, Router());
  ASSERT_TRUE(first.ok());
  auto second = HttpServer::Start({.port = (*first)->port()}, Router());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace millrace::serve
