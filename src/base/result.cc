#include "base/result.h"

#include <cstring>

namespace whittle {

tl::unexpected<Error> errno_error(ErrorKind kind, std::string message, int errnum,
                                  std::string place, std::string hint) {
  message += ": ";
  message += std::strerror(errnum);
  return tl::unexpected<Error>(Error{kind, std::move(message), std::move(place), std::move(hint)});
}

}  // namespace whittle
