#include "plan/host_random.h"

#include <cstring>

namespace weft {

namespace {

struct Generators {
  py::object python, numpy, plain;  // plain: the class whose layout the first has

  static const Generators& get() {
    static const auto* all = new Generators{py::module_::import("random").attr("_inst"),
                                            py::module_::import("numpy.random.mtrand").attr("_rand"),
                                            py::module_::import("_random").attr("Random")};
    return *all;
  }
};

void append(std::vector<char>& bytes, py::handle o, py::handle type) {
  const char* begin = reinterpret_cast<const char*>(o.ptr());
  bytes.insert(bytes.end(), begin + sizeof(PyObject), begin + ((PyTypeObject*)type.ptr())->tp_basicsize);
}

}  // namespace

// The generators behind random.random() and numpy.random.rand() keep their state within their objects: these bytes tell
// in half a microsecond what getstate() and get_state() tell in forty.
std::vector<char> HostRandom::state() {
  const Generators& all = Generators::get();
  std::vector<char> bytes;
  bytes.reserve(8192);
  append(bytes, all.python, all.plain);
  append(bytes, all.numpy, py::type::of(all.numpy));
  const py::object bits = all.numpy.attr("_bit_generator");
  append(bytes, bits, py::type::of(bits));
  // gauss() draws two numbers at once and keeps one of them.
  bytes.push_back(all.python.attr("gauss_next").is_none());
  return bytes;
}

}  // namespace weft
