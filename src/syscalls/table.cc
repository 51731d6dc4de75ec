#include "syscalls/table.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/embedded.h"
#include "base/text.h"
#include "syscalls/tsv.h"

WHITTLE_EMBEDDED(syscalls_tsv)

namespace whittle::syscalls {

namespace {

struct Abi {
  std::vector<Entry> by_number;
  std::vector<Entry> by_name;
};

struct Table {
  std::array<Abi, kAllArches.size()> abis;
  std::vector<std::string> names;  // sorted
};

Table load() {
  Table table;
  // The rows are sorted by name: table_test.cc.
  for (const auto& row : tsv_rows(embedded_syscalls_tsv())) {
    table.names.emplace_back(row[0]);
    for (std::size_t i = 0; i < table.abis.size(); ++i) {
      if (const auto nr = parse_u64(row[i + 1])) {
        table.abis[i].by_name.push_back({row[0], static_cast<std::uint32_t>(*nr)});
      }
    }
  }
  for (Abi& abi : table.abis) {
    abi.by_number = abi.by_name;
    std::sort(abi.by_number.begin(), abi.by_number.end(),
              [](const Entry& a, const Entry& b) { return a.nr < b.nr; });
  }
  return table;
}

const Table& table() {
  static const Table loaded = load();
  return loaded;
}

const Abi& abi_of(Arch arch) { return table().abis[static_cast<std::size_t>(arch)]; }

}  // namespace

std::optional<std::uint32_t> number(Arch arch, std::string_view name) {
  const std::vector<Entry>& list = abi_of(arch).by_name;
  const auto it =
      std::lower_bound(list.begin(), list.end(), name,
                       [](const Entry& entry, std::string_view n) { return entry.name < n; });
  if (it == list.end() || it->name != name) return std::nullopt;
  return it->nr;
}

std::optional<std::string_view> name(Arch arch, std::uint32_t nr) {
  const std::vector<Entry>& list = abi_of(arch).by_number;
  const auto it =
      std::lower_bound(list.begin(), list.end(), nr,
                       [](const Entry& entry, std::uint32_t n) { return entry.nr < n; });
  if (it == list.end() || it->nr != nr) return std::nullopt;
  return it->name;
}

std::string display_name(Arch arch, std::uint32_t nr) {
  const auto known = name(arch, nr);
  return known ? std::string(*known) : format("syscall_{}", nr);
}

bool is_known(std::string_view name) {
  const std::vector<std::string>& names = table().names;
  return std::binary_search(names.begin(), names.end(), name, std::less<>());
}

std::span<const std::string> known_names() { return table().names; }

std::span<const Entry> entries(Arch arch) { return abi_of(arch).by_number; }

std::string_view table_kernel() {
  static const std::string_view kernel = tsv_comment(embedded_syscalls_tsv(), "kernel");
  return kernel;
}

}  // namespace whittle::syscalls
