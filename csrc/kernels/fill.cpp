// Compiled once per instruction set: collects this set's kernels. Each kernel file defines fill() for its stem.
#include "kernels/table.h"

namespace weft::WEFT_ISA {

#define STEM(Type, name) void fill(Type& k);
WEFT_STEMS(STEM)
#undef STEM

void fill_table(Kernels& k) {
#define STEM(Type, name) fill(k.name);
  WEFT_STEMS(STEM)
#undef STEM
}

}  // namespace weft::WEFT_ISA
