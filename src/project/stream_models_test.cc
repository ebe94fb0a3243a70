// Stream models: the jobs' tables equal the models computed as a batch; errors point into
// templates.
#include "project/project_fixture.h"

namespace millrace::project {
namespace {

constexpr const char* kOrders = R"(
CREATE TABLE orders (id BIGINT, country STRING, price INT, at TIMESTAMP(3),
  WATERMARK FOR at AS at - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'orders.csv', 'format' = 'csv', 'csv.null-literal' = 'NULL');
)";

constexpr const char* kSources = R"(
version: 2
sources:
  - {name: shop, tables: [{name: orders}]}
)";

struct ModelFile {
  std::string name, text;
};

void WriteProject(const std::string& directory, const std::string& settings,
                  const std::vector<ModelFile>& models) {
  std::filesystem::create_directories(directory + "/models");
  Write(directory + "/sql/tables.sql", settings + kOrders);
  Write(directory + "/dbt_project.yml", "name: shop\nversion: '1.0'\nprofile: shop\n");
  Write(directory + "/models/sources.yml", kSources);
  for (const ModelFile& model : models) {
    Write(directory + "/models/" + model.name + ".sql", model.text);
  }
}

class StreamModels : public ::testing::TestWithParam<Way> {};

TEST_P(StreamModels, EqualTheirBatch) {
  TempDirectory directory;
  std::mt19937 random(7);
  std::string rows;
  for (int i = 0; i < 500; i++) {
    const char* countries[] = {"DE", "FR", "IT", "NULL"};
    rows += fmt::format("{},{},{},2024-01-01 00:{:02}:{:02}\n", i % 400, countries[random() % 4],
                        random() % 100, i / 60, i % 60);
  }
  Write(directory.path() + "/orders.csv", rows);
  WriteProject(
      directory.path(), SettingsOf(GetParam()),
      {{"by_country",
        "{{ config(materialized='stream', unique_key='country') }}\n"
        "SELECT COALESCE(country, '?') AS country, COUNT(*) AS n, SUM(price) AS total\n"
        "FROM {{ source('shop', 'orders') }} GROUP BY COALESCE(country, '?')\n"},
       {"large",
        "{{ config(materialized='stream') }}\n"
        "SELECT id, country, price FROM {{ ref('checked') }} WHERE price > {{ var('large', 50) "
        "}};\n"},
       {"checked",
        "{{ config(materialized='ephemeral') }}\n"
        "SELECT * FROM {{ source('shop', 'orders') }} WHERE id >= 10\n"},
       {"large_ids",
        "{{ config(materialized='stream', unique_key=['id'], alias='ids_of_large') }}\n"
        "WITH named AS (SELECT id FROM {{ ref('large') }}) SELECT id, COUNT(*) AS n FROM named\n"
        "GROUP BY id"}});
  RestartOnTheWay(GetParam(), directory.path(), random);
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  const std::string orders = fmt::format(
      "(SELECT * FROM read_csv('{}/orders.csv', header = false, nullstr = 'NULL', columns = "
      "{{'id': 'BIGINT', "
      "'country': 'VARCHAR', 'price': 'INT', 'at': 'TIMESTAMP'}}))",
      directory.path());
  const std::string large = "(SELECT * FROM " + orders + " WHERE id >= 10 AND price > 50)";
  const std::pair<std::string, std::string> pairs[] = {
      {"by_country",
       "SELECT coalesce(country, '?'), count(*), sum(price) FROM " + orders + " GROUP BY 1"},
      {"large", "SELECT id, country, price FROM " + large},
      {"ids_of_large", "SELECT id, count(*) FROM " + large + " GROUP BY 1"}};
  for (const auto& [table, batch] : pairs) {
    const auto found = Rows(*runtime, "SELECT * FROM " + table);
    EXPECT_EQ(found, Rows(*runtime, batch)) << table;
    EXPECT_FALSE(found.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, StreamModels, ::testing::ValuesIn(kEveryWay));

TEST(StreamModelFaults, PointIntoTheTemplate) {
  struct Case {
    std::string model, message;
    int line;
  };
  const Case cases[] = {
      {"{{ config(materialized='stream') }}\n{% set x = 1 %}\nSELECT id,\n  nobody\nFROM {{ "
       "source('shop', 'orders') }}",
       "nobody", 4},
      {"{{ config(materialized='stream') }}\nSELECT country, COUNT(*) AS n\nFROM {{ source('shop', "
       "'orders') }}\nGROUP BY country, nowhere",
       "nowhere", 4},
      {"{{ config(materialized='stream') }}\n\nSELECT id FROM {{ ref('kept') }}",
       "a stream cannot read \"kept\"", 3},
      {"{{ config(materialized='stream', schema='other') }}\nSELECT 1 AS a", "schema", 1},
  };
  for (const Case& one : cases) {
    TempDirectory directory;
    WriteProject(
        directory.path(), "",
        {{"broken", one.model}, {"kept", "{{ config(materialized='table') }} select 1 as id"}});
    std::vector<Status> faults;
    auto project = Project::Load(directory.path(), "", faults);
    if (faults.empty()) faults = project->Validate();
    ASSERT_FALSE(faults.empty()) << one.model;
    EXPECT_NE(faults[0].ToString().find(one.message), std::string::npos) << faults[0].ToString();
    EXPECT_TRUE(faults[0].span().file.ends_with("models/broken.sql")) << faults[0].ToString();
    EXPECT_EQ(faults[0].span().line, one.line) << faults[0].ToString();
  }
}

}  // namespace
}  // namespace millrace::project
