#include "ops/matmul.h"

#include "ops/autocast.h"
#include "ops/copy.h"
#include "ops/packed.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

// The batch dimensions of c, merged where all three allow it; one that only adds rows to A is folded into m.
void set_batch(MatmulArgs& p, const Tensor& c, const Tensor& a, const Tensor& b) {
  auto stride = [&](const Tensor& t, int d) {  // of c's dimension d
    int own = d - (c.dim() - t.dim());
    return own < 0 || t.shape()[own] == 1 ? 0 : t.strides()[own];
  };
  int& n = p.batch_dims;
  for (int d = 0; d < c.dim() - 2; ++d) {
    const int64_t size = c.shape()[d], sa = stride(a, d), sb = stride(b, d), sc = c.strides()[d];
    if (size == 1) continue;
    if (n > 0 && p.a_batch[n - 1] == sa * size && p.b_batch[n - 1] == sb * size && p.c_batch[n - 1] == sc * size)
      --n;
    else
      p.batch[n] = 1;
    p.batch[n] *= size;
    p.a_batch[n] = sa;
    p.b_batch[n] = sb;
    p.c_batch[n] = sc;
    ++n;
  }
  if (n > 0 && p.b_batch[n - 1] == 0 &&
      (p.m == 1 || (p.a_batch[n - 1] == p.m * p.a_row && p.c_batch[n - 1] == p.m * p.c_row))) {
    --n;
    if (p.m == 1) {
      p.a_row = p.a_batch[n];
      p.c_row = p.c_batch[n];
    }
    p.m *= p.batch[n];
  }
}

// B packed, where it serves product after product: a weight, mostly.
Ref<Storage> packed_b(MatmulArgs& p, const Tensor& b, const MatmulKernels& k) {
  if (b.dim() != 2 || !k.packed_bytes || p.k * p.n < 4096) return {};
  const int64_t bytes = k.packed_bytes(p);
  if (bytes == 0) return {};
  const PackedKey key{
      reinterpret_cast<void (*)()>(k.pack), b.get()->offset, {p.k, p.n, p.b_row, p.b_col, (int64_t)p.dtype}};
  Ref<Storage> memory = packed_copy(b, key, bytes, [&](void* to) {
    MatmulArgs copy = p;
    copy.workspace = to;
    launch("matmul", b.device(), k.pack, copy, (double)bytes);
  });
  if (memory) p.b_packed = memory->data;
  return memory;
}

Dims product_shape(const char* op, const Tensor& a, bool a_transposed, const Tensor& b, bool b_transposed) {
  Dims sa = a.shape(), sb = b.shape();
  const int64_t m = sa[sa.n - (a_transposed ? 1 : 2)], n = sb[sb.n - (b_transposed ? 2 : 1)];
  sa.n -= 2, sb.n -= 2;
  Dims shape = sa == sb ? sa : broadcast_shapes(op, sa, sb);
  shape.push_back(m);
  shape.push_back(n);
  return shape;
}

void check_inner(const char* op, const Tensor& a, const Tensor& b) {
  const int64_t ka = a.shape()[a.dim() - 1], kb = b.shape()[b.dim() - 2];
  WEFT_CHECK(ka == kb, Runtime, "[", op, "] expected the first tensor's last dimension to equal the second's one ",
             "before the last, got shapes ", to_string(a.shape()), " and ", to_string(b.shape()), " (", ka, " and ", kb,
             ")");
}

void check_dims(const char* op, const char* name, const Tensor& t, int dims) {
  WEFT_CHECK(t.dim() == dims, Runtime, "[", op, "] expected ", name, " of ", dims, " dimension", dims > 1 ? "s" : "",
             ", got shape ", to_string(t.shape()));
}

Tensor int_mm(const Tensor& a, const Tensor& b) {
  check_dims("_int_mm", "input", a, 2);
  check_dims("_int_mm", "mat2", b, 2);
  WEFT_CHECK((a.dtype() == DType::Int8 || a.dtype() == DType::UInt8) && b.dtype() == DType::Int8, Runtime,
             "[_int_mm] expected int8 or uint8 times int8, got ", name_of(a.dtype()), " and ", name_of(b.dtype()));
  WEFT_CHECK(a.device() == b.device(), Runtime, "[_int_mm] expected tensors on one device, got ", to_string(a.device()),
             " and ", to_string(b.device()), "; move one with .to()");
  check_inner("_int_mm", a, b);
  Tensor c = Tensor::empty({a.shape()[0], b.shape()[1]}, DType::Int32, a.device());
  product_into("_int_mm", c, a, false, b, false);
  return c;
}

Tensor grad_a(const Tensor& dy, const Tensor& b, const Dims& shape) { return sum_to(times(dy, false, b, true), shape); }

Tensor grad_b(const Tensor& dy, const Tensor& a, const Dims& shape) {
  // A matrix shared by a whole batch: one long sum instead of many matrices to add.
  if (shape.n == 2 && a.dim() > 2 && a.dim() == dy.dim()) return times(rows_of(a), true, rows_of(dy), false);
  return sum_to(times(a, true, dy, false), shape);
}

Tensor matmul_matrices(const char* op, const Tensor& a, const Tensor& b) {
  check_operands(op, a, b);
  check_inner(op, a, b);
  Tensor c = product(op, a, false, b, false);
  if (needs_grad(a, b))
    record(op, {a, b}, {c},
           [a_shape = a.shape(), b_shape = b.shape(), a = needs_grad(b) ? Saved(a) : Saved(),
            b = needs_grad(a) ? Saved(b) : Saved()](Backward& back) {
             return back.grads(back.needs(0) ? grad_a(back.dy(), b.get(back), a_shape) : Tensor(),
                               back.needs(1) ? grad_b(back.dy(), a.get(back), b_shape) : Tensor());
           });
  return c;
}

Tensor add_product(const char* op, const Tensor& input, const Tensor& a, const Tensor& b, double beta, double alpha) {
  check_operands(op, a, b);
  check_operands(op, input, a);
  check_inner(op, a, b);
  WEFT_CHECK(a.dim() == 2 || a.shape()[0] == b.shape()[0], Runtime, "[", op, "] expected as many matrices in the ",
             "first batch as in the second, got shapes ", to_string(a.shape()), " and ", to_string(b.shape()));
  Dims shape = product_shape(op, a, false, b, false);
  WEFT_CHECK(broadcast_shapes(op, input.shape(), shape) == shape, Runtime, "[", op, "] expected an input that ",
             "broadcasts to ", to_string(shape), ", got shape ", to_string(input.shape()));
  Tensor c = Tensor::empty(shape, a.dtype(), a.device());
  Epilogue e;
  e.alpha = alpha;
  if (input.dim() == 1 && input.shape()[0] == shape.back() && beta == 1) {
    e.bias = contiguous(input.detach());
  } else if (beta != 0) {
    copy_into(c, input.detach());
    e.beta = beta;
  }
  product_into(op, c, a, false, b, false, e);
  if (needs_grad(input, a, b))
    record(op, {input, a, b}, {c},
           [beta, alpha, shape = input.shape(), a = needs_grad(b) ? Saved(a) : Saved(),
            b = needs_grad(a) ? Saved(b) : Saved()](Backward& back) {
             const Tensor& dy = back.dy();
             auto scaled = [](const Tensor& t, double by) { return by == 1 ? t : mul(t, by); };
             return back.grads(back.needs(0) ? scaled(sum_to(dy, shape), beta) : Tensor(),
                               back.needs(1) ? scaled(times(dy, false, b.get(back), true), alpha) : Tensor(),
                               back.needs(2) ? scaled(times(a.get(back), true, dy, false), alpha) : Tensor());
           });
  return c;
}

}  // namespace

void check_operands(const char* op, const Tensor& a, const Tensor& b) {
  WEFT_CHECK(a.dtype() == b.dtype(), Runtime, "[", op, "] expected tensors of one dtype, got ", name_of(a.dtype()),
             " and ", name_of(b.dtype()), "; convert one with .to()");
  WEFT_CHECK(a.dtype() != DType::Bool, NotImplemented, "[", op, "] expected numbers, got bool; convert with .to()");
  WEFT_CHECK(a.device() == b.device(), Runtime, "[", op, "] expected tensors on one device, got ",
             to_string(a.device()), " and ", to_string(b.device()), "; move one with .to()");
}

void product_into(const char* op, const Tensor& c, const Tensor& a, bool a_transposed, const Tensor& b,
                  bool b_transposed, const Epilogue& e) {
  MatmulArgs p{};
  const int na = a.dim(), nb = b.dim(), nc = c.dim();
  const int ra = a_transposed ? na - 1 : na - 2, rb = b_transposed ? nb - 1 : nb - 2;  // the rows' dimension
  const int ca = 2 * na - 3 - ra, cb = 2 * nb - 3 - rb;
  p.m = a.shape()[ra], p.k = a.shape()[ca], p.n = b.shape()[cb];
  // The stride of a dimension of size 1 means nothing; 1 is what the kernels like.
  p.a_row = a.strides()[ra], p.a_col = p.k == 1 ? 1 : a.strides()[ca];
  p.b_row = b.strides()[rb], p.b_col = p.n == 1 ? 1 : b.strides()[cb];
  p.c_row = c.strides()[nc - 2], p.c_col = p.n == 1 ? 1 : c.strides()[nc - 1];
  if (nc > 2) set_batch(p, c, a, b);
  p.c = c.data(), p.a = a.data(), p.b = b.data();
  p.dtype = c.dtype();
  if (p.dtype == DType::Int32 && a.dtype() != DType::Int32)
    p.bytes = a.dtype() == DType::Int8 ? ByteProduct::Signed : ByteProduct::Unsigned;
  p.alpha = e.alpha, p.beta = e.beta;
  p.bias = e.bias.defined() ? e.bias.data() : nullptr;
  p.pre = e.pre.defined() ? e.pre.data() : nullptr;
  p.act = e.act;
  p.workers = num_threads();

  const MatmulKernels& k = kernels<MatmulKernels>(c.device());
  const Ref<Storage> packed = packed_b(p, b, k);
  p.workspace_bytes = k.workspace ? k.workspace(p) : 0;
  Workspace room(p.workspace_bytes, c.device());
  p.workspace = room.data();
  double work = (double)p.m * (double)p.n * (double)(p.k + 1);
  for (int d = 0; d < p.batch_dims; ++d) work *= (double)p.batch[d];
  launch(op, c.device(), k.forward, p, work);
}

Tensor product(const char* op, const Tensor& a, bool a_transposed, const Tensor& b, bool b_transposed,
               const Epilogue& e) {
  Tensor c = Tensor::empty(product_shape(op, a, a_transposed, b, b_transposed), a.dtype(), a.device());
  product_into(op, c, a, a_transposed, b, b_transposed, e);
  return c;
}

Tensor times(const Tensor& a, bool a_transposed, const Tensor& b, bool b_transposed) {
  if (!grad_enabled()) return product("matmul", a, a_transposed, b, b_transposed);
  return matmul_matrices("matmul", a_transposed ? transpose(a, -2, -1) : a, b_transposed ? transpose(b, -2, -1) : b);
}

Tensor rows_of(const Tensor& x) {
  if (x.dim() == 2) return x;
  int64_t rows = 1;
  for (int d = 0; d < x.dim() - 1; ++d) rows *= x.shape()[d];
  return reshape(x, {rows, x.shape().back()});
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  const bool a_vector = a.dim() == 1, b_vector = b.dim() == 1;
  WEFT_CHECK(a.dim() > 0 && b.dim() > 0, Runtime, "[matmul] expected at least one dimension, got shapes ",
             to_string(a.shape()), " and ", to_string(b.shape()));
  if (!a_vector && !b_vector) return matmul_matrices("matmul", a, b);
  WEFT_CHECK(a.shape().back() == b.shape()[b_vector ? 0 : b.dim() - 2], Runtime,
             "[matmul] expected equal lengths along the sum, got shapes ", to_string(a.shape()), " and ",
             to_string(b.shape()));
  Tensor c = matmul_matrices("matmul", a_vector ? unsqueeze(a, 0) : a, b_vector ? unsqueeze(b, 1) : b);
  if (b_vector) c = squeeze(c, -1);
  return a_vector ? squeeze(c, b_vector ? -1 : -2) : c;
}

Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta, double alpha) {
  check_dims("addmm", "mat1", a, 2);
  check_dims("addmm", "mat2", b, 2);
  return add_product("addmm", input, a, b, beta, alpha);
}

Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta, double alpha) {
  check_dims("baddbmm", "batch1", a, 3);
  check_dims("baddbmm", "batch2", b, 3);
  return add_product("baddbmm", input, a, b, beta, alpha);
}

void bind_matmul(py::module_& m) {
  m.def("_packed_bytes", packed_bytes_held, "Bytes of weights packed for products that come again.");
  m.def("_int_mm", int_mm, py::arg("input"), py::arg("mat2"),
        "Exact product of bytes: int8 or uint8 [m, k] times int8 [k, n] gives int32 [m, n], which wraps.");
  def_both(
      m, "matmul", autocasting<Autocast::Lower>(matmul), py::arg("other"),
      "Matrix product of [..., m, k] and [..., k, n]: [..., m, n], with broadcasting over the leading dimensions.\n"
      "A vector counts as a row on the left and as a column on the right, and its dimension goes again.\n"
      "RuntimeError unless the sum's lengths, the dtypes and the devices agree.");
  def_method("__matmul__", autocasting<Autocast::Lower>(matmul), py::is_operator());
  def_both(m, "mm", autocasting<Autocast::Lower>([](const Tensor& a, const Tensor& b) {
             check_dims("mm", "input", a, 2);
             check_dims("mm", "mat2", b, 2);
             return matmul_matrices("mm", a, b);
           }),
           py::arg("mat2"), "[m, k] times [k, n]: [m, n]. No broadcasting. See matmul.");
  def_both(m, "bmm", autocasting<Autocast::Lower>([](const Tensor& a, const Tensor& b) {
             check_dims("bmm", "input", a, 3);
             check_dims("bmm", "mat2", b, 3);
             WEFT_CHECK(a.shape()[0] == b.shape()[0], Runtime,
                        "[bmm] expected as many matrices in one batch as in the ", "other, got shapes ",
                        to_string(a.shape()), " and ", to_string(b.shape()));
             return matmul_matrices("bmm", a, b);
           }),
           py::arg("mat2"), "[b, m, k] times [b, k, n]: [b, m, n]. No broadcasting. See matmul.");
  def_both(
      m, "mv",
      [](const Tensor& a, const Tensor& v) {
        check_dims("mv", "input", a, 2);
        check_dims("mv", "vec", v, 1);
        return matmul(a, v);
      },
      py::arg("vec"), "[m, k] times [k]: [m]. See matmul.");
  def_both(
      m, "dot",
      [](const Tensor& a, const Tensor& b) {
        check_dims("dot", "input", a, 1);
        check_dims("dot", "tensor", b, 1);
        return matmul(a, b);
      },
      py::arg("tensor"), "Sum of the products of two vectors of one length: a tensor of no dimension.");
  def_both(
      m, "outer",
      [](const Tensor& a, const Tensor& b) {
        check_dims("outer", "input", a, 1);
        check_dims("outer", "vec2", b, 1);
        return mul(unsqueeze(a, 1), unsqueeze(b, 0));
      },
      py::arg("vec2"), "[m] and [n]: [m, n], each with each.");
  def_both(m, "addmm", autocasting<Autocast::Lower>(addmm), py::arg("mat1"), py::arg("mat2"), py::kw_only(),
           py::arg("beta") = 1.0, py::arg("alpha") = 1.0,
           "beta * input + alpha * mat1 @ mat2 for matrices; `input` broadcasts to [m, n]. beta = 0 ignores it.");
  def_both(m, "baddbmm", autocasting<Autocast::Lower>(baddbmm), py::arg("batch1"), py::arg("batch2"), py::kw_only(),
           py::arg("beta") = 1.0, py::arg("alpha") = 1.0,
           "beta * input + alpha * batch1 @ batch2 for batches of matrices; `input` broadcasts to [b, m, n].");
}

}  // namespace weft
