// Alerts: told once while something lasts, and once when it is over, to whoever millrace.yml names,
// also when those do not answer for a while.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <mutex>

#include "project/alert_book.h"
#include "project/alerter.h"
#include "project/project_fixture.h"
#include "tests/support/http_service.h"

namespace millrace::project {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> News(AlertBook& book) {
  std::vector<std::string> texts;
  for (const Alert& alert : book.TakeNews()) texts.push_back(alert.ToText("shop"));
  return texts;
}

TEST(AlertBook, TellsOnceWhileItLasts) {
  AlertBook book;
  book.Note("reconcile_failed", "orders", std::nullopt, 1'000);
  EXPECT_THAT(News(book), IsEmpty());
  book.Note("reconcile_failed", "orders", "3 missing", 2'000);
  book.Note("reconcile_failed", "orders", "4 missing", 3'000);
  book.Note("reconcile_failed", "payments", "1 missing", 3'000);
  EXPECT_THAT(News(book), ElementsAre("shop: reconcile_failed orders: 3 missing",
                                      "shop: reconcile_failed payments: 1 missing"));
  book.Note("reconcile_failed", "orders", std::nullopt, 62'000);
  book.Note("reconcile_failed", "orders", std::nullopt, 63'000);
  book.Note("reconcile_failed", "orders", "5 missing", 64'000);
  EXPECT_THAT(News(book), ElementsAre("shop: over after 1 min 0 s: reconcile_failed orders",
                                      "shop: reconcile_failed orders: 5 missing"));
}

TEST(AlertBook, LooksAtJobs) {
  AlertBook book;
  job::JobStatus status;
  status.name = "totals";
  auto look = [&](job::JobState state, int64_t now_ms) {
    status.state = state;
    book.NoteJob(status, 60'000, now_ms);
    return News(book);
  };
  using State = job::JobState;
  EXPECT_THAT(look(State::kRunning, 0), IsEmpty());
  status.error = Status(Code::kUnavailable, "the database is away");
  status.error_since_ms = 100'000;
  EXPECT_THAT(look(State::kFailing, 159'999), IsEmpty());
  EXPECT_THAT(
      look(State::kFailing, 160'000),
      ElementsAre("shop: job_failing totals: job \"totals\" has been failing for 1 min 0 s: "
                  "the database is away"));
  EXPECT_THAT(look(State::kFailing, 500'000), IsEmpty());
  // Whoever stops and starts it has not mended it.
  EXPECT_THAT(look(State::kStopped, 500'000), IsEmpty());
  EXPECT_THAT(look(State::kStarting, 500'000), IsEmpty());
  EXPECT_THAT(look(State::kIdle, 520'000),
              ElementsAre("shop: over after 6 min 0 s: job_failing totals"));
  EXPECT_THAT(look(State::kFailed, 520'001), ElementsAre(HasSubstr("has ended by an error")));
  EXPECT_THAT(look(State::kRunning, 530'000), ElementsAre(HasSubstr("over after")));
  status.rows_missing = 2;
  status.ledger_gap = "stage #2 (TopN) lost 2 rows";
  EXPECT_THAT(look(State::kRunning, 540'000),
              ElementsAre("shop: ledger_gap totals: 2 rows of job \"totals\" do not add up: stage "
                          "#2 (TopN) lost 2 rows"));
  status.rows_missing = 3;
  EXPECT_THAT(look(State::kRunning, 540'001), IsEmpty());
}

// Takes what is posted; while busy it answers with that status instead.
class Pager {
 public:
  Pager() : service_([this](const test::HttpRequest& request) { return Take(request); }) {}
  std::string Url(const std::string& path) const { return service_.Url(path); }
  void Answer(int status) {
    std::lock_guard lock(mutex_);
    status_ = status;
  }
  // Bodies of those posted to `path`.
  std::vector<std::string> Taken(const std::string& path) {
    std::lock_guard lock(mutex_);
    std::vector<std::string> bodies;
    for (const test::HttpRequest& request : taken_) {
      if (request.head.starts_with("POST " + path + " ")) bodies.push_back(request.body);
    }
    return bodies;
  }
  std::string LastHead() {
    std::lock_guard lock(mutex_);
    return taken_.empty() ? "" : taken_.back().head;
  }
  int refused() {
    std::lock_guard lock(mutex_);
    return refused_;
  }

 private:
  test::HttpAnswer Take(const test::HttpRequest& request) {
    std::lock_guard lock(mutex_);
    if (status_ == 200) {
      taken_.push_back(request);
    } else {
      refused_++;
    }
    return {status_, "", 0};
  }
  std::mutex mutex_;
  int status_ = 200;
  int refused_ = 0;
  std::vector<test::HttpRequest> taken_;
  test::HttpService service_;
};

// False after a minute.
bool Eventually(const std::function<bool()>& done) {
  for (int i = 0; i < 1200; i++) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

// A job whose sink is away and comes back; a check that fails twice and then does not.
TEST(Alerts, ReachAWebhookAndSlackOnceEachAndSayWhenItIsOver) {
  Pager pager, sink;
  TempDirectory directory;
  setenv("ALERT_TOKEN", "hush", 1);
  setenv("ALERT_SLACK", pager.Url("/slack").c_str(), 1);
  Write(directory.path() + "/millrace.yml",
        "name: shop\nalerts:\n  failing-for: 100 ms\n  webhook: {url: \"" + pager.Url("/hook") +
            "\", token: \"${env:ALERT_TOKEN}\"}\n  slack: \"${env:ALERT_SLACK}\"\n");
  Write(directory.path() + "/sql/a.sql",
        "CREATE TABLE orders (k INT) WITH ('connector' = 'kafka', 'topic' = 'orders', "
        "'properties.bootstrap.servers' = 'x', 'format' = 'json', 'scan.startup.mode' = "
        "'earliest-offset');\nCREATE TABLE out (k INT) WITH ('connector' = 'webhook', 'url' = '" +
            sink.Url("/out") + "');\nINSERT INTO out SELECT k FROM orders;\n");
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  auto alerter = Alerter::Start(*runtime);
  ASSERT_TRUE(alerter.ok()) << alerter.status().ToString();
  ASSERT_NE(*alerter, nullptr);
  sink.Answer(503);
  pager.Answer(500);
  runtime->Start();
  Append(*runtime, "orders", 0, {R"({"k":1})"});
  // Told when the pager answers again.
  ASSERT_TRUE(Eventually([&] { return pager.refused() >= 2; }));
  EXPECT_THAT(pager.Taken("/hook"), IsEmpty());
  pager.Answer(200);
  ASSERT_TRUE(
      Eventually([&] { return !pager.Taken("/hook").empty() && !pager.Taken("/slack").empty(); }));
  EXPECT_THAT(
      pager.Taken("/hook"),
      ElementsAre(AllOf(HasSubstr(R"("alert":"job_failing","project":"shop","subject":"out")"),
                        HasSubstr(R"("state":"firing")"), HasSubstr("503"))));
  EXPECT_THAT(pager.Taken("/slack"),
              ElementsAre(HasSubstr(R"({"text":"shop: job_failing out: job \"out\" has been)")));
  sink.Answer(200);
  ASSERT_TRUE(Eventually([&] { return pager.Taken("/slack").size() == 2; }));
  ASSERT_TRUE(Eventually([&] { return pager.Taken("/hook").size() == 2; }));
  EXPECT_THAT(pager.Taken("/hook")[1], HasSubstr(R"("state":"resolved")"));
  EXPECT_THAT(pager.Taken("/slack")[1], HasSubstr("shop: over after"));

  ReconcileResult result;
  result.name = "orders";
  result.source_rows = 1000;
  result.destination_rows = 998;
  result.missing = 2;
  (*alerter)->OnReconciled(result);
  (*alerter)->OnReconciled(result);
  ASSERT_TRUE(Eventually([&] { return pager.Taken("/hook").size() == 3; }));
  EXPECT_THAT(pager.LastHead(), HasSubstr("POST /"));
  EXPECT_THAT(pager.Taken("/hook")[2],
              AllOf(HasSubstr(R"("alert":"reconcile_failed")"), HasSubstr("DO NOT AGREE")));
  // What is over just before the end is still told.
  result.ok = true;
  (*alerter)->OnReconciled(result);
  (*alerter)->Finish();
  runtime->Stop();
  ASSERT_EQ(pager.Taken("/hook").size(), 4u);
  EXPECT_THAT(pager.Taken("/hook")[3], AllOf(HasSubstr(R"("alert":"reconcile_failed")"),
                                             HasSubstr(R"("state":"resolved")")));
  EXPECT_EQ(pager.Taken("/slack").size(), 4u);
}

TEST(Alerts, SlackTakesNoTextForAMention) {
  Pager pager;
  auto channel = NewSlackChannel(pager.Url("/slack"), "shop");
  ASSERT_TRUE(channel.ok());
  Alert alert;
  alert.kind = "job_failing";
  alert.subject = "out";
  alert.text = "<!channel> & <@U1>";
  ASSERT_TRUE((*channel)->Send(alert).ok());
  EXPECT_THAT(pager.Taken("/slack"), ElementsAre(HasSubstr("&lt;!channel&gt; &amp; &lt;@U1&gt;")));
}

// A record that does not decode; then a sink that is away, so that its job falls behind.
TEST(Alerts, TellOfDeadLettersAndOfAJobThatIsBehind) {
  Pager pager, sink;
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml",
        "name: shop\nalerts:\n  failing-for: 1 h\n  dead-letters: [{within: 2 s}]\n"
        "  behind: [{records: 3, for: 0 s, job: out}, {time: 0 s, for: 0 s, job: nobody}]\n"
        "  webhook: {url: \"" +
            pager.Url("/hook") + "\"}\n");
  Write(directory.path() + "/sql/a.sql",
        "CREATE TABLE orders (k INT) WITH ('connector' = 'kafka', 'topic' = 'orders', "
        "'properties.bootstrap.servers' = 'x', 'format' = 'json', 'scan.startup.mode' = "
        "'earliest-offset');\nCREATE TABLE out (k INT) WITH ('connector' = 'webhook', 'url' = '" +
            sink.Url("/out") + "');\nINSERT INTO out SELECT k FROM orders;\n");
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  auto alerter = Alerter::Start(*runtime);
  ASSERT_TRUE(alerter.ok()) << alerter.status().ToString();
  runtime->Start();
  Append(*runtime, "orders", 0, {R"({"k":1})", R"({"k":)", R"({"k":2})"});
  ASSERT_TRUE(Eventually([&] { return pager.Taken("/hook").size() == 2; }));
  const std::string subject = R"("alert":"dead_letters","project":"shop","subject":"orders )";
  EXPECT_THAT(pager.Taken("/hook"),
              ElementsAre(AllOf(HasSubstr(subject + "(malformed) in out\",\"state\":\"firing\""),
                                HasSubstr("1 records of")),
                          AllOf(HasSubstr(subject), HasSubstr("\"state\":\"resolved\""))));
  sink.Answer(503);
  Append(*runtime, "orders", 0, {R"({"k":3})", R"({"k":4})", R"({"k":5})", R"({"k":6})"});
  ASSERT_TRUE(Eventually([&] { return pager.Taken("/hook").size() == 3; }));
  EXPECT_THAT(pager.Taken("/hook")[2],
              AllOf(HasSubstr(R"("alert":"job_behind","project":"shop","subject":"out")"),
                    HasSubstr("\"state\":\"firing\""), HasSubstr("4 records are not read")));
  sink.Answer(200);
  ASSERT_TRUE(Eventually([&] { return pager.Taken("/hook").size() == 4; }));
  EXPECT_THAT(pager.Taken("/hook")[3],
              AllOf(HasSubstr("job_behind"), HasSubstr("\"state\":\"resolved\"")));
  (*alerter)->Finish();
  runtime->Stop();
}

TEST(Alerts, TheTokenGoesToTheWebhookOnly) {
  Pager pager;
  TempDirectory directory;
  setenv("ALERT_TOKEN", "hush", 1);
  Write(directory.path() + "/millrace.yml",
        "name: shop\nalerts:\n  log: false\n  webhook: {url: \"" + pager.Url("/hook") +
            "\", token: \"${env:ALERT_TOKEN}\"}\n");
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  auto alerter = Alerter::Start(*runtime);
  ASSERT_TRUE(alerter.ok()) << alerter.status().ToString();
  ReconcileResult result;
  result.name = "orders";
  result.error = "table \"orders\" does not exist";
  (*alerter)->OnReconciled(result);
  (*alerter)->Finish();
  ASSERT_EQ(pager.Taken("/hook").size(), 1u);
  EXPECT_THAT(pager.LastHead(), HasSubstr("Authorization: Bearer hush"));
  EXPECT_THAT(pager.Taken("/hook")[0], HasSubstr("could not be asked"));
}

TEST(Alerts, SaysWhatIsWrongWithItsSettings) {
  auto fault = [](const std::string& yaml) {
    TempDirectory directory;
    Write(directory.path() + "/millrace.yml", "name: shop\nalerts:\n" + yaml);
    std::vector<Status> faults;
    (void)Project::Load(directory.path(), "", faults);
    return faults.empty() ? "" : faults[0].ToString();
  };
  EXPECT_EQ(fault("  failing-for: 5 min\n"), "");
  EXPECT_THAT(fault("  slack: \"https://hooks.example/T/1\"\n"), HasSubstr("by reference only"));
  EXPECT_THAT(fault("  webhook: {url: \"http://a/b\", token: hush}\n"),
              AllOf(HasSubstr("by reference only"), testing::Not(HasSubstr("hush"))));
  EXPECT_THAT(fault("  webhook: {}\n"), HasSubstr("needs a url"));
  EXPECT_EQ(fault("  dead-letters: [{}, {more-than: 5, within: 1 h, kind: late}]\n"), "");
  EXPECT_THAT(fault("  dead-letters: {more-than: 5}\n"), HasSubstr("a list of rules"));
  EXPECT_THAT(fault("  dead-letters: [{within: 2 d}]\n"), HasSubstr("from 1 s to 24 h"));
  EXPECT_THAT(fault("  dead-letters: [{kind: lat}]\n"), HasSubstr("did you mean \"late\"?"));
  EXPECT_EQ(fault("  behind: [{records: 5}, {time: 1 h, for: 0 s, job: totals}]\n"), "");
  EXPECT_THAT(fault("  behind: [{job: totals}]\n"), HasSubstr("needs a limit"));
  const std::string mail = "  email: {host: mail, from: a@shop.example, to: b@shop.example";
  EXPECT_EQ(fault(mail + ", user: a, password: \"${env:X}\"}\n"), "");
  EXPECT_THAT(fault(mail + ", password: hush}\n"),
              AllOf(HasSubstr("by reference only"), testing::Not(HasSubstr("hush"))));
  EXPECT_THAT(fault(mail + ", tls: none, password: \"${env:X}\"}\n"), HasSubstr("in the clear"));
  EXPECT_THAT(fault(mail + ", tls: ssl}\n"), HasSubstr("there is no tls \"ssl\""));
  EXPECT_THAT(fault("  email: {host: mail, from: a@b}\n"), HasSubstr("somebody to go to"));
  EXPECT_THAT(fault("  email: {from: a@b, to: a@b}\n"), HasSubstr("needs a host"));
  EXPECT_THAT(fault("  email: {host: mail, from: a, to: a@b}\n"), HasSubstr("is no address"));
  EXPECT_THAT(fault("  failing: 5 min\n"), HasSubstr("there is: \"failing-for\""));
  TempDirectory quiet;
  auto runtime = Open(quiet.path(), true);
  ASSERT_NE(runtime, nullptr);
  auto alerter = Alerter::Start(*runtime);
  ASSERT_TRUE(alerter.ok());
  EXPECT_EQ(*alerter, nullptr) << "without the key there are none";
}

}  // namespace
}  // namespace millrace::project
