#include "format/format_options.h"

#include <gtest/gtest.h>

#include "format/decoder.h"
#include "format/encoder.h"

namespace millrace::format {
namespace {

const model::Schema kSchema = {{{"v", duckdb::LogicalType::INTEGER}}};

TEST(FormatOptions, UnknownNamesAreRefusedWithASuggestion) {
  auto made = NewDecoder({"json", kSchema, {0}, {{"json.ignore-parse-error", "true"}}});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.status().code(), Code::kUnknownOption);
  EXPECT_EQ(made.status().message(),
            "option \"json.ignore-parse-error\" does not exist in format \"json\"");
  EXPECT_TRUE(made.status().hint().starts_with("did you mean \"json.ignore-parse-errors\"?"));
  EXPECT_EQ(NewEncoder("csv", kSchema, {{"json.ignore-parse-errors", "true"}}).status().code(),
            Code::kUnknownOption);
}

TEST(FormatOptions, UnknownFormatsAreRefusedWithTheList) {
  auto made = NewEncoder("jsn", kSchema, {});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.status().code(), Code::kUnknownOption);
  EXPECT_EQ(made.status().ToString().find("did you mean \"json\"?") == std::string::npos, false);
}

TEST(FormatOptions, ValuesAreChecked) {
  const FormatSpec& json = **FindFormat("json");
  EXPECT_EQ(ParseFormatOptions(json, {{"json.ignore-parse-errors", "yes"}}).status().code(),
            Code::kBadOption);
  EXPECT_EQ(ParseFormatOptions(json, {{"json.timestamp-format.standard", "RFC"}}).status().code(),
            Code::kBadOption);
  auto parsed = ParseFormatOptions(
      json, {{"json.timestamp-format.standard", "iso-8601"}, {"json.ignore-parse-errors", "TRUE"}});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->GetString("json.timestamp-format.standard"), "ISO-8601");
  EXPECT_TRUE(parsed->GetBool("json.ignore-parse-errors"));
  EXPECT_FALSE(parsed->GetBool("json.fail-on-missing-field"));
  EXPECT_EQ(
      NewDecoder({"json",
                  kSchema,
                  {0},
                  {{"json.ignore-parse-errors", "true"}, {"json.fail-on-missing-field", "true"}}})
          .status()
          .code(),
      Code::kBadOption);
}

TEST(FormatOptions, EveryDefaultIsAValidValueAndEveryOptionIsDescribed) {
  for (const FormatSpec& spec : AllFormats()) {
    EXPECT_FALSE(spec.summary.empty());
    for (const model::OptionSpec& option : spec.options) {
      EXPECT_TRUE(option.name.starts_with(spec.name + ".")) << option.name;
      EXPECT_FALSE(option.doc.empty()) << option.name;
      if (option.default_value) {
        EXPECT_TRUE(ParseFormatOptions(spec, {{option.name, *option.default_value}}).ok());
      }
    }
  }
}

}  // namespace
}  // namespace millrace::format
