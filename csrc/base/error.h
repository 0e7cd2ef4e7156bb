// Errors a user can cause. Each kind becomes the Python exception of that name at the binding.
// Message: "[operation] what was expected, what came, and where possible the fix".
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace weft {

enum class ErrorKind { Value, Type, Index, Runtime, Memory, NotImplemented, Overflow };

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind(kind) {}
  ErrorKind kind;
};

template <class... Parts>
std::string cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

[[noreturn]] void fail(ErrorKind kind, const std::string& message);

}  // namespace weft

// WEFT_CHECK(x.dim() == 2, Value, "[linear] expected 2 dimensions, got ", x.dim());
#define WEFT_CHECK(condition, kind, ...)                                                                    \
  do {                                                                                                      \
    if (__builtin_expect(!(condition), 0)) ::weft::fail(::weft::ErrorKind::kind, ::weft::cat(__VA_ARGS__)); \
  } while (0)
