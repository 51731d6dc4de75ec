#include "host/budget.h"

#include <filesystem>

#include "base/file_system.h"
#include "base/text.h"
#include "base/yaml.h"
#include "syscalls/table.h"

namespace whittle::host {

namespace {

using json::View;

constexpr json::Limits kLimits = {1U << 20U, 16, 20'000};

Result<std::optional<BudgetLimit>> limit_of(const View& object, std::string_view key,
                                            std::uint64_t least, std::uint64_t most) {
  std::optional<BudgetLimit> limit;
  TRY_ASSIGN(const auto found, object.find(key));
  if (!found) return limit;
  TRY_ASSIGN(const std::uint64_t value, found->u64(most));
  if (value < least) return found->error(format("a number from {} to {} is expected", least, most));
  limit = BudgetLimit{value, found->value().line()};
  return limit;
}

Result<std::vector<std::string>> texts_of(const View& object, std::string_view key) {
  std::vector<std::string> texts;
  TRY_ASSIGN(const auto found, object.find(key));
  if (!found) return texts;
  TRY_ASSIGN(const auto items, found->items());
  for (const View& item : items) {
    TRY_ASSIGN(std::string text, item.string());
    if (text.empty()) return item.error("this is empty");
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<std::vector<std::string>> calls_of(const View& object, std::string_view key) {
  TRY_ASSIGN(std::vector<std::string> names, texts_of(object, key));
  TRY_ASSIGN(const auto found, object.find(key));
  for (const std::string& name : names) {
    if (syscalls::is_known(name)) continue;
    const auto near = nearest(name, syscalls::known_names());
    return found->error(format("\"{}\" is no system call", printable(name)),
                        near ? format("did you mean {}?", *near) : "");
  }
  return names;
}

}  // namespace

Result<Budget> read_budget_keys(const View& object, const std::string& directory) {
  static const std::vector<std::string> kKeys = {"against", "looser", "stale",   "keep",
                                                 "score",   "calls",  "outside", "evidence"};
  TRY(object.only(kKeys));
  Budget budget;
  budget.file = object.file();
  budget.directory = directory;
  budget.line = object.value().line();
  TRY_ASSIGN(const auto against, object.find("against"));
  if (against) {
    TRY_ASSIGN(budget.against, against->string());
    if (budget.against.empty()) return against->error("this is empty");
  }
  TRY_ASSIGN(budget.looser, calls_of(object, "looser"));
  TRY_ASSIGN(budget.stale, limit_of(object, "stale", 1, 1000));
  TRY_ASSIGN(budget.keep, calls_of(object, "keep"));
  TRY_ASSIGN(budget.score, limit_of(object, "score", 0, 100'000));
  TRY_ASSIGN(budget.calls, limit_of(object, "calls", 0, 100'000));
  TRY_ASSIGN(budget.outside, calls_of(object, "outside"));
  TRY_ASSIGN(budget.evidence, texts_of(object, "evidence"));
  for (std::string& path : budget.evidence) {
    path = (std::filesystem::path(directory) / path).lexically_normal().string();
  }
  return budget;
}

Result<Budget> parse_budget(std::string_view text, const std::string& path) {
  TRY_ASSIGN(const json::Value document, yaml::parse(text, path, kLimits));
  std::error_code unknown;
  return read_budget_keys(
      View(document, path),
      std::filesystem::absolute(path, unknown).parent_path().lexically_normal().string());
}

Result<Budget> read_budget(const std::string& path) {
  TRY_ASSIGN(const std::string text, read_file(path, kLimits.bytes));
  return parse_budget(text, path == "-" ? "standard input" : path);
}

}  // namespace whittle::host
