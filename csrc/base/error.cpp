#include "base/error.h"

namespace weft {

void fail(ErrorKind kind, const std::string& message) { throw Error(kind, message); }

}  // namespace weft
