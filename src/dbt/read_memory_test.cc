// A project is edited at random, and after each edit read with what earlier reads remember: it must
// be as one that is read from nothing, errors and all.
#include "dbt/read_memory.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "base/strings.h"
#include "dbt/artifacts.h"
#include "dbt/project.h"
#include "env/clock.h"

namespace millrace::dbt {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;  // by path below the project

constexpr int kModels = 12;

class EditedProject {
 public:
  explicit EditedProject(unsigned seed) : random_(seed) {
    root_ = fs::temp_directory_path() /
            fmt::format("millrace-edits-{}-{}", seed, env::Clock::System()->WallMicros());
    Apply(First());
  }
  ~EditedProject() { fs::remove_all(root_); }

  std::string root() const { return root_.string(); }

  // Some edits at once; gives what a watcher would name.
  std::vector<std::string> Edit() {
    Files next = files_;
    for (size_t n = 1 + Below(3); n > 0; n--) EditOne(next);
    return Apply(std::move(next));
  }
  // As `git checkout` of something that is whole.
  std::vector<std::string> Restore() { return Apply(First()); }
  std::vector<std::string> Write(const std::string& path, const std::string& text) {
    Files next = files_;
    next[path] = text;
    return Apply(std::move(next));
  }

 private:
  size_t Below(size_t n) { return random_() % n; }
  std::string Model() { return fmt::format("m{}", Below(kModels)); }

  std::string Sql(size_t reads_below) {
    std::string text;
    const char* kinds[] = {"view", "table", "ephemeral"};
    if (Below(2) == 0) {
      text += fmt::format("{{{{ config(materialized='{}', tags=['t{}']) }}}}\n", kinds[Below(3)],
                          Below(3));
    }
    text += "select {{ cents('a') }} as a, {{ var('first') }} as b";
    text += fmt::format(", '{{{{ doc(\"about\") }}}}' as c, {} as d\n", Below(100));
    if (reads_below == 0 || Below(3) == 0) {
      return text + fmt::format("from {{{{ source('raw', 't{}') }}}}\n", Below(2));
    }
    return text + fmt::format("from {{{{ ref('m{}') }}}}\n", Below(reads_below));
  }

  std::string Properties() {
    std::string text = "models:\n";
    for (int i = 0; i < kModels; i++) {
      if (Below(3) == 0) continue;
      text += fmt::format("  - name: m{}\n    description: about {}\n", i, Below(5));
      if (Below(4) == 0) text += fmt::format("    config: {{tags: [y{}]}}\n", Below(3));
      if (Below(8) == 0) text += "    config: {enabled: false}\n";
      text += "    columns:\n      - name: a\n        data_tests: [not_null";
      text += Below(2) == 0 ? ", {positive: {at_least: 3}}]\n" : "]\n";
    }
    return text;
  }

  std::string Macros() {
    std::string text = fmt::format(
        "{{% macro cents(x) %}}{{{{ x }}}} * {} {{{{ scale() }}}}{{% endmacro %}}\n"
        "{{% macro scale() %}}/ {}{{% endmacro %}}\n",
        Below(3), 1 + Below(3));
    if (Below(3) == 0) {
      text +=
          "{% macro generate_schema_name(name, node) %}{{ name or 'own' }}_{{ scale() | length "
          "}}{% endmacro %}\n";
    }
    return text;
  }

  std::string ProjectYaml() {
    std::string text = "name: shop\nversion: '1.0'\nprofile: shop\n";
    text += fmt::format("vars: {{first: {}}}\n", Below(3));
    if (Below(3) == 0) text += "models: {shop: {marts: {+schema: marts, +tags: [mart]}}}\n";
    if (Below(6) == 0) text += "model-paths: [models, more_models]\n";
    return text;
  }

  std::string Sources() {
    std::string text =
        fmt::format("sources:\n  - name: raw\n    schema: s{}\n    tables:\n", Below(3));
    text += "      - {name: t0, columns: [{name: a, data_tests: [unique]}]}\n      - name: t1\n";
    if (Below(3) == 0) text += fmt::format("        identifier: table_{}\n", Below(3));
    return text;
  }

  std::string Versions() {
    return fmt::format(
        "models:\n  - name: kept\n    latest_version: {}\n    columns: [{{name: a, data_tests: "
        "[unique]}}]\n    versions:\n      - v: 1\n      - v: 2\n        config: {{tags: "
        "[v{}]}}\n{}",
        1 + Below(2), Below(3),
        Below(2) == 0 ? "        columns: [{include: all, exclude: [a]}, {name: b}]\n" : "");
  }

  std::string UnitTests() {
    return fmt::format(
        "unit_tests:\n  - name: one\n    model: m0\n    given: [{{input: ref('numbers')}}]\n"
        "    expect: {{format: csv, fixture: rows}}\n    description: {}\n",
        Below(3));
  }

  Files First() {
    Files files = {
        {"dbt_project.yml", ProjectYaml()},
        {"profiles.yml",
         "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb}}}\n"},
        {"macros/values.sql", Macros()},
        {"models/docs.md", "{% docs about %} about it {% enddocs %}\n"},
        {"models/sources.yml", Sources()},
        {"models/staging/schema.yml", Properties()},
        {"models/unit_tests.yml", UnitTests()},
        {"models/versions.yml", Versions()},
        {"models/kept_v1.sql", "select 1 as a\n"},
        {"models/kept_v2.sql", "select 2 as a, 3 as b\n"},
        {"models/reads_kept.sql", "select * from {{ ref('kept') }}, {{ ref('kept', v=1) }}\n"},
        {"more_models/extra.sql", "select 1 as extra\n"},
        {"seeds/numbers.csv", "a,b\n1,2\n"},
        {"snapshots/past.sql", Snapshot()},
        {"snapshots/whole.yml",
         "snapshots:\n  - {name: whole, relation: \"source('raw', 't0')\", config: {unique_key: a, "
         "strategy: check, check_cols: all}}\n"},
        {"tests/adds_up.sql", "select * from {{ ref('m0') }} where {{ cents('a') }} < 0\n"},
        {"tests/fixtures/rows.csv", "a\n1\n"},
        {"tests/generic/positive.sql",
         "{% test positive(model, column_name, at_least) %}select * from {{ model }} where {{ "
         "column_name }} < {{ at_least }}{% endtest %}\n"},
        {"dbt_packages/tools/dbt_project.yml", "name: tools\nversion: '1.0'\n"},
        {"dbt_packages/tools/macros/half.sql", "{% macro half(x) %}{{ x }} / 2{% endmacro %}\n"},
        {"dbt_packages/tools/models/tool.sql", "select {{ half(8) }} as four\n"},
    };
    for (int i = 0; i < kModels; i++) {
      const char* folders[] = {"models/staging/", "models/marts/"};
      files[fmt::format("{}m{}.sql", folders[i % 2], i)] = Sql(static_cast<size_t>(i));
    }
    return files;
  }

  std::string Snapshot() {
    return fmt::format(
        "{{% snapshot past %}}\n{{{{ config(target_schema='h{}', unique_key='a', strategy='check', "
        "check_cols='all') }}}}\nselect * from {{{{ ref('m1') }}}}\n{{% endsnapshot %}}\n"
        "{{% macro only_here() %}}x{{% endmacro %}}\n",
        Below(3));
  }

  void Rename(Files& files, const std::string& from, const std::string& to) {
    Files renamed;
    for (auto& [path, text] : files) {
      renamed[path.starts_with(from) ? to + path.substr(from.size()) : path] = text;
    }
    files = std::move(renamed);
  }

  void EditOne(Files& files) {
    const std::string model = Model();
    const std::string path = (Below(2) == 0 ? "models/staging/" : "models/marts/") + model + ".sql";
    const char* breaks[] = {"{{ config(", "{% if %}", "models: [", "- a\n b: c\n",
                            "{{ nobody() }}"};
    switch (Below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        for (auto& [name, text] : files) {
          if (name.ends_with("/" + model + ".sql")) text = Sql(Below(kModels));
        }
        return;
      case 5:
        files[path] = Sql(Below(kModels));  // may be there twice now
        return;
      case 6:
        files.erase(path);
        return;
      case 7:
        return Rename(files, path, "models/marts/other_" + model + ".sql");
      case 8:
        return Below(2) == 0 ? Rename(files, "models/marts/", "models/shops/")
                             : Rename(files, "models/shops/", "models/marts/");
      case 9:
      case 10:
        files["models/staging/schema.yml"] = Properties();
        return;
      case 11:
        files["models/sources.yml"] = Sources();
        return;
      case 12:
        files["macros/values.sql"] = Macros();
        return;
      case 13:
        files["dbt_project.yml"] = ProjectYaml();
        return;
      case 14:
        files["seeds/numbers.csv"] = fmt::format("a,b\n1,{}\n", Below(5));
        files["tests/fixtures/rows.csv"] = fmt::format("a\n{}\n", Below(5));
        return;
      case 15:
        files["snapshots/past.sql"] = Snapshot();
        return;
      case 16:
        files["models/docs.md"] = fmt::format("{{% docs about %}}{}{{% enddocs %}}\n", Below(3));
        return;
      case 17:
        files["dbt_packages/tools/macros/half.sql"] =
            fmt::format("{{% macro half(x) %}}{{{{ x }}}} / {}{{% endmacro %}}\n{}", Below(3),
                        Below(2) == 0 ? "{% macro scale() %}package's{% endmacro %}\n" : "");
        return;
      case 18:
        files["models/unit_tests.yml"] = UnitTests();
        files["models/versions.yml"] = Versions();
        return;
      default: {
        auto broken = files.begin();
        std::advance(broken, static_cast<std::ptrdiff_t>(Below(files.size())));
        broken->second += breaks[Below(5)];
      }
    }
  }

  std::vector<std::string> Apply(Files next) {
    std::vector<std::string> touched;
    for (const auto& [path, text] : files_) {
      if (next.contains(path)) continue;
      fs::remove(root_ / path);
      // A watcher names a directory that went, not its files.
      fs::path gone = root_ / path;
      while (fs::is_empty(gone.parent_path())) {
        gone = gone.parent_path();
        fs::remove(gone);
      }
      touched.push_back(gone.string());
    }
    for (const auto& [path, text] : next) {
      auto old = files_.find(path);
      if (old != files_.end() && old->second == text) continue;
      fs::create_directories((root_ / path).parent_path());
      std::ofstream(root_ / path) << text;
      touched.push_back((root_ / path).string());
    }
    files_ = std::move(next);
    return touched;
  }

  std::mt19937 random_;
  fs::path root_;
  Files files_;
};

// What a read says: the manifest, but for when and which run that was; or the error.
std::string Said(const Result<std::unique_ptr<Project>>& project) {
  if (!project.ok()) return project.status().ToString();
  Value manifest = Manifest(**project);
  manifest.Set("metadata", Value());
  return manifest.ToJson();
}

class RandomEdits : public ::testing::TestWithParam<unsigned> {};

TEST_P(RandomEdits, AreReadAsFromNothing) {
  EditedProject project(GetParam());
  ProjectOptions options;
  options.directory = project.root();
  ReadMemory memory;
  int whole = 0, broken = 0, since_whole = 0, one_by_one = 0;
  for (int step = 0; step < 60; step++) {
    const std::vector<std::string> touched = since_whole < 3 ? project.Edit() : project.Restore();
    for (const std::string& path : touched) memory.Forget(path);
    auto remembered = memory.Load(options);
    ASSERT_EQ(Said(remembered), Said(Project::Load(options)))
        << "step " << step << ": " << Join(touched, ", ");
    (remembered.ok() ? whole : broken)++;
    since_whole = remembered.ok() ? 0 : since_whole + 1;
    if (remembered.ok() && memory.rendered() < (*remembered)->nodes.size() / 2) one_by_one++;
  }
  // Else the test says nothing.
  EXPECT_GT(whole, 10);
  EXPECT_GT(broken, 5);
  EXPECT_GT(one_by_one, 5);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomEdits, ::testing::Range(1U, 5U));

TEST(ReadMemory, RendersWhatChangedAndNoMore) {
  EditedProject project(1);
  ProjectOptions options;
  options.directory = project.root();
  ReadMemory memory;
  auto read = [&](const std::vector<std::string>& touched) {
    for (const std::string& path : touched) memory.Forget(path);
    auto loaded = memory.Load(options);
    EXPECT_TRUE(loaded.ok()) << loaded.status().ToString();
    return memory.rendered();
  };
  const size_t all = read({});
  EXPECT_GT(all, kModels);
  EXPECT_EQ(read({}), 0U);
  EXPECT_EQ(read(project.Write("models/marts/m11.sql", "select 1 as a\n")), 1U);
  EXPECT_EQ(read(project.Write("models/marts/new.sql", "select 1 as a\n")), 1U);
  EXPECT_EQ(read(project.Write("seeds/numbers.csv", "a,b\n1,3\n")), 1U);
  // A macro may be asked for anywhere, even by asking whether it is there.
  EXPECT_GE(read(project.Write("macros/more.sql", "{% macro more() %}{% endmacro %}\n")), all);
  EXPECT_TRUE(memory.trees().contains(project.root() + "/models"));
  EXPECT_TRUE(memory.directories().contains(project.root()));
}

}  // namespace
}  // namespace millrace::dbt
