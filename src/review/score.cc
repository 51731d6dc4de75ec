#include "review/score.h"

#include <algorithm>
#include <array>
#include <optional>

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

class Scorer {
 public:
  explicit Scorer(std::span<const filter::Program> filters) : filters_(filters) {}

  bool is_open(const Way& way, Arch arch) const {
    if (passes(way.syscall, way.args, arch)) return true;
    if (arch != Arch::kX86) return false;
    const auto* entry =
        std::find_if(kSocketcall.begin(), kSocketcall.end(),
                     [&way](const Multiplexed& m) { return m.syscall == way.syscall; });
    if (entry == kSocketcall.end()) return false;
    const filter::Requirement number{0, UINT32_MAX, entry->number, false};
    return passes("socketcall", {{number}}, arch);
  }

  bool is_open(const Step& step, std::span<const Arch> arches) const {
    return std::any_of(arches.begin(), arches.end(), [&](Arch arch) {
      return std::any_of(step.ways.begin(), step.ways.end(),
                         [&](const Way& way) { return is_open(way, arch); });
    });
  }

 private:
  bool passes(std::string_view syscall, std::span<const filter::Requirement> args,
              Arch arch) const {
    const auto nr = syscalls::number(arch, syscall);
    if (!nr) return false;
    const auto reachable = filter::allowed_with(filter::decide_all(filters_, arch, *nr), args);
    return reachable.args.has_value() || !reachable.decided;
  }

  std::span<const filter::Program> filters_;
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
  const Scorer scorer(filters);
  const Arch native = syscalls::native_of(arches.empty() ? syscalls::host_arch() : arches.front());
  std::vector<bool> open_natively;
  std::vector<bool> open;
  for (const Step& step : known.steps) {
    open_natively.push_back(scorer.is_open(step, {&native, 1}));
    open.push_back(open_natively.back() || scorer.is_open(step, arches));
  }
  result.total = known.exploits.size();
  for (const Exploit& exploit : known.exploits) {
    const auto all = [&exploit](const std::vector<bool>& steps) {
      return std::all_of(exploit.needs.begin(), exploit.needs.end(),
                         [&steps](std::size_t step) { return steps[step]; });
    };
    if (all(open_natively)) {
      result.open.push_back(exploit.cve);
    } else if (all(open)) {
      result.open_by_other_abi.push_back(exploit.cve);
    }
  }
  return result;
}

}  // namespace whittle::review
