#include "cli/live_view.h"

#include <algorithm>
#include <span>

#include "base/text.h"
#include "cli/output.h"

namespace whittle::cli {

namespace {

constexpr double kPlainSeconds = 10;  // between two lines where there is no terminal
constexpr std::size_t kMostWords = 3;

std::uint64_t total_lost(const evidence::Run& run) {
  std::uint64_t lost = 0;
  for (const auto& [kind, count] : run.lost) lost += count;
  return lost;
}

}  // namespace

std::string run_summary(const evidence::Run& run) {
  std::uint64_t calls = 0;
  for (const evidence::Observation& observation : run.syscalls) calls += observation.count;
  return format("{}, {} distinct, {} lost", plural(calls, "call"), run.syscalls.size(),
                total_lost(run));
}

void LiveView::show(const evidence::Run& run, const std::string& phase) {
  if (const News news = novelty_.add(run.syscalls); !news.empty()) {
    const auto shown = std::min(news.words.size(), kMostWords);
    last_new_ = join(std::span(news.words).first(shown), ", ");
    last_new_at_ = run.duration;
  }
  std::string text = format("recording: {:.0f} s, {}: {}", run.duration, phase, run_summary(run));
  if (!last_new_.empty()) {
    const double age = run.duration - last_new_at_;
    text += age < 1 ? "; new: " : format("; new {:.0f} s ago: ", age);
    text += last_new_;
  }
  if (errors_on_terminal()) {
    show_progress(text);
  } else if (run.duration >= next_plain_) {
    next_plain_ += kPlainSeconds;
    print_note(text);
  }
}

}  // namespace whittle::cli
