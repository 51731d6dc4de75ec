#include "review/score.h"

#include <algorithm>
#include <array>

#include "filter/decide.h"
#include "filter/survey.h"
#include "review/exploits.h"
#include "syscalls/table.h"

namespace whittle::review {

namespace {

using syscalls::Arch;

// On x86 these calls are also numbers of socketcall(2), whose other argument is a pointer
// (include/uapi/linux/net.h).
struct Multiplexed {
  std::string_view syscall;
  std::uint64_t number;
};
constexpr std::array kSocketcall = {
    Multiplexed{"socket", 1},    Multiplexed{"socketpair", 8},  Multiplexed{"sendto", 11},
    Multiplexed{"recvfrom", 12}, Multiplexed{"setsockopt", 14}, Multiplexed{"sendmsg", 16},
    Multiplexed{"recvmsg", 17},
};

using Requirements = std::vector<filter::Requirement>;

// The same with clean arguments: where only bits of the low half are asked for, the high half is 0.
Requirements clean(const Requirements& requirements) {
  constexpr std::uint64_t kHighHalf = 0xffffffff00000000U;
  Requirements result = requirements;
  for (const filter::Requirement& requirement : requirements) {
    if ((requirement.mask & kHighHalf) == 0) {
      result.push_back({requirement.index, kHighHalf, 0, false});
    }
  }
  return result;
}

class Scorer {
 public:
  Scorer(std::span<const filter::Program> filters, std::span<const Arch> arches)
      : filters_(filters), arches_(arches) {}

  // As the exploits were published.
  bool is_open(const Step& step, Arch native) const {
    return std::any_of(step.ways.begin(), step.ways.end(), [&](const Way& way) {
      return passes(way.syscall, clean(way.args), native);
    });
  }

  // As someone can adapt them to the filter.
  bool is_open_adapted(const Step& step) const {
    return std::any_of(arches_.begin(), arches_.end(), [&](Arch arch) {
      return std::any_of(step.ways.begin(), step.ways.end(), [&](const Way& way) {
        return passes(way.syscall, way.args, arch) ||
               (arch == Arch::kX86 && passes_socketcall(way));
      });
    });
  }

 private:
  bool passes_socketcall(const Way& way) const {
    const auto* entry =
        std::find_if(kSocketcall.begin(), kSocketcall.end(),
                     [&way](const Multiplexed& m) { return m.syscall == way.syscall; });
    if (entry == kSocketcall.end()) return false;
    return passes("socketcall", {{0, UINT32_MAX, entry->number, false}}, Arch::kX86);
  }

  bool passes(std::string_view syscall, const Requirements& args, Arch arch) const {
    const auto nr = syscalls::number(arch, syscall);
    if (!nr) return false;
    const auto reachable = filter::allowed_with(filter::decide_all(filters_, arch, *nr), args);
    return reachable.args.has_value() || !reachable.decided;
  }

  std::span<const filter::Program> filters_;
  std::span<const Arch> arches_;
};

}  // namespace

Result<Score> score(std::span<const filter::Program> filters, std::span<const Arch> arches) {
  TRY_ASSIGN(const Exploits known, known_exploits());
  Score result;
  for (const Arch arch : arches) {
    const auto calls = filter::survey(filters, arch);
    const auto allowed = std::count_if(calls.begin(), calls.end(), [](const auto& call) {
      return filter::can_allow(call.decision);
    });
    result.arches.push_back({arch, static_cast<std::size_t>(allowed)});
  }
  const Scorer scorer(filters, arches);
  const Arch native = syscalls::native_of(arches.empty() ? syscalls::host_arch() : arches.front());
  std::vector<bool> open;
  std::vector<bool> open_adapted;
  for (const Step& step : known.steps) {
    open.push_back(scorer.is_open(step, native));
    open_adapted.push_back(open.back() || scorer.is_open_adapted(step));
  }
  result.total = known.exploits.size();
  for (const Exploit& exploit : known.exploits) {
    const auto all = [&exploit](const std::vector<bool>& steps) {
      return std::all_of(exploit.needs.begin(), exploit.needs.end(),
                         [&steps](std::size_t step) { return steps[step]; });
    };
    if (all(open)) {
      result.open.push_back(exploit.cve);
    } else if (all(open_adapted)) {
      result.open_adapted.push_back(exploit.cve);
    }
  }
  return result;
}

}  // namespace whittle::review
