// What was seen before, so that one can say what is new: in the last second of a recording, or in a
// run against those before it.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "evidence/evidence.h"

namespace whittle::cli {

// What was not there before.
struct News {
  std::size_t calls = 0;
  std::size_t values = 0;  // argument values of calls that were known
  // In words, the latest first: "readv", "socket(AF_INET6, SOCK_STREAM, 0)", "x86 getpid".
  std::vector<std::string> words;

  bool empty() const { return calls == 0 && values == 0; }
};

class Novelty {
 public:
  // What of these has not been given before.
  News add(const std::vector<evidence::Observation>& observations);

 private:
  std::set<std::pair<syscalls::Arch, std::uint32_t>> calls_;
  std::set<std::string> values_;
};

// "3 calls and 1 value new (readv, writev, ...)"; "nothing new".
std::string news_text(const News& news);

}  // namespace whittle::cli
