// What Python sees of the ground floor: errors, threads, memory, instruction sets, random generators; and the hooks
// through which the ground floor sees Python.
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <random>

#include "base/allocator.h"
#include "base/cpus.h"
#include "base/generator.h"
#include "kernels/table.h"
#include "tensor/hooks.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

PyObject* exception_type(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Value: return PyExc_ValueError;
    case ErrorKind::Type: return PyExc_TypeError;
    case ErrorKind::Index: return PyExc_IndexError;
    case ErrorKind::Memory: return PyExc_MemoryError;
    case ErrorKind::NotImplemented: return PyExc_NotImplementedError;
    case ErrorKind::Overflow: return PyExc_OverflowError;
    case ErrorKind::Runtime: break;
  }
  return PyExc_RuntimeError;
}

void translate(std::exception_ptr p) {
  try {
    if (p) std::rethrow_exception(p);
  } catch (const Error& e) { PyErr_SetString(exception_type(e.kind), e.what()); }
}

bool on_main_thread() {
#if defined(__APPLE__)
  return pthread_main_np();
#else
  return syscall(SYS_gettid) == getpid();
#endif
}

bool finalizing() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing();
#else
  return _Py_IsFinalizing();
#endif
}

// Who came back to the GIL last, and has not let go of it since. Between two launches that takes a microsecond or two:
// to look on for so long is cheaper than to sleep, as the interpreter has it, and to be woken.
std::atomic<void*> at_the_gil{nullptr};
constexpr auto kLookOn = std::chrono::microseconds(10);

void* release_gil() {
  if (!PyGILState_Check()) return nullptr;
  void* state = PyEval_SaveThread();
  void* me = state;
  at_the_gil.compare_exchange_strong(me, nullptr, std::memory_order_relaxed);
  return state;
}

void look_on() {
  if (!at_the_gil.load(std::memory_order_relaxed)) return;
  const auto end = std::chrono::steady_clock::now() + kLookOn;
  while (at_the_gil.load(std::memory_order_relaxed) && std::chrono::steady_clock::now() < end) {}
}

[[noreturn]] void stay() {
  for (;;) pause();
}

void restore_gil(void* state) {
  // A daemon thread that comes back while the interpreter ends would be unwound through our frames, which aborts the
  // process. It stays here instead, as it does from Python 3.14 on; also where the end began while it waited.
  if (finalizing() && !on_main_thread()) stay();
  look_on();
  try {
    PyEval_RestoreThread(static_cast<PyThreadState*>(state));
    at_the_gil.store(state, std::memory_order_relaxed);
  } catch (...) { stay(); }  // nothing but the unwinding of a thread that ends gets here
}

// What a signal handler raised during a launch, until the launch ends. Main thread only.
std::optional<py::error_already_set> pending;

bool poll_signals() {
  if (!on_main_thread()) return false;
  if (pending) return true;
  PyGILState_STATE gil = PyGILState_Ensure();
  if (PyErr_CheckSignals() != 0) pending.emplace();
  PyGILState_Release(gil);
  return pending.has_value();
}

void raise_pending() {
  if (!pending) return;
  py::error_already_set error = *pending;
  pending.reset();
  throw error;
}

uint64_t fresh_seed() {
  std::random_device entropy;
  return (uint64_t)entropy() << 32 | entropy();
}

// As in PyTorch: any integer of 64 bits, signed or unsigned.
uint64_t seed_of(py::handle seed) {
  auto number = py::reinterpret_steal<py::object>(PyNumber_Index(seed.ptr()));
  if (!number) throw py::error_already_set();
  bool negative = number < py::int_(0);
  uint64_t value = negative ? (uint64_t)PyLong_AsLongLong(number.ptr()) : PyLong_AsUnsignedLongLong(number.ptr());
  if (PyErr_Occurred()) {
    PyErr_Clear();
    fail(ErrorKind::Overflow, "[manual_seed] expected a number of 64 bits, got " + (std::string)py::str(number));
  }
  return value;
}

constexpr int64_t kStateBytes = 16;  // seed, position

// Something that happens to a generator: now, and by each replay of a step being recorded.
template <class F>
void act_on(Generator& g, F f) {
  f();
  if (!anybody_records()) return;
  if (Recorder* r = current_recorder())
    r->random_act([f, owner = shared_callable(py::cast(&g, py::return_value_policy::reference))] { f(); });
}

Tensor state_of(Generator& g) {
  Tensor state = Tensor::table({kStateBytes}, DType::UInt8);
  act_on(g, [&g, at = state.data()] {
    uint64_t words[2] = {g.seed(), g.position()};
    memcpy(at, words, sizeof words);
  });
  return state;
}

void restore_state(Generator& g, const Tensor& state) {
  WEFT_CHECK(state.dtype() == DType::UInt8 && state.device().is_cpu() && state.dim() == 1 &&
                 state.numel() == kStateBytes && state.is_contiguous(),
             Value, "[set_state] expected a uint8 CPU tensor of ", kStateBytes, " elements, got ",
             name_of(state.dtype()), " ", to_string(state.shape()), " on ", to_string(state.device()));
  if (state.get()->storage->arena) note_cannot_replay("a generator's state is computed");
  act_on(g, [&g, at = state.data()] {
    uint64_t words[2];
    memcpy(words, at, sizeof words);
    g.set_state(words[0], words[1]);
  });
}

void seed_with(Generator& g, uint64_t seed) {
  act_on(g, [&g, seed] { g.manual_seed(seed); });
}
uint64_t seed_freshly(Generator& g) {
  if (anybody_records()) note_cannot_replay("a generator is seeded from the system's entropy");
  g.manual_seed(fresh_seed());
  return g.seed();
}

// For tests: keeps the pool busy with `pieces` pieces of so many microseconds each, and tells which worker ran each, or
// -1 where a call nested in it did not stay on its thread.
std::vector<int> trace_pieces(int64_t pieces, double microseconds, int max_workers, int64_t nested, bool apart) {
  using Clock = std::chrono::steady_clock;
  std::vector<int> workers(pieces, -2);
  {
    WithoutGil free(true);
    parallel(
        pieces,
        [&](int64_t piece, int worker) {
          auto end = Clock::now() + std::chrono::duration<double, std::micro>(microseconds);
          while (Clock::now() < end) {}
          pthread_t self = pthread_self();
          bool stayed = true;
          parallel(nested, [&](int64_t, int inner) { stayed &= inner == 0 && pthread_equal(pthread_self(), self); });
          workers[piece] = stayed ? worker : -1;
        },
        max_workers, apart ? Order::Apart : Order::Ascending);
  }
  after_launch("trace_pieces", {});
  return workers;
}

void bind_threads(py::module_& m) {
  m.def("_trace_pieces", &trace_pieces, py::arg("pieces"), py::arg("microseconds") = 0.0, py::arg("max_workers") = 0,
        py::arg("nested") = 0, py::arg("apart") = false);
  m.def("num_threads", &num_threads, "Threads that operations use: WEFT_NUM_THREADS, else affinity and CPU quota.");
  m.def("get_num_threads", &num_threads, "The same as num_threads().");
  m.def("set_num_threads", &set_num_threads, py::arg("threads"),
        "Sets the number of threads that operations use. Results do not depend on it.");
  m.def("_cgroup_quota", &cgroup_quota, py::arg("self"), py::arg("root"));
  m.def("_available_cpus", &available_cpus);
}

void bind_memory(py::module_& m) {
  m.def(
      "memory_stats",
      [] {
        MemoryStats s = memory_stats_cpu();
        py::dict d;
        d["in_use"] = s.in_use;
        d["peak"] = s.peak;
        d["cached"] = s.cached;
        d["allocations"] = s.allocations;
        d["cache_hits"] = s.cache_hits;
        return d;
      },
      "CPU memory: bytes in use, their peak, bytes cached for reuse; allocations so far, and how many came from the "
      "cache.");
  m.def("empty_cache", &empty_cache_cpu, "Gives cached CPU memory back to the system.");
  m.def("reset_peak", &reset_peak_memory_cpu, "Sets the peak of memory_stats() to what is in use now.");
  m.def(
      "set_cache_limit",
      [](int64_t bytes) {
        WEFT_CHECK(bytes >= 0, Value, "[set_cache_limit] expected bytes >= 0, got ", bytes);
        set_cache_limit_cpu((size_t)bytes);
      },
      py::arg("bytes"), "Bytes of CPU memory kept for reuse. Default: an eighth of the machine's, at most 1 GiB.");
}

void bind_isas(py::module_& m) {
  auto isas = [] {
    const char* names[8];
    int n = cpu_isas(names, 8);
    return std::vector<std::string>(names, names + n);
  };
  m.def("cpu_isa", &cpu_isa, "The instruction set of the CPU kernels in use.");
  m.def("cpu_isas", isas, "The instruction sets that this build has and this processor runs, best first.");
  m.def(
      "set_cpu_isa",
      [isas](const std::string& name) {
        WEFT_CHECK(set_cpu_isa(name.c_str()), Value, "[set_cpu_isa] expected one of ",
                   (std::string)py::str(py::cast(isas())), ", got '", name, "'");
      },
      py::arg("name"), "Chooses the CPU kernels; WEFT_CPU_ISA does so from the start.");
}

void bind_generators(py::module_& m) {
  py::class_<Generator> generator(m, "Generator", "A stream of random numbers: a seed and a position.");
  generator
      .def(py::init([](Device device) {
             WEFT_CHECK(device.is_cpu() || device.is_cuda(), Value, "[Generator] unknown device");
             return std::make_unique<Generator>(67280421310721ull);  // PyTorch's default
           }),
           py::arg("device") = "cpu")
      .def(
          "manual_seed",
          [](Generator& g, py::object seed) -> Generator& {
            seed_with(g, seed_of(seed));
            return g;
          },
          py::arg("seed"), py::return_value_policy::reference, "Starts the stream of this seed. Returns the generator.")
      .def("seed", &seed_freshly, "Seeds from the system's entropy and returns the seed.")
      .def("initial_seed", &Generator::seed, "The seed of the stream.")
      .def("get_state", &state_of, "The stream's seed and position as a uint8 tensor.")
      .def("set_state", &restore_state, py::arg("new_state"), "Continues where get_state() was called.");

  m.attr("default_generator") = py::cast(&default_generator(), py::return_value_policy::reference);
  m.def(
      "manual_seed",
      [](py::object seed) -> Generator& {
        seed_with(default_generator(), seed_of(seed));
        return default_generator();
      },
      py::arg("seed"), py::return_value_policy::reference, "Seeds the default generator and returns it.");
  m.def("initial_seed", [] { return default_generator().seed(); }, "The default generator's seed.");
  m.def(
      "seed", [] { return seed_freshly(default_generator()); },
      "Seeds the default generator from the system's entropy and returns the seed.");
  m.def("get_rng_state", [] { return state_of(default_generator()); }, "The default generator's state.");
  m.def(
      "set_rng_state", [](const Tensor& state) { restore_state(default_generator(), state); }, py::arg("new_state"),
      "Sets the default generator's state.");
}

}  // namespace

// For threadpoolctl, which knows a library by its exported symbols.
#define WEFT_EXPORT extern "C" __attribute__((visibility("default")))
WEFT_EXPORT int weft_get_num_threads() { return num_threads(); }
WEFT_EXPORT void weft_set_num_threads(int n) { set_num_threads(std::clamp(n, 1, kMaxThreads)); }

void bind_runtime(py::module_& m) {
  py::register_local_exception_translator(translate);
  gil_release = release_gil;
  gil_restore = restore_gil;
  interrupt_poll = poll_signals;
  raise_interrupted = raise_pending;
  cpu_isa();  // a bad WEFT_CPU_ISA or WEFT_NUM_THREADS is told at import
  if (getenv("WEFT_NUM_THREADS")) num_threads();
  m.attr("__version__") = WEFT_VERSION;
  bind_threads(m);
  bind_memory(m);
  bind_isas(m);
  bind_generators(m);
}

}  // namespace weft
