// Autocast: on a thread where it is switched on, some operations called from Python convert their floating tensors
// first. Products take the lower dtype, and what loses too much in it takes float32; all others go on as they are, and
// mixed dtypes promote. An operation says so where it is bound: m.def("mm", autocasting<Autocast::Lower>(mm), …).
// Operations that are called from C++, in backward above all, convert nothing.
//
// The conversion is part of the tape: gradients reach float32 parameters in float32. That of a parameter is kept until
// the outermost region ends, the parameter changes, or its gradient has been taken.
#pragma once

#include <optional>

#include "tensor/python.h"

namespace weft {

enum class Autocast { Lower, Float32 };

bool autocast_active();                                 // on this thread, for any device
void autocast_state(bool (&on)[2], DType (&lower)[2]);  // of the CPU, of GPUs
struct WithoutKeptConversions {  // for as long as it lives this thread's conversions of parameters are made anew
  WithoutKeptConversions();
  ~WithoutKeptConversions();
  std::shared_ptr<void> before;
};
std::optional<DType> autocast_dtype(Autocast to, const Tensor& t);  // nothing where t is left as it is
Tensor autocast(Autocast to, const Tensor& t);

inline std::optional<Tensor> autocast(Autocast to, const std::optional<Tensor>& t) {
  return t ? std::optional<Tensor>(autocast(to, *t)) : t;
}
inline TensorList autocast(Autocast to, const TensorList& list) {
  TensorList cast;
  for (const Tensor& t : list) cast.push_back(autocast(to, t));
  return cast;
}
template <class T>
const T& autocast(Autocast, const T& other) {
  return other;
}

template <Autocast To, class F, class R, class... A>
auto autocasting_as(F f, R (*)(A...)) {
  return [f = std::move(f)](A... args) -> R {
    if (!autocast_active()) return f(std::forward<A>(args)...);
    return f(autocast(To, args)...);
  };
}
template <Autocast To, class F>
auto autocasting(F f) {
  return autocasting_as<To>(std::move(f), static_cast<py::detail::function_signature_t<F>*>(nullptr));
}

}  // namespace weft
