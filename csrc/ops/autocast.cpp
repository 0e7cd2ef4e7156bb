#include "ops/autocast.h"

#include <unordered_map>

#include "ops/copy.h"

namespace weft {
namespace {

struct LowerCopy {  // the conversion of a parameter
  Ref<TensorImpl> of;
  uint32_t version;
  Tensor cast;
};

struct State {
  bool enabled[2] = {};
  DType dtype[2] = {DType::BFloat16, DType::Float16};
  bool cache = true;
  int depth = 0;
  std::unordered_map<TensorImpl*, LowerCopy> kept;
};
thread_local State state;

int index_of(Device d) { return d.is_cuda() ? 1 : 0; }
int index_of(const char* op, const std::string& device_type) {
  WEFT_CHECK(device_type == "cpu" || device_type == "cuda", Runtime, "[", op,
             "] expected device type 'cpu' or 'cuda', ", "got '", device_type, "'");
  return device_type == "cuda";
}

// The kept conversion, if it is that of the value now, and can still be differentiated if it has to be.
bool usable(const LowerCopy& kept, const Tensor& t, DType to) {
  if (kept.version != t.version() || kept.cast.dtype() != to || kept.cast.requires_grad() != grad_enabled())
    return false;
  Ref<Node> node = grad_fn_of(kept.cast);
  return !node || !node->released;
}

}  // namespace

bool autocast_active() { return state.enabled[0] || state.enabled[1]; }

void autocast_state(bool (&on)[2], DType (&lower)[2]) {
  for (int i = 0; i < 2; ++i) {
    on[i] = state.enabled[i];
    lower[i] = state.dtype[i];
  }
}

WithoutKeptConversions::WithoutKeptConversions()
    : before(std::make_shared<decltype(state.kept)>(std::exchange(state.kept, {}))) {}
WithoutKeptConversions::~WithoutKeptConversions() {
  state.kept = std::move(*std::static_pointer_cast<decltype(state.kept)>(before));
}

std::optional<DType> autocast_dtype(Autocast policy, const Tensor& t) {
  if (!t.defined() || !is_floating(t.dtype()) || t.dtype() == DType::Float64) return {};
  const int device = index_of(t.device());
  if (!state.enabled[device]) return {};
  return policy == Autocast::Float32 ? DType::Float32 : state.dtype[device];
}

Tensor autocast(Autocast policy, const Tensor& t) {
  const std::optional<DType> wanted = autocast_dtype(policy, t);
  if (!wanted || t.dtype() == *wanted) return t;
  const DType target = *wanted;
  const bool parameter = t.dtype() == DType::Float32 && t.requires_grad() && t.is_leaf() && !is_view(t);
  if (!parameter || !state.cache || state.depth == 0) return to(t, target);
  auto found = state.kept.find(t.get());
  if (found != state.kept.end() && usable(found->second, t, target)) return found->second.cast;
  LowerCopy kept{t.ref(), t.version(), to(t, target)};
  Tensor cast = kept.cast;
  state.kept.insert_or_assign(t.get(), std::move(kept));
  return cast;
}

void bind_autocast(py::module_& m) {
  const auto device = py::arg("device_type");
  m.def(
      "is_autocast_enabled", [](const std::string& d) { return state.enabled[index_of("is_autocast_enabled", d)]; },
      py::arg("device_type") = "cuda", "Whether autocast is on for 'cpu' or 'cuda' on this thread.");
  m.def(
      "set_autocast_enabled",
      [](const std::string& d, bool on) { state.enabled[index_of("set_autocast_enabled", d)] = on; }, device,
      py::arg("enabled"), "Switches autocast for a device type on this thread. weft.autocast does it for a region.");
  m.def(
      "get_autocast_dtype", [](const std::string& d) { return state.dtype[index_of("get_autocast_dtype", d)]; }, device,
      "The dtype that products take under autocast: bfloat16 on 'cpu' and float16 on 'cuda' unless set.");
  m.def(
      "set_autocast_dtype",
      [](const std::string& d, DType dtype) {
        WEFT_CHECK(dtype == DType::Float16 || dtype == DType::BFloat16, Runtime,
                   "[set_autocast_dtype] expected float16 or bfloat16, got ", name_of(dtype));
        state.dtype[index_of("set_autocast_dtype", d)] = dtype;
      },
      device, py::arg("dtype"), "Sets the dtype that products take under autocast: float16 or bfloat16.");
  m.def("is_autocast_cache_enabled", [] { return state.cache; }, "Whether conversions of parameters are kept.");
  m.def(
      "set_autocast_cache_enabled", [](bool on) { state.cache = on; }, py::arg("enabled"),
      "Whether conversions of parameters are kept until the outermost region ends.");
  m.def("clear_autocast_cache", [] { state.kept.clear(); }, "Forgets the conversions of parameters on this thread.");
  m.def("autocast_increment_nesting", [] { return ++state.depth; }, "Enters a region: how many there are now.");
  m.def("autocast_decrement_nesting", [] { return --state.depth; }, "Leaves a region: how many are left.");
  m.def(
      "_autocast_float32", [](const Tensor& t) { return autocast(Autocast::Float32, t); }, py::arg("input"),
      "The tensor as an operation in float32 takes it under autocast.");
  m.def(
      "_autocast_lower", [](const Tensor& t) { return autocast(Autocast::Lower, t); }, py::arg("input"),
      "The tensor as a product takes it under autocast.");
  m.def("_autocast_active", autocast_active, "Whether autocast is on for any device on this thread.");
}

}  // namespace weft
