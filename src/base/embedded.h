// Files that are part of the binary: data/ and the BPF object, placed there by whittle_embed() in
// cmake/embed.cmake.
//
//   WHITTLE_EMBEDDED(syscalls_tsv);   // at namespace scope, declares the two symbols
//   std::string_view text = embedded_syscalls_tsv();
#pragma once

#include <string_view>

#define WHITTLE_EMBEDDED(name)                                                          \
  extern "C" const char embedded_##name##_begin[];                                      \
  extern "C" const char embedded_##name##_end[];                                        \
  inline std::string_view embedded_##name() {                                           \
    return {embedded_##name##_begin,                                                    \
            static_cast<std::size_t>(embedded_##name##_end - embedded_##name##_begin)}; \
  }
