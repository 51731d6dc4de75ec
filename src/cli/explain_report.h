// Explanations for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "evidence/evidence.h"
#include "review/explain.h"

namespace whittle::cli {

// What the explanations are of.
struct Explained {
  std::string profile;   // as it was given; empty: evidence is explained
  std::string evidence;  // where the evidence is; empty: there is none
  std::string base;      // "docker@29.4.3"
  std::vector<review::Explanation> calls;
};

json::Value explain_json(const Explained& explained);
// Grouped, a paragraph a call, the same call of several ABIs as one.
std::string explain_list(const Explained& explained);
// All that is known of each call, stacks included.
std::string explain_detail(const Explained& explained);

// Values of an argument, or of several together, in the symbols of the call: "AF_INET,
// SOCK_STREAM, 0x0".
std::vector<std::string> seen_values(const std::string& syscall,
                                     const evidence::ArgumentValues& values);
std::vector<std::string> seen_values(const std::string& syscall,
                                     const evidence::TupleValues& values);
// "ngx_event_accept in /usr/sbin/nginx": the innermost frame outside the C library that has a name,
// else the innermost of all; empty without frames.
std::string origin_text(const evidence::Stack& stack);

// Its path, or what stands for it.
std::string object_text(const evidence::Frame& frame);

}  // namespace whittle::cli
