#include "trial/watch_fold.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace whittle::trial {

namespace {

constexpr double kBetween = 1;  // seconds between two lines about the same

}  // namespace

std::string_view kind_name(SightingKind kind) {
  constexpr std::string_view kNames[] = {"denial", "fallback", "drift"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view against_name(SightingAgainst against) {
  constexpr std::string_view kNames[] = {"filter", "profile", "evidence"};
  return kNames[static_cast<std::size_t>(against)];
}

SightingLog::Key SightingLog::key_of(const Sighting& sighting) {
  const Denial& call = sighting.call;
  std::array<std::uint64_t, 6> args{};
  for (unsigned i = 0; i < args.size(); ++i) {
    if (((sighting.told_by >> i) & 1U) != 0) args[i] = call.args[i];
  }
  // Of a call that is new to the evidence it does not matter who makes it.
  const bool by_name = sighting.against != SightingAgainst::kEvidence;
  return {sighting.kind,
          sighting.against,
          call.arch,
          call.nr,
          args,
          by_name ? call.comm : std::string(),
          call.verdict.action,
          call.verdict.data,
          sighting.entered,
          sighting.why};
}

void SightingLog::update(std::uint64_t life, unsigned part, std::span<const Sighting> sightings) {
  // What is alike here, added up: the recorder tells more calls apart than a reader wants to see.
  std::map<Key, Sighting> folded;
  for (const Sighting& sighting : sightings) {
    Sighting one = sighting;
    one.entered = part == 1;
    const auto [found, added] = folded.try_emplace(key_of(one), one);
    if (added) continue;
    Denial& into = found->second.call;
    const Denial& more = one.call;
    const std::uint64_t count = into.count + more.count;
    const bool says_more = into.first.thread == 0 && more.first.thread != 0;
    const bool earlier = more.first.time.value_or(0) < into.first.time.value_or(0);
    if (says_more || (earlier && (more.first.thread != 0 || into.first.thread == 0))) {
      found->second = std::move(one);
    }
    found->second.call.count = count;
  }
  for (auto& [key, sighting] : folded) {
    auto found = entries_.find(key);
    if (found == entries_.end()) {
      if (entries_.size() >= kMostSightings) {
        ++untold_;
        continue;
      }
      found = entries_.emplace(key, Entry{}).first;
      found->second.order = entries_.size();
      found->second.life = life;
    }
    Entry& entry = found->second;
    if (entry.life != life) entry.before += std::exchange(entry.now, 0);
    entry.life = life;
    entry.now = sighting.call.count;
    // Who made the first call stays known when a later life does not tell.
    const bool keep_first = entry.latest.call.first.thread != 0;
    Occurrence first = std::move(entry.latest.call.first);
    entry.latest = std::move(sighting);
    if (keep_first) entry.latest.call.first = std::move(first);
    entry.latest.call.count = entry.total();
  }
}

bool SightingLog::flush(double now, bool all) {
  std::vector<Entry*> due;
  for (auto& [key, entry] : entries_) {
    if (entry.latest.kind == SightingKind::kFallback || entry.total() <= entry.shown) continue;
    if (all || entry.shown == 0 || now - entry.shown_at >= kBetween) due.push_back(&entry);
  }
  std::sort(due.begin(), due.end(), [](const Entry* a, const Entry* b) {
    const double first = a->latest.call.first.time.value_or(0);
    const double second = b->latest.call.first.time.value_or(0);
    return std::pair(first, a->order) < std::pair(second, b->order);
  });
  for (Entry* entry : due) {
    entry->shown = entry->total();
    entry->shown_at = now;
    if (!show_(entry->latest)) return false;
  }
  return true;
}

SightingLog::Totals SightingLog::totals(SightingKind kind) const {
  Totals totals;
  for (const auto& [key, entry] : entries_) {
    if (entry.latest.kind != kind) continue;
    ++totals.kinds;
    totals.calls += entry.total();
  }
  return totals;
}

std::map<std::string, std::uint64_t> SightingLog::calls(SightingKind kind) const {
  std::map<std::string, std::uint64_t> calls;
  for (const auto& [key, entry] : entries_) {
    if (entry.latest.kind == kind) calls[entry.latest.call.syscall] += entry.total();
  }
  return calls;
}

}  // namespace whittle::trial
