// Options of a table, checked against the connector's spec. Names in a spec may hold wildcards:
// "properties.*" takes every option with that prefix, "fields.#.min" one part between dots.
#include <algorithm>
#include <charconv>

#include "base/strings.h"
#include "base/units.h"
#include "connectors/connector.h"
#include "format/decoder.h"
#include "format/format_options.h"
#include "model/masking.h"

namespace millrace::connectors {

namespace {

bool Matches(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with(".*")) {
    pattern.remove_suffix(1);
    return name.size() > pattern.size() && name.starts_with(pattern);
  }
  const size_t hash = pattern.find('#');
  if (hash == std::string_view::npos) return pattern == name;
  const std::string_view before = pattern.substr(0, hash), after = pattern.substr(hash + 1);
  return name.size() > before.size() + after.size() && name.starts_with(before) &&
         name.ends_with(after);
}

bool HasWildcard(std::string_view pattern) {
  return pattern.ends_with(".*") || pattern.find('#') != std::string_view::npos;
}

// 'format', its relatives and every option that begins with a format that the table names.
bool BelongsToFormat(const std::string& name, const std::map<std::string, std::string>& given) {
  static const char* const kFixed[] = {"format", "key.format", "key.fields", "value.format",
                                       "value.fields-include"};
  if (std::find(std::begin(kFixed), std::end(kFixed), name) != std::end(kFixed)) return true;
  for (const char* which : {"format", "key.format", "value.format"}) {
    auto format = given.find(which);
    if (format == given.end()) continue;
    const std::string prefix = format->second + ".";
    if (name.starts_with(prefix) || name.starts_with("key." + prefix) ||
        name.starts_with("value." + prefix)) {
      return true;
    }
  }
  return false;
}

bool ParsesAsInt(const std::string& text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool ParsesAsDouble(const std::string& text) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool IsBool(const std::string& text) {
  return EqualsIgnoreCase(text, "true") || EqualsIgnoreCase(text, "false");
}

Status BadValue(const OptionSpec& option, const std::string& name, const std::string& value,
                const std::string& wanted) {
  const std::string shown =
      option.secret ? "(secret)" : "\"" + model::ShownValue(name, value) + "\"";
  Status status(Code::kBadOption,
                "option \"" + name + "\" has the value " + shown + ", which is not " + wanted);
  return option.example.empty()
             ? status
             : std::move(status).WithHint("for example '" + option.example + "'");
}

Status CheckValue(const OptionSpec& option, const std::string& name, const std::string& value) {
  switch (option.type) {
    case OptionType::kString:
      if (option.required && value.empty()) {
        return BadValue(option, name, value, "allowed to be empty");
      }
      return Status::Ok();
    case OptionType::kBool:
      if (!IsBool(value)) return BadValue(option, name, value, "true or false");
      return Status::Ok();
    case OptionType::kInt:
      if (!ParsesAsInt(value)) return BadValue(option, name, value, "a whole number");
      return Status::Ok();
    case OptionType::kDouble:
      if (!ParsesAsDouble(value)) return BadValue(option, name, value, "a number");
      return Status::Ok();
    case OptionType::kDuration: {
      auto parsed = ParseDurationMicros(value);
      if (!parsed.ok() || *parsed < 0) {
        return BadValue(option, name, value, "a duration such as '30 s' or '5 min'");
      }
      return Status::Ok();
    }
    case OptionType::kBytes: {
      auto parsed = ParseBytes(value);
      if (!parsed.ok() || *parsed < 0) {
        return BadValue(option, name, value, "a size such as '64 mb'");
      }
      return Status::Ok();
    }
    case OptionType::kEnum: {
      const auto& choices = option.choices;
      if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
        return Status(Code::kBadOption, "option \"" + name + "\" has the value \"" + value +
                                            "\", which is not one of " + Join(choices, ", "))
            .WithHint(DidYouMean(value, choices));
      }
      return Status::Ok();
    }
  }
  return Status::Ok();
}

// Whether somebody knows the format that the table names, and the options that begin with its name.
Status CheckFormat(const ConnectorSpec& spec, const std::map<std::string, std::string>& given) {
  const format::DecoderOptions named = format::DecoderOptionsOf(given);
  const auto& own = spec.own_formats;
  if (std::find(own.begin(), own.end(), named.format) != own.end()) return Status::Ok();
  auto format = format::FindFormat(named.format);
  if (!format.ok()) return format.status();
  if ((*format)->binary && !spec.holds_bytes) {
    return Status(Code::kBadOption, "connector \"" + spec.name + "\" holds texts, not records of " +
                                        "the binary format \"" + named.format + "\"")
        .WithHint("there is: json, csv, raw");
  }
  return format::ParseFormatOptions(**format, named.options).status();
}

const std::string& Find(const std::map<std::string, std::string>& values, const std::string& name) {
  static const std::string kEmpty;
  auto found = values.find(name);
  return found == values.end() ? kEmpty : found->second;
}

}  // namespace

Result<Options> ParseOptions(const ConnectorSpec& spec,
                             const std::map<std::string, std::string>& given) {
  Options options;
  for (const auto& [name, value] : given) {
    if (name == "connector") continue;
    auto option = std::find_if(spec.options.begin(), spec.options.end(),
                               [&](const OptionSpec& o) { return Matches(o.name, name); });
    if (option != spec.options.end()) {
      MR_RETURN_IF_ERROR(CheckValue(*option, name, value));
    } else if (!spec.takes_format || !BelongsToFormat(name, given)) {
      std::vector<std::string> known;
      for (const OptionSpec& o : spec.options) known.push_back(o.name);
      if (spec.takes_format) {
        known.insert(known.end(), {"format", "key.format", "key.fields", "value.format"});
      }
      return Status(Code::kUnknownOption,
                    "connector \"" + spec.name + "\" has no option \"" + name + "\"")
          .WithHint(DidYouMean(name, known));
    }
    options.values_[name] = value;
  }
  for (const OptionSpec& option : spec.options) {
    if (HasWildcard(option.name) || options.values_.count(option.name)) continue;
    if (option.default_value) {
      options.values_[option.name] = *option.default_value;
    } else if (option.required) {
      Status status(Code::kBadOption, "connector \"" + spec.name + "\" needs the option \"" +
                                          option.name + "\": " + option.doc);
      return option.example.empty() ? status
                                    : std::move(status).WithHint("for example '" + option.name +
                                                                 "' = '" + option.example + "'");
    }
  }
  if (spec.takes_format && !options.values_.count("format") &&
      !options.values_.count("value.format")) {
    return Status(Code::kBadOption, "connector \"" + spec.name +
                                        "\" needs the option \"format\" (or \"value.format\")")
        .WithHint("for example 'format' = 'json'");
  }
  if (spec.takes_format) MR_RETURN_IF_ERROR(CheckFormat(spec, given));
  return options;
}

bool Options::Has(const std::string& name) const {
  return values_.count(name) > 0;
}

std::string Options::GetString(const std::string& name) const {
  return Find(values_, name);
}

bool Options::GetBool(const std::string& name) const {
  return EqualsIgnoreCase(Find(values_, name), "true");
}

int64_t Options::GetInt(const std::string& name) const {
  const std::string& text = Find(values_, name);
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

double Options::GetDouble(const std::string& name) const {
  const std::string& text = Find(values_, name);
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int64_t Options::GetMicros(const std::string& name) const {
  auto parsed = ParseDurationMicros(Find(values_, name));
  return parsed.ok() ? *parsed : 0;
}

int64_t Options::GetBytes(const std::string& name) const {
  auto parsed = ParseBytes(Find(values_, name));
  return parsed.ok() ? *parsed : 0;
}

}  // namespace millrace::connectors
