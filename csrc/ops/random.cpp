#include "ops/random.h"

#include <cmath>

#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/scan.h"
#include "ops/sort.h"
#include "ops/view.h"
#include "tensor/hooks.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

DrawnStream draw_stream(Generator* generator, int64_t words, Device device) {
  Generator& from = generator ? *generator : default_generator();
  Recorder* recorder = anybody_records() ? current_recorder() : nullptr;
  if (!recorder || !recorder->arena(device)) {
    Generator::Range range = from.draw((uint64_t)words);
    return {{range.seed, range.offset, nullptr}, {}};
  }
  std::shared_ptr<py::object> owner;
  if (generator) owner = shared_callable(py::cast(generator, py::return_value_policy::reference));
  Ref<Storage> cell = recorder->random_cell(device, [&from, words, owner](uint64_t* at) {
    Generator::Range range = from.draw((uint64_t)words);
    at[0] = range.seed;
    at[1] = range.offset;
  });
  return {{0, 0, static_cast<const uint64_t*>(cell->data)}, cell};
}

Tensor random_permutation(int64_t n, Generator* generator) {
  WEFT_CHECK(n >= 0, Value, "[randperm] expected n >= 0, got ", n);
  Tensor y = Tensor::empty({n}, DType::Int64);
  launch("randperm", Device{}, kernels<RandomKernels>(Device{}).permutation,
         RandomPermutation{y.ptr<int64_t>(), n, draw_stream(generator, 2 * n).stream}, (double)n * 8);
  return y;
}

namespace {

int64_t words_of(const RandomFill& a) {
  bool two = a.kind == RandomKind::Integer || (a.kind != RandomKind::Bernoulli && a.dtype == DType::Float64);
  // Normal numbers come in pairs.
  return (a.n + (a.kind == RandomKind::Normal && a.n % 2)) * (two ? 2 : 1);
}

// Fills t, whatever its strides, off the tape. `a` says what with.
void fill_random(const char* name, const Tensor& t, RandomFill a, Generator* generator) {
  Tensor y = t.is_contiguous() ? t : Tensor::empty_like(t);
  a.n = y.numel();
  if (a.n == 0) return;
  a.y = y.data();
  a.dtype = y.dtype();
  DrawnStream drawn = draw_stream(generator, words_of(a), y.device());
  a.stream = drawn.stream;
  launch(name, y.device(), kernels<RandomKernels>(y.device()).fill, a, (double)a.n * 4);
  if (!t.is_contiguous()) copy_into(t, y);
}

RandomFill floats(const char* name, DType dtype, RandomKind kind, double a, double b) {
  WEFT_CHECK(is_floating(dtype), Runtime, "[", name, "] expected a floating dtype, got ", name_of(dtype));
  RandomFill f{};
  f.kind = kind;
  f.a = a;
  f.b = b;
  return f;
}

int64_t largest_of(DType dtype) {  // up to which every integer has its own value
  switch (dtype) {
    case DType::Bool: return 1;
    case DType::UInt8: return 255;
    case DType::Int8: return 127;
    case DType::Int16: return 32767;
    case DType::Int32: return INT32_MAX;
    case DType::Int64: return INT64_MAX;
    case DType::Float16: return 1 << 11;
    case DType::BFloat16: return 1 << 8;
    case DType::Float32: return 1 << 24;
    case DType::Float64: return (int64_t)1 << 53;
  }
  return 0;
}
int64_t smallest_of(DType dtype) {
  if (dtype == DType::Bool || dtype == DType::UInt8) return 0;
  return is_floating(dtype) ? -largest_of(dtype) : -largest_of(dtype) - 1;
}

RandomFill integers(const char* name, DType dtype, int64_t low, int64_t high) {  // high is excluded
  WEFT_CHECK(low < high, Runtime, "[", name, "] expected low < high, got ", low, " and ", high);
  WEFT_CHECK(low >= smallest_of(dtype) && high - 1 <= largest_of(dtype), Runtime, "[", name, "] ", low, " to ",
             high - 1, " does not fit ", name_of(dtype), ", which holds ", smallest_of(dtype), " to ",
             largest_of(dtype));
  RandomFill f{};
  f.kind = RandomKind::Integer;
  f.low = low;
  f.range = (uint64_t)high - (uint64_t)low;
  return f;
}

void check_probability(const char* name, double p) {
  WEFT_CHECK(p >= 0 && p <= 1, Runtime, "[", name, "] expected p between 0 and 1, got ", p);
}

RandomFill coin(const char* name, double p) {
  check_probability(name, p);
  RandomFill f{};
  f.kind = RandomKind::Bernoulli;
  f.a = p;
  return f;
}

Tensor bernoulli(const Tensor& p, Generator* generator) {
  WEFT_CHECK(is_floating(p.dtype()), Runtime, "[bernoulli] expected probabilities of a floating dtype, got ",
             name_of(p.dtype()));
  Tensor q = contiguous(p.detach()), y = Tensor::empty_like(q);
  if (q.device().is_cpu()) {
    GradMode off(false);
    at_each_run({to(q, DType::Float64)}, [](const TensorList& t) {
      for (int64_t i = 0; i < t[0].numel(); ++i) check_probability("bernoulli", t[0].ptr<double>()[i]);
    });
  }
  RandomFill f{};
  f.kind = RandomKind::Bernoulli;
  f.p = q.data();
  f.p_dtype = q.dtype();
  fill_random("bernoulli", y, f, generator);
  return y;
}

Tensor multinomial(const Tensor& weights, int64_t samples, bool replacement, Generator* generator) {
  WEFT_CHECK(is_floating(weights.dtype()), Runtime, "[multinomial] expected weights of a floating dtype, got ",
             name_of(weights.dtype()));
  WEFT_CHECK(weights.dim() == 1 || weights.dim() == 2, Runtime,
             "[multinomial] expected weights of 1 or 2 dimensions, got ", to_string(weights.shape()));
  WEFT_CHECK(samples > 0, Runtime, "[multinomial] expected num_samples > 0, got ", samples);
  GradMode off(false);
  Tensor w = contiguous(to(to(weights.detach(), Device{}), DType::Float64));
  int64_t cols = w.shape().back(), rows = cols ? w.numel() / cols : 0;
  WEFT_CHECK(cols > 0, Runtime, "[multinomial] expected at least one weight, got ", to_string(weights.shape()));
  at_each_run({w}, [rows, cols, least = replacement ? 1 : samples](const TensorList& t) {
    for (int64_t r = 0; r < rows; ++r) {
      int64_t positive = 0;
      for (int64_t c = 0; c < cols; ++c) {
        double v = t[0].ptr<double>()[r * cols + c];
        WEFT_CHECK(v >= 0 && std::isfinite(v), Runtime, "[multinomial] expected finite weights >= 0, got ", v,
                   " in row ", r, " at ", c);
        positive += v > 0;
      }
      WEFT_CHECK(positive >= least, Runtime, "[multinomial] expected at least ", least, " weights above 0 in row ", r,
                 ", got ", positive);
    }
  });
  Dims shape = w.shape();
  shape[shape.n - 1] = samples;
  Tensor y;
  if (replacement) {
    y = Tensor::empty(shape, DType::Int64);
    Tensor cdf = cumsum(w, -1);
    if (y.numel() > 0)
      launch("multinomial", Device{}, kernels<RandomKernels>(Device{}).choice,
             RandomChoice{y.ptr<int64_t>(), cdf.ptr<double>(), rows, cols, samples,
                          draw_stream(generator, 2 * y.numel()).stream},
             (double)y.numel() * 64);
  } else {
    // A race: the k first of independent exponential times with these rates (Efraimidis and Spirakis 2006).
    Tensor u = Tensor::empty(w.shape(), DType::Float64);
    fill_random("multinomial", u, floats("multinomial", DType::Float64, RandomKind::Uniform, 0, 1), generator);
    Tensor times = div(neg(log(rsub(u, 1))), w), never = Tensor::full({}, INFINITY, DType::Float64);
    y = topk(where(gt(w, 0.0), times, never), samples, -1, false).indices;
  }
  return to(y, weights.device());
}

// x.normal_() and the like: no gradient flows through.
template <class Make>
Tensor fill_inplace(const char* name, const Tensor& x, Generator* generator, const Make& make) {
  RandomFill f = make();
  InPlace change(name, x);
  fill_random(name, x, f, generator);
  change.done();
  if (needs_grad(x))
    record_inplace(name, x, {x}, [](Backward& b) {
      return b.grads(b.needs(0) ? Tensor::zeros(b.dy().shape(), b.dy().dtype(), b.dy().device()) : Tensor());
    });
  return x;
}

Dims sizes(const py::args& args) {
  if (args.size() == 1 && !PyLong_Check(args[0].ptr())) return args[0].cast<Dims>();
  return py::reinterpret_borrow<py::object>(args).cast<Dims>();
}

Tensor made(const char* name, const Dims& shape, const RandomFill& f, DType dtype, Device device, Generator* generator,
            bool requires_grad) {
  Tensor y = Tensor::empty(shape, dtype, device);
  fill_random(name, y, f, generator);
  if (requires_grad) y.set_requires_grad(true);
  return y;
}

void def_made(py::module_& m, const char* name, RandomKind kind, const char* doc) {
  m.def(
      name,
      [name, kind](py::args size, Generator* generator, std::optional<DType> dtype, std::optional<Device> device,
                   bool requires_grad) {
        DType d = dtype.value_or(default_dtype);
        return made(name, sizes(size), floats(name, d, kind, 0, 1), d, device.value_or(Device{}), generator,
                    requires_grad);
      },
      py::kw_only(), py::arg("generator") = py::none(), py::arg("dtype") = py::none(), py::arg("device") = py::none(),
      py::arg("requires_grad") = false, doc);
  m.def((std::string(name) + "_like").c_str(),
        [name, kind](const Tensor& like, Generator* generator, std::optional<DType> dtype, std::optional<Device> device,
                     bool requires_grad) {
          DType d = dtype.value_or(like.dtype());
          return made(name, like.shape(), floats(name, d, kind, 0, 1), d, device.value_or(like.device()), generator,
                      requires_grad);
        },
        py::arg("input"), py::kw_only(), py::arg("generator") = py::none(), py::arg("dtype") = py::none(),
        py::arg("device") = py::none(), py::arg("requires_grad") = false, doc);
}

}  // namespace

void bind_random(py::module_& m) {
  def_made(m, "rand", RandomKind::Uniform, "Uniform numbers in [0, 1); sizes as ints or as one sequence.");
  def_made(m, "randn", RandomKind::Normal,
           "Normal numbers of mean 0 and variance 1; sizes as ints or as one sequence.");

  auto randint = [](int64_t low, int64_t high, const Dims& size, Generator* generator, std::optional<DType> dtype,
                    std::optional<Device> device) {
    DType d = dtype.value_or(DType::Int64);
    return made("randint", size, integers("randint", d, low, high), d, device.value_or(Device{}), generator, false);
  };
  m.def(
      "randint",
      [randint](int64_t high, const Dims& size, Generator* generator, std::optional<DType> dtype,
                std::optional<Device> device) { return randint(0, high, size, generator, dtype, device); },
      py::arg("high"), py::arg("size"), py::kw_only(), py::arg("generator") = py::none(), py::arg("dtype") = py::none(),
      py::arg("device") = py::none());
  m.def("randint", randint, py::arg("low"), py::arg("high"), py::arg("size"), py::kw_only(),
        py::arg("generator") = py::none(), py::arg("dtype") = py::none(), py::arg("device") = py::none(),
        "Integers from low (0) up to, not including, high; int64 unless another dtype is given.");
  m.def(
      "randperm",
      [](int64_t n, Generator* generator, std::optional<DType> dtype, std::optional<Device> device) {
        return to(to(random_permutation(n, generator), dtype.value_or(DType::Int64)), device.value_or(Device{}));
      },
      py::arg("n"), py::kw_only(), py::arg("generator") = py::none(), py::arg("dtype") = py::none(),
      py::arg("device") = py::none(), "0 .. n-1 in random order.");
  def_both(
      m, "bernoulli",
      [](const Tensor& x, std::optional<double> p, Generator* generator) {
        if (!p) return bernoulli(x, generator);
        Tensor y = Tensor::empty_like(x);
        fill_random("bernoulli", y, coin("bernoulli", *p), generator);
        return y;
      },
      py::arg("p") = py::none(), py::kw_only(), py::arg("generator") = py::none(),
      "1 with probability p, by default with the one that the element states, else 0.");

  def_both(m, "multinomial", multinomial, py::arg("num_samples"), py::arg("replacement") = false, py::kw_only(),
           py::arg("generator") = py::none(),
           "Indices drawn with probabilities proportional to the weights, a vector or rows of them.");

  def_method(
      "normal_",
      [](const Tensor& x, double mean, double std, Generator* generator) {
        return fill_inplace("normal_", x, generator, [&] {
          WEFT_CHECK(std >= 0, Runtime, "[normal_] expected std >= 0, got ", std);
          return floats("normal_", x.dtype(), RandomKind::Normal, mean, std);
        });
      },
      py::arg("mean") = 0.0, py::arg("std") = 1.0, py::kw_only(), py::arg("generator") = py::none(),
      "Fills with normal numbers.");
  def_method(
      "uniform_",
      [](const Tensor& x, double from, double to, Generator* generator) {
        return fill_inplace("uniform_", x, generator, [&] {
          WEFT_CHECK(from <= to && std::isfinite(to - from), Runtime, "[uniform_] expected from <= to, got ", from,
                     " and ", to);
          return floats("uniform_", x.dtype(), RandomKind::Uniform, from, to);
        });
      },
      py::arg("from") = 0.0, py::arg("to") = 1.0, py::kw_only(), py::arg("generator") = py::none(),
      "Fills with uniform numbers in [from, to).");
  def_method(
      "bernoulli_",
      [](const Tensor& x, double p, Generator* generator) {
        return fill_inplace("bernoulli_", x, generator, [&] { return coin("bernoulli_", p); });
      },
      py::arg("p") = 0.5, py::kw_only(), py::arg("generator") = py::none(), "Fills with 1 (probability p) and 0.");
  def_method(
      "bernoulli_",
      [](const Tensor& x, const Tensor& p, Generator* generator) {
        Tensor self = x;
        return copy_(self, bernoulli(expand(p, x.shape()), generator));
      },
      py::arg("p"), py::kw_only(), py::arg("generator") = py::none());
  def_method(
      "random_",
      [](const Tensor& x, int64_t from, std::optional<int64_t> to, Generator* generator) {
        return fill_inplace("random_", x, generator, [&] {
          int64_t largest = largest_of(x.dtype());
          return integers("random_", x.dtype(), from, to.value_or(largest == INT64_MAX ? largest : largest + 1));
        });
      },
      py::arg("from") = 0, py::arg("to") = py::none(), py::kw_only(), py::arg("generator") = py::none(),
      "Fills with integers in [from, to); to: one more than the dtype holds exactly.");
}

}  // namespace weft
