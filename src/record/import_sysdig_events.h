// Events as the libraries of sysdig and Falco give them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "record/import_sink.h"

namespace whittle::record {

struct SysdigEvent {
  std::string_view type;  // "openat"
  char direction = '<';   // '>' enter, '<' exit; exit where the tool does not say
  std::uint64_t task = 0;
  std::string_view arguments;  // "fd=3(<f>/etc/passwd) name=/etc/passwd flags=1(O_RDONLY) mode=0"
  double seconds = 0;
};

class SysdigEvents {
 public:
  explicit SysdigEvents(ImportSink& sink) : sink_(sink) {}

  void add(const SysdigEvent& event);
  // Counts a call, whichever way the event goes.
  void count(const SysdigEvent& event, std::string_view enter_arguments);
  void finish();

 private:
  ImportSink& sink_;
  std::unordered_map<std::uint64_t, std::string> entered_;  // arguments, by task
  std::uint64_t others_ = 0;                                // events that are no calls
};

// The text of "NAME=" in an event's arguments; empty: there is none.
std::string_view sysdig_value(std::string_view arguments, std::string_view name);

}  // namespace whittle::record
