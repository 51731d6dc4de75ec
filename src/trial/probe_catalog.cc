#include "trial/probe_catalog.h"

#include <cstdint>

#include "base/embedded.h"
#include "syscalls/tsv.h"

namespace whittle::trial {

WHITTLE_EMBEDDED(probes_tsv)

namespace {

// The words of probe_calls.inc.
constexpr auto ANY = SameAttack::kAny;
constexpr auto NAMESPACES = SameAttack::kNamespaces;
constexpr auto FAMILY = SameAttack::kFamily;
constexpr auto PROTOCOL = SameAttack::kProtocol;
constexpr auto TYPE = SameAttack::kType;
constexpr auto OPTION = SameAttack::kOption;
constexpr auto FLAG1 = SameAttack::kFlag1;
constexpr auto DEVICE = SameAttack::kDevice;

constexpr std::string_view kLater = "then ";

constexpr ProbeCall make_call(std::string_view step, SameAttack same, std::string_view capability,
                              std::string_view syscall, std::string_view label) {
  const bool later = capability.substr(0, kLater.size()) == kLater;
  return {.step = step,
          .capability = later ? capability.substr(kLater.size()) : capability,
          .syscall = syscall,
          .label = label,
          .same = same,
          .capability_later = later};
}

constexpr ProbeCall kCalls[] = {
#define CALL(step, entry, same, capability, name, label, ...) \
  make_call(step, same, capability, #name, label),
#include "trial/probe_calls.inc"
#undef CALL
};

}  // namespace

const std::vector<ProbeStep>& probe_steps() {
  static const std::vector<ProbeStep> steps = [] {
    std::vector<ProbeStep> result;
    for (const auto& row : syscalls::tsv_rows(embedded_probes_tsv())) {
      result.push_back({row[0], row[1], row[2], row[3], row[4], row[5], row[6]});
    }
    return result;
  }();
  return steps;
}

std::span<const ProbeCall> probe_calls() { return kCalls; }

std::vector<filter::Requirement> same_attack(SameAttack same, const filter::Arguments& args) {
  constexpr std::uint64_t kNamespaces = 0x7e020000;  // all CLONE_NEW* of clone(2)
  constexpr std::uint64_t kWord = UINT32_MAX;        // what the kernel takes of an int
  constexpr std::uint64_t kSocketType = 0xf;         // SOCK_TYPE_MASK of include/linux/net.h
  constexpr std::uint64_t kFileType = 0170000;       // S_IFMT of inode(7)
  // A call with bits above the 32 that the kernel takes stands for all such; another for itself.
  const auto word = [&args](unsigned index) {
    const std::uint64_t mask = args.at(index) > kWord ? kWord : UINT64_MAX;
    return filter::Requirement{.index = index, .mask = mask, .value = args.at(index)};
  };
  const auto low = [&args](unsigned index, std::uint64_t mask) {
    return filter::Requirement{.index = index, .mask = mask, .value = args.at(index)};
  };
  switch (same) {
    case SameAttack::kAny:
      return {};
    case SameAttack::kNamespaces:
      return {{.index = 0, .mask = args[0] & kNamespaces, .nonzero = true}};
    case SameAttack::kFamily:
      return {word(0)};
    case SameAttack::kProtocol:
      return {word(0), low(2, kWord)};
    case SameAttack::kType:
      return {word(0), low(1, kSocketType)};
    case SameAttack::kOption:
      return {word(1), low(2, kWord)};
    case SameAttack::kFlag1:
      return {{.index = 1, .mask = args[1], .nonzero = true}};
    case SameAttack::kDevice:
      return {low(2, kFileType)};
  }
  return {};
}

}  // namespace whittle::trial
