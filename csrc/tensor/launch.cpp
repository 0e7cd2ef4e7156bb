#include "tensor/launch.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "kernels/table.h"
#include "tensor/trace.h"

namespace weft {

void* (*gil_release)() = nullptr;
void (*gil_restore)(void*) = nullptr;
void (*raise_interrupted)() = nullptr;

#define ISA(name)              \
  namespace isa_##name {       \
    void fill_table(Kernels&); \
  }
WEFT_ISA_LIST
#undef ISA

namespace {

// The compiler's runtime asks the processor and whether the system saves the registers.
[[maybe_unused]] bool runs_generic() { return true; }
#if defined(__x86_64__)
[[maybe_unused]] bool runs_v2() { return __builtin_cpu_supports("x86-64-v2"); }
[[maybe_unused]] bool runs_v3() { return __builtin_cpu_supports("x86-64-v3"); }
[[maybe_unused]] bool runs_v4() {
  return __builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512bf16") &&
         __builtin_cpu_supports("avx512vnni");
}
#endif

struct Isa {
  const char* name;
  bool runs;
  Kernels table;
};

// Best first, as built.
struct Isas {
  Isa list[8];
  int count = 0;
  std::atomic<Isa*> active{nullptr};

  Isas() {
#define ISA(name) add(#name, runs_##name(), isa_##name::fill_table);
    WEFT_ISA_LIST
#undef ISA
    const char* wanted = getenv("WEFT_CPU_ISA");
    if (wanted && *wanted) {
      WEFT_CHECK(find(wanted), Value, "WEFT_CPU_ISA: expected one of ", names(true), " on this processor, got '",
                 wanted, find(wanted, false) ? "', which it cannot run" : "'");
      active = find(wanted);
      return;
    }
    for (int i = count - 1; i >= 0; --i)
      if (list[i].runs) active = &list[i];
    WEFT_CHECK(active, Runtime, "this build has kernels for ", names(false), ", and this processor runs none of them");
  }

  void add(const char* name, bool runs, void (*fill)(Kernels&)) {
    list[count] = {name, runs, {}};
    fill(list[count++].table);
  }

  Isa* find(const char* name, bool runnable = true) {
    for (int i = 0; i < count; ++i)
      if (strcmp(list[i].name, name) == 0 && (list[i].runs || !runnable)) return &list[i];
    return nullptr;
  }

  std::string names(bool runnable) const {
    std::string text;
    for (int i = 0; i < count; ++i)
      if (list[i].runs || !runnable) text += (text.empty() ? "'" : ", '") + std::string(list[i].name) + "'";
    return text;
  }
};

Isas& isas() {
  static Isas all;
  return all;
}

thread_local Recorder* recorder = nullptr;

}  // namespace

const char* cpu_isa() { return isas().active.load()->name; }

bool set_cpu_isa(const char* name) {
  Isa* isa = isas().find(name);
  if (isa) isas().active = isa;
  return isa != nullptr;
}

int cpu_isas(const char** names, int capacity) {
  int n = 0;
  for (int i = 0; i < isas().count; ++i) {
    if (!isas().list[i].runs) continue;
    if (n < capacity) names[n] = isas().list[i].name;
    ++n;
  }
  return n;
}

Kernels& kernel_table(int device_kind) {
  static Kernels cuda;
  return device_kind == (int)DeviceKind::CPU ? isas().active.load(std::memory_order_relaxed)->table : cuda;
}

// Instantiated here alone, so that an operation sees its own contract and not all of them.
template <class Stem>
const Stem& kernels(Device d) {
  const Kernels& all = kernel_table((int)d.kind);
#define STEM(Type, name) \
  if constexpr (std::is_same_v<Stem, Type>) return all.name;
  WEFT_STEMS(STEM)
#undef STEM
}
#define STEM(Type, name) template const Type& kernels<Type>(Device);
WEFT_STEMS(STEM)
#undef STEM

std::atomic<int> active_recorders{0};
Recorder*& current_recorder() { return recorder; }
Ref<Storage> Recorder::random_cell(Device, std::function<void(uint64_t*)>) { return {}; }
void note_use(Storage& storage) {
  if (recorder) recorder->used(storage);
}
void note_host_read(const char* what) {
  if (recorder) recorder->cannot_replay(cat(what, " reads a value on the host"));
}
void note_cannot_replay(const char* why) {
  if (recorder) recorder->cannot_replay(why);
}

WithoutGil::WithoutGil(bool worth_it) : state(worth_it && gil_release ? gil_release() : nullptr) {}
WithoutGil::~WithoutGil() {
  if (state) gil_restore(state);
}

namespace {

[[noreturn]] void launch_failed(const char* name, Device device) {
  fail(ErrorKind::Runtime,
       cat("[", name, "] failed on ", to_string(device), ": ", device_runtime(device.kind).error()));
}

}  // namespace

void before_launch(const char* name, Device device, bool has_kernel) {
  WEFT_CHECK(has_kernel, NotImplemented, "[", name, "] has no kernel for ", to_string(device),
             device.is_cpu() ? "" : ": move the inputs to the CPU with .to('cpu')");
  if (device.is_cpu()) return;
  if (!device_runtime(device.kind).before_launch(device.index)) launch_failed(name, device);
}

void after_launch(const char* name, Device device) {
  if (anybody_records()) trace_finished();
  if (take_interrupted() && raise_interrupted) raise_interrupted();
  if (device.is_cpu()) return;
  if (!device_runtime(device.kind).after_launch(device.index)) launch_failed(name, device);
}

}  // namespace weft
