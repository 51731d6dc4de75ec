#include "record/demangle.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

#include "base/text.h"

namespace whittle::record {

namespace {

constexpr std::size_t kMostLength = 256;  // of the result
constexpr std::size_t kMostMangled = 1024;
// Back references of a mangled name, each of which repeats a part of it: with 32 of them a name
// grows some 10^5 times at the very most.
constexpr std::size_t kMostReferences = 32;

bool is_reference(char c) { return c == 'S' || c == 'T'; }

// Counts more than there are: the letters also stand in plain names.
std::size_t references(const std::string& name) {
  std::size_t count = 0;
  for (std::size_t i = 0; i + 1 < name.size(); ++i) {
    const char next = name[i + 1];
    const bool numbered =
        next == '_' || (next >= '0' && next <= '9') || (next >= 'A' && next <= 'Z');
    if (is_reference(name[i]) && numbered) ++count;
  }
  return count;
}

}  // namespace

std::string demangle(const std::string& name) {
  if (!name.starts_with("_Z") || name.size() > kMostMangled || references(name) > kMostReferences) {
    return printable(name, kMostLength);
  }
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
  return printable(status == 0 && text ? text.get() : name, kMostLength);
}

}  // namespace whittle::record
