// E-mail, in conversation with a real mail server, which reads the messages with a parser of its
// own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "project/alerter.h"
#include "project/project_fixture.h"
#include "tests/support/free_port.h"
#include "tests/support/mail_server.h"

namespace millrace::project {
namespace {

using test::MailServer;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

MailSettings SettingsFor(const MailServer& server) {
  MailSettings settings;
  settings.host = "127.0.0.1";
  settings.port = server.port();
  settings.tls = MailTls::kNone;
  settings.from = "millrace@shop.example";
  settings.to = {"oncall@shop.example"};
  return settings;
}

MailMessage Message(const std::string& to) {
  MailMessage message;
  message.from = "millrace@shop.example";
  message.to = to;
  message.subject = "orders";
  message.text = "it is late\n";
  message.time_ms = 1'772'359'200'000;
  message.id = "1@shop.example";
  return message;
}

TEST(MailSender, SendsOverTlsWithALoginWhatIsReadAsItWas) {
  if (!MailServer::Available()) GTEST_SKIP() << "no mail server: run scripts/setup.sh";
  auto server = MailServer::Start({.starttls = true, .user = "millrace", .password = "hush"});
  ASSERT_NE(server, nullptr);
  MailSettings settings = SettingsFor(*server);
  settings.tls = MailTls::kStartTls;
  settings.ca_file = server->ca_file();
  settings.user = "millrace";
  settings.password = "hush";
  MailMessage message = Message("oncall@shop.example");
  std::string crowd;
  for (int i = 0; i < 60; i++) crowd += "Größe";
  message.subject = "late\r\nBcc: all@shop.example\r\n\r\n" + crowd;
  message.text = ".\n..two\n" + std::string(2'000, 'x') + "\n" + crowd + "\n";
  message.answers_to = "0@shop.example";
  const Status sent = MailSender(settings).Send(message);
  ASSERT_TRUE(sent.ok()) << sent.ToString();
  ASSERT_EQ(server->Taken().size(), 1u);
  EXPECT_THAT(
      server->Taken()[0],
      AllOf(HasSubstr(R"("from": "millrace@shop.example", "to": ["oncall@shop.example"])"),
            HasSubstr(R"("tls": true, "user": "millrace")"), HasSubstr(R"("defects": [])"),
            HasSubstr("\"Subject\": \"late  Bcc: all@shop.example    " + crowd + "\""),
            HasSubstr(R"("Date": "Sun, 01 Mar 2026 10:00:00 +0000")"),
            HasSubstr(R"("Message-ID": "<1@shop.example>")"),
            HasSubstr(R"("In-Reply-To": "<0@shop.example>")"),
            HasSubstr(R"("text": ".\n..two\n)" + std::string(2'000, 'x') + "\\n" + crowd + "\\n"),
            Not(HasSubstr("\"Bcc\""))));
  const std::string seen = server->Taken()[0];
  EXPECT_LE(std::stoi(seen.substr(seen.find("longest_line") + 15)), 76);
}

TEST(MailSender, SaysWhetherItIsWorthAnotherTry) {
  if (!MailServer::Available()) GTEST_SKIP() << "no mail server: run scripts/setup.sh";
  auto open = MailServer::Start({});
  ASSERT_NE(open, nullptr);
  const MailSettings plain = SettingsFor(*open);
  auto refusal = [](const MailSettings& settings, const std::string& to) {
    return MailSender(settings).Send(Message(to));
  };
  Status status = refusal(plain, "nobody@shop.example");
  EXPECT_EQ(status.retry(), Retry::kNever) << status.ToString();
  EXPECT_THAT(status.message(), HasSubstr("550 5.1.1 no such mailbox"));
  status = refusal(plain, "later@shop.example");
  EXPECT_EQ(status.retry(), Retry::kBackoff) << status.ToString();
  EXPECT_THAT(status.message(), HasSubstr("451 4.7.1 come again later"));
  // It offers no STARTTLS: nothing goes out in the clear.
  MailSettings settings = plain;
  settings.tls = MailTls::kStartTls;
  status = refusal(settings, "oncall@shop.example");
  EXPECT_EQ(status.code(), Code::kUnavailable) << status.ToString();
  EXPECT_THAT(open->Taken(), IsEmpty());

  auto guarded = MailServer::Start({.starttls = true, .user = "millrace", .password = "hush"});
  ASSERT_NE(guarded, nullptr);
  settings = SettingsFor(*guarded);
  settings.tls = MailTls::kStartTls;
  settings.user = "millrace";
  settings.password = "wrong-one";
  status = refusal(settings, "oncall@shop.example");
  EXPECT_EQ(status.code(), Code::kUnavailable) << status.ToString();
  EXPECT_THAT(status.message(), HasSubstr("certificate")) << "nobody vouches for it";
  settings.ca_file = guarded->ca_file();
  status = refusal(settings, "oncall@shop.example");
  EXPECT_EQ(status.retry(), Retry::kNever) << status.ToString();
  EXPECT_THAT(status.ToString(), AllOf(HasSubstr("535"), Not(HasSubstr("wrong-one"))));
  EXPECT_THAT(guarded->Taken(), IsEmpty());
  settings.port = test::FreePort();
  EXPECT_EQ(refusal(settings, "oncall@shop.example").retry(), Retry::kBackoff);
}

TEST(MailSender, KnowsAnAddress) {
  for (const char* good : {"a@b", "first.last+tag@mail.example.org"}) {
    EXPECT_TRUE(IsMailAddress(good)) << good;
  }
  for (const char* bad : {"", "@", "a@", "@b", "a", "a@b@c", "A <a@b>", "a b@c", "a@b\r\nDATA",
                          "a@b>", "a,b@c", "gr\xc3\xb6\xc3\x9f@e"}) {
    EXPECT_FALSE(IsMailAddress(bad)) << bad;
  }
}

// One address is refused, one has to be asked again, one takes it at once: each by itself.
TEST(Alerts, GoOutByMail) {
  if (!MailServer::Available()) GTEST_SKIP() << "no mail server: run scripts/setup.sh";
  auto server = MailServer::Start({});
  ASSERT_NE(server, nullptr);
  TempDirectory directory;
  setenv("ALERT_MAIL_HOST", "127.0.0.1", 1);
  Write(directory.path() + "/millrace.yml",
        fmt::format("name: shop\nalerts:\n  email: {{host: \"${{env:ALERT_MAIL_HOST}}\", port: {}, "
                    "tls: none, from: millrace@shop.example, to: [nobody@shop.example, "
                    "later@shop.example, oncall@shop.example]}}\n",
                    server->port()));
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  auto alerter = Alerter::Start(*runtime);
  ASSERT_TRUE(alerter.ok()) << alerter.status().ToString();
  ReconcileResult result;
  result.name = "orders";
  result.error = "table \"orders\" does not exist";
  (*alerter)->OnReconciled(result);
  auto taken_by = [&](const std::string& to) {
    std::vector<std::string> messages;
    for (const std::string& message : server->Taken()) {
      if (message.find("\"to\": [\"" + to + "\"]") != std::string::npos) {
        messages.push_back(message);
      }
    }
    return messages;
  };
  const std::string late = "later@shop.example", prompt = "oncall@shop.example";
  while (taken_by(late).empty() || taken_by(prompt).empty()) usleep(20'000);
  result.ok = true;
  (*alerter)->OnReconciled(result);
  (*alerter)->Finish();
  for (const std::string& to : {late, prompt}) {
    EXPECT_THAT(
        taken_by(to),
        ElementsAre(AllOf(HasSubstr(R"("Subject": "[shop] reconcile_failed: orders")"),
                          HasSubstr("state: firing"), HasSubstr("could not be asked"),
                          Not(HasSubstr("In-Reply-To"))),
                    AllOf(HasSubstr(R"("Subject": "[shop] over: reconcile_failed: orders")"),
                          HasSubstr("state: resolved"), HasSubstr("In-Reply-To"))));
  }
  EXPECT_THAT(taken_by("nobody@shop.example"), IsEmpty());
}

}  // namespace
}  // namespace millrace::project
