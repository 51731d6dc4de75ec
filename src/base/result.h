// The one error policy of whittle: a function that can fail returns Result<T>.
//
// An Error says what went wrong, where, and what to do about it; its kind decides the exit code of
// the program (docs/exit-codes.md). There are no exceptions in our own interfaces: third-party
// exceptions are caught in the .cc that calls the library.
//
//   Result<int> parse(std::string_view text);
//   TRY_ASSIGN(const int n, parse(text));     // returns the error to our caller
//   TRY(write(n));                            // for Result<void>
//
// A Result that nobody looks at does not compile under -Werror ([[nodiscard]]).
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace whittle {

// The value is the exit code of a program that stops on such an error.
enum class ErrorKind {
  kInput = 2,        // bad usage or bad input
  kEnvironment = 3,  // a privilege, a kernel feature or a tool is missing
  kBug = 4,          // a broken invariant of our own
};

struct [[nodiscard]] Error {
  ErrorKind kind = ErrorKind::kInput;
  std::string message;  // one line, no full stop, no "error:" in front
  std::string place;    // file:line, a JSON pointer, a path; empty when there is none
  std::string hint;     // what to do about it; empty when there is nothing to say

  int exit_code() const { return static_cast<int>(kind); }
  // "place: message" as a person reads it; the hint is not part of it.
  std::string text() const { return place.empty() ? message : place + ": " + message; }
};

template <typename T>
struct [[nodiscard]] Result : tl::expected<T, Error> {
  using tl::expected<T, Error>::expected;
};

inline tl::unexpected<Error> input_error(std::string message, std::string place = {},
                                         std::string hint = {}) {
  return tl::unexpected<Error>(
      Error{ErrorKind::kInput, std::move(message), std::move(place), std::move(hint)});
}

inline tl::unexpected<Error> environment_error(std::string message, std::string place = {},
                                               std::string hint = {}) {
  return tl::unexpected<Error>(
      Error{ErrorKind::kEnvironment, std::move(message), std::move(place), std::move(hint)});
}

inline tl::unexpected<Error> bug(std::string message, std::string place = {}) {
  return tl::unexpected<Error>(Error{ErrorKind::kBug, std::move(message), std::move(place), {}});
}

// "message: strerror(errnum)" as an Error of the given kind.
tl::unexpected<Error> errno_error(ErrorKind kind, std::string message, int errnum,
                                  std::string place = {}, std::string hint = {});

}  // namespace whittle

// NOLINTBEGIN(bugprone-macro-parentheses): a declaration cannot stand in parentheses.
#define WHITTLE_CONCAT_(a, b) a##b
#define WHITTLE_CONCAT(a, b) WHITTLE_CONCAT_(a, b)
#define TRY_ASSIGN_(lhs, expr, tmp)                        \
  auto tmp = (expr);                                       \
  if (!tmp) return tl::unexpected(std::move(tmp).error()); \
  lhs = *std::move(tmp)
// Declares or assigns `lhs` from a Result, or returns its error from the enclosing function.
#define TRY_ASSIGN(lhs, expr) TRY_ASSIGN_(lhs, expr, WHITTLE_CONCAT(result_, __LINE__))
// The same for a Result<void>.
#define TRY(expr)                                                                \
  do {                                                                           \
    auto result_of_try = (expr);                                                 \
    if (!result_of_try) return tl::unexpected(std::move(result_of_try).error()); \
  } while (false)
// NOLINTEND(bugprone-macro-parentheses)
