#include "connectors/reference.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "format/format_options.h"

namespace millrace::connectors {

namespace {

const char* TypeName(OptionType type) {
  switch (type) {
    case OptionType::kString:
      return "string";
    case OptionType::kBool:
      return "boolean";
    case OptionType::kInt:
      return "integer";
    case OptionType::kDouble:
      return "number";
    case OptionType::kDuration:
      return "duration";
    case OptionType::kBytes:
      return "size";
    case OptionType::kEnum:
      return "choice";
  }
  return "string";
}

std::string Kinds(const ConnectorSpec& spec) {
  std::vector<std::string> kinds;
  if (spec.source) kinds.push_back(spec.source_bounded ? "source (can end)" : "source");
  if (spec.sink)
    kinds.push_back(spec.sink_accepts_updates    ? "sink (append, upsert)"
                    : spec.sink_takes_changelogs ? "sink (append; updates in a changelog format)"
                                                 : "sink (append)");
  if (spec.lookup) kinds.push_back("lookup");
  if (kinds.empty()) kinds.push_back("function");  // no table: CREATE FUNCTION
  return Join(kinds, ", ");
}

const char* GuaranteeName(Guarantee guarantee) {
  return guarantee == Guarantee::kExactlyOnce ? "exactly once" : "at least once";
}

std::string DefaultOf(const OptionSpec& option) {
  if (option.required) return "(required)";
  if (!option.default_value) return "-";
  if (option.secret) return "(secret)";
  return option.default_value->empty() ? "''" : *option.default_value;
}

std::string DocOf(const OptionSpec& option) {
  std::string doc = option.doc;
  if (!option.choices.empty()) doc += " One of " + Join(option.choices, ", ") + ".";
  if (option.secret) doc += " Secret: never shown.";
  return doc;
}

std::string FormatNames(const ConnectorSpec& spec) {
  std::vector<std::string> names;
  for (const auto& format : format::AllFormats()) {
    const bool changelog = format.changelog != model::ChangelogKind::kAppend;
    if (format.binary && !spec.holds_bytes) continue;
    if (!changelog || !spec.upserts) names.push_back(format.name);
  }
  names.insert(names.end(), spec.own_formats.begin(), spec.own_formats.end());
  return Join(names, ", ");
}

// Breaks `text` into lines of at most `width`, each after the first behind `indent` blanks.
std::string Wrap(std::string_view text, size_t width, size_t indent) {
  std::string out, line;
  for (const std::string& word : millrace::Split(text, ' ')) {
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      out += line + "\n" + std::string(indent, ' ');
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return out + line;
}

std::string EscapeCell(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string RenderConnectorList() {
  std::string out;
  for (const ConnectorEntry& entry : AllConnectors()) {
    const ConnectorSpec& spec = entry.spec;
    std::vector<std::string> kinds;
    if (spec.source) kinds.push_back("source");
    if (spec.sink) kinds.push_back("sink");
    if (spec.lookup) kinds.push_back("lookup");
    if (kinds.empty()) kinds.push_back("function");  // no table: CREATE FUNCTION
    out += fmt::format("{:<12} {:<20} {:<14} {}\n", spec.name, Join(kinds, ", "),
                       GuaranteeName(spec.guarantee), spec.summary);
  }
  return out;
}

std::string RenderConnectorText(const ConnectorSpec& spec) {
  std::string out = fmt::format("{}: {}\n\n", spec.name, spec.summary);
  out += fmt::format("  kind       {}\n", Kinds(spec));
  out += fmt::format("  guarantee  {}: {}\n", GuaranteeName(spec.guarantee),
                     Wrap(spec.guarantee_doc, 80, 13));
  if (spec.takes_format) {
    out += fmt::format(
        "  format     'format' = one of {}; the options of a format begin with its name\n",
        FormatNames(spec));
  }
  out += "\noptions\n";
  if (spec.options.empty()) out += "  none\n";
  for (const OptionSpec& option : spec.options) {
    out += fmt::format("  {}\n      {}, default {}\n      {}\n", option.name, TypeName(option.type),
                       DefaultOf(option), Wrap(DocOf(option), 90, 6));
    if (!option.example.empty()) out += fmt::format("      example: '{}'\n", option.example);
  }
  out += "\nexample\n";
  for (const std::string& line : millrace::Split(spec.example, '\n')) {
    out += line.empty() ? "\n" : "  " + line + "\n";
  }
  return out;
}

std::string RenderConnectorMarkdown(const ConnectorSpec& spec) {
  std::string out = fmt::format("## {}\n\n{}\n\n", spec.name, spec.summary);
  out += fmt::format("- **Kind:** {}\n- **Guarantee:** {}. {}\n", Kinds(spec),
                     GuaranteeName(spec.guarantee), spec.guarantee_doc);
  if (spec.takes_format) {
    out += fmt::format(
        "- **Format:** `'format'` is one of {}; the options of a format begin with its name.\n",
        FormatNames(spec));
  }
  out += "\n| option | type | default | meaning |\n|---|---|---|---|\n";
  for (const OptionSpec& option : spec.options) {
    const std::string shown = DefaultOf(option);
    std::string doc = DocOf(option);
    if (!option.example.empty()) doc += " Example: `" + option.example + "`.";
    out += fmt::format("| `{}` | {} | {} | {} |\n", option.name, TypeName(option.type),
                       option.required ? "**required**"
                       : shown == "-"  ? ""
                                       : "`" + shown + "`",
                       EscapeCell(doc));
  }
  return out + "\n```sql\n" + spec.example + "\n```\n";
}

std::string RenderConnectorsPage() {
  std::string out =
      "# Connectors\n\nGenerated from the connectors' own descriptions; `millrace connectors NAME` "
      "prints the same.\n\n| connector | kind | guarantee | |\n|---|---|---|---|\n";
  for (const ConnectorEntry& entry : AllConnectors()) {
    const ConnectorSpec& spec = entry.spec;
    out += fmt::format("| [{0}](#{0}) | {1} | {2} | {3} |\n", spec.name, Kinds(spec),
                       GuaranteeName(spec.guarantee), spec.summary);
  }
  for (const ConnectorEntry& entry : AllConnectors()) {
    out += "\n" + RenderConnectorMarkdown(entry.spec);
  }
  return out;
}

}  // namespace millrace::connectors
