#include "record/import_sink.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "syscalls/table.h"

namespace whittle::record {

namespace {

constexpr std::size_t kMostNotes = 32;
constexpr std::size_t kShownBytes = 120;
// Counts above are no counts; sums of them stay in 64 bits.
constexpr std::uint64_t kMostTimes = std::uint64_t{1} << 50U;

}  // namespace

void ImportSink::add(const Call& call) {
  if (call.times == 0) return;
  Call counted = call;
  counted.times = std::min(counted.times, kMostTimes);
  if (!(counted.seconds >= 0)) counted.seconds = 0;
  run.duration = std::max(run.duration, counted.seconds);
  collector_.add(counted);
  ++calls_;
}

bool ImportSink::add_named(Call call, std::string_view name) {
  const auto nr = syscalls::number(call.arch, name);
  if (!nr) return false;
  call.nr = *nr;
  add(call);
  return true;
}

void ImportSink::show(std::string why, std::string_view text) {
  ++unread_;
  const bool again = std::any_of(shown_.begin(), shown_.end(),
                                 [&](const Unread& other) { return other.line == line_; });
  if (again || shown_.size() == kMostShown) return;
  shown_.push_back({line_, std::move(why), printable(text, kShownBytes)});
}

void ImportSink::unread(std::string why, std::string_view text) {
  lose("lines");
  show(std::move(why), text);
}

void ImportSink::unread_argument(std::string why, std::string_view text) {
  show(std::move(why), text);
}

void ImportSink::lose(std::string_view kind, std::uint64_t count) {
  std::uint64_t& lost = lost_[std::string(kind)];
  lost += std::min(count, kMostTimes);
}

void ImportSink::note(std::string text) {
  std::string clean = printable(text, 1000);
  if (run.notes.size() == kMostNotes) return;
  if (std::find(run.notes.begin(), run.notes.end(), clean) != run.notes.end()) return;
  run.notes.push_back(std::move(clean));
}

void ImportSink::adopt(evidence::Run made) {
  run = std::move(made);
  calls_ = run.syscalls.size();
  adopted_ = true;
}

Imported ImportSink::finish() {
  Imported out;
  out.run = std::move(run);
  if (!adopted_) out.run.syscalls = collector_.observations();
  for (const auto& [kind, count] : lost_) out.run.lost[kind] += count;
  out.run.lost.try_emplace("lines", 0);
  for (const auto& [kind, count] : collector_.lost()) out.run.lost[kind] += count;
  out.run.complete = std::all_of(out.run.lost.begin(), out.run.lost.end(),
                                 [](const auto& lost) { return lost.second == 0; });
  out.workload = std::move(workload);
  out.unread = std::move(shown_);
  out.unread_count = unread_;
  out.single_task = single_task;
  out.children = children;
  return out;
}

}  // namespace whittle::record
