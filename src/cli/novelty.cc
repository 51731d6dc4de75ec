#include "cli/novelty.h"

#include <algorithm>

#include "base/text.h"
#include "syscalls/arguments.h"

namespace whittle::cli {

namespace {

constexpr std::size_t kMostWords = 5;

// "socket(AF_INET6, SOCK_STREAM, 0)" for each value that was seen of the call's arguments.
std::vector<std::string> values_in_words(const evidence::Observation& call,
                                         const std::string& name) {
  std::vector<std::string> words;
  for (const evidence::ArgumentValues& argument : call.args) {
    for (const std::uint64_t value : argument.values) {
      const std::string text = syscalls::value_text(call.name, argument.index, value);
      words.push_back(argument.index == 0 ? format("{}({})", name, text)
                                          : format("{}({}={})", name, argument.index, text));
    }
  }
  for (const evidence::TupleValues& tuple : call.tuples) {
    for (const std::vector<std::uint64_t>& values : tuple.values) {
      const auto texts = syscalls::tuple_text(call.name, tuple.indexes, values);
      words.push_back(format("{}({})", name, join(texts, ", ")));
    }
  }
  return words;
}

}  // namespace

News Novelty::add(const std::vector<evidence::Observation>& observations) {
  News news;
  std::vector<const evidence::Observation*> by_time;
  by_time.reserve(observations.size());
  for (const evidence::Observation& call : observations) by_time.push_back(&call);
  std::stable_sort(by_time.begin(), by_time.end(),
                   [](const auto* a, const auto* b) { return a->first > b->first; });
  for (const evidence::Observation* call : by_time) {
    const bool native = call->arch == syscalls::host_arch();
    const std::string name =
        native ? call->name : format("{} {}", syscalls::arch_name(call->arch), call->name);
    const bool is_new = calls_.emplace(call->arch, call->nr).second;
    if (is_new) {
      ++news.calls;
      news.words.push_back(name);
    }
    for (std::string& words : values_in_words(*call, name)) {
      if (!values_.insert(words).second || is_new) continue;
      ++news.values;
      news.words.push_back(std::move(words));
    }
  }
  return news;
}

std::string news_text(const News& news) {
  if (news.empty()) return "nothing new";
  std::vector<std::string> counts;
  if (news.calls != 0) counts.push_back(plural(news.calls, "call"));
  if (news.values != 0) counts.push_back(plural(news.values, "argument value"));
  const auto shown = std::min(news.words.size(), kMostWords);
  std::string words = join(std::span(news.words).first(shown), ", ");
  if (shown < news.words.size()) words += ", ...";
  return format("{} new ({})", join(counts, " and "), words);
}

}  // namespace whittle::cli
