// The product of a filter matrix with the shifted views of one plane that an offset table names, tile by tile.
#pragma once

#include "kernels/conv/planes.h"
#include "kernels/conv/tile.h"

namespace weft::WEFT_ISA::conv {

// A stretch of a tile that lies in one row of the output.
struct Run {
  int64_t start, length, out;
};

template <class T>
struct Product {
  const T* a;  // [m, k]
  int64_t k, m;
  const T* b;
  const int64_t* offset;
  bool padded;         // b may be read up to a whole tile
  int64_t width;       // of a row of b
  int64_t rows, cols;  // grid positions
  const T* bias;       // of the m outputs, or null
  bool relu;
  T* out;  // of grid position (0, 0), output 0
  int64_t out_m, out_row, out_col;
};

template <class T>
WEFT_INLINE int find_runs(Run* runs, const Product<T>& p, int64_t q, int64_t count) {
  int n = 0;
  int64_t row = p.rows == 1 ? 0 : q / p.width, col = q - row * p.width;
  for (int64_t j = 0; j < count; col = 0, ++row) {
    if (col < p.cols) {
      const int64_t length = smaller(p.cols - col, count - j), out = row * p.out_row + col * p.out_col;
      Run* last = runs + n - 1;
      if (n && p.out_col == 1 && last->start + last->length == j && last->out + last->length == out)
        last->length += length;
      else
        runs[n++] = {j, length, out};
    }
    j += p.width - col;
  }
  return n;
}

template <class T>
void multiply_rows(const Product<T>& p) {
  constexpr int64_t L = kLanes<T>;
  alignas(64) T buffer[kRows * kTile<T>];
  Run runs[kLongTile<T>];
  const int64_t end = (p.rows - 1) * p.width + p.cols, most = p.m == 1 ? kVecsOfOne : kVecs;
  for (int64_t q = 0; q < end;) {
    const int64_t left = divide_up(end - q, L);
    const int vecs = left == most + 1 ? (int)(left + 1) / 2 : (int)smaller(left, most);
    const int64_t count = smaller(vecs * L, end - q);
    const int n = find_runs(runs, p, q, count);
    const bool whole = n == 1 && runs[0].length == vecs * L && p.out_col == 1;
    PixelTile<T> t{p.a, p.k, p.k, p.b + q, p.offset, p.bias, p.relu, buffer, kTile<T>, p.padded ? 0 : count % L};
    for (int64_t m = 0; n && m < p.m;) {
      const int rows = rows_of_tile(p.m - m);
      t.a = p.a + m * p.k;
      if (p.bias) t.bias = p.bias + m;
      T* out = p.out + m * p.out_m;
      if (whole) {
        t.out = out + runs[0].out;
        t.out_row = p.out_m;
      }
      run_pixel_tile(rows, vecs, t);
      for (int i = 0; !whole && i < rows; ++i)
        for (const Run* r = runs; r < runs + n; ++r) {
          T* to = out + i * p.out_m + r->out;
          const T* from = buffer + i * kTile<T> + r->start;
          if (p.out_col == 1)
            copy_run(to, from, r->length);
          else
            for (int64_t j = 0; j < r->length; ++j) to[j * p.out_col] = from[j];
        }
      m += rows;
    }
    q += vecs * L;
  }
}

// By strips of the filter matrix that stay in the cache while all pixels pass.
template <class T>
void multiply(Product<T> p) {
  if (p.m <= 2 && p.rows > 1 && p.width > p.cols && p.cols >= kTile<T>) {  // row by row: whole tiles are stored at once
    const int64_t rows = p.rows;
    p.rows = 1;
    for (int64_t r = 0; r < rows; ++r, p.b += p.width, p.out += p.out_row) multiply_rows(p);
    return;
  }
  const int64_t m = p.m, strip = larger(1, 256 * 1024 / (int64_t)sizeof(T) / larger(1, p.k * kRows)) * kRows;
  for (int64_t at = 0; at < m; at += strip) {
    p.m = smaller(strip, m - at);
    multiply_rows(p);
    p.a += strip * p.k;
    p.out += strip * p.out_m;
    if (p.bias) p.bias += strip;
  }
}

// columns[k, (row, col)] = b[offset[k] + row * width + col], rows of k padded to whole vectors; offsets follow.
template <class T>
void make_columns(T* columns, int64_t* offset, int64_t k, const T* b, int64_t width, int64_t rows, int64_t cols) {
  const int64_t row = divide_up(rows * cols, kLanes<T>) * kLanes<T>;
  for (int64_t i = 0; i < k; ++i) {
    const T* from = b + offset[i];
    T* to = columns + i * row;
    for (int64_t r = 0; r < rows; ++r, from += width, to += cols) {
      if (cols == 1)
        *to = *from;
      else
        copy_run(to, from, cols);
    }
    offset[i] = i * row;
  }
}

}  // namespace weft::WEFT_ISA::conv
