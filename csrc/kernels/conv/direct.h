// Forward and backward by input, as one pass over planes: for each block of pixels and each phase, a product of the
// filter matrix with the shifted views that the offset table names.
#pragma once

#include "base/threads.h"
#include "kernels/conv/planes.h"
#include "kernels/conv/tile.h"

namespace weft::WEFT_ISA::conv {

// How the work is cut: by the shape alone, so that the sums are the same for any number of threads.
struct Cut {
  int64_t block_rows, block_cols;          // grid positions of a block
  int64_t row_blocks, col_blocks;          //
  int64_t m_block, m_blocks;               // output channels of a piece
  int64_t items, items_per_piece, pieces;  // an item is one group of one image
  bool columns;                            // copy the shifted views out, where planes would be mostly padding
  int64_t max_k;                           // longest sum
  int64_t plane_room, column_room;         // elements of scratch
};

struct Pass {
  Axis rows, cols;
  int64_t images, groups;
  int64_t m, channels;  // output and source channels of a group
};

WEFT_INLINE Pass forward_pass(const ConvShape& s) {
  return {Axis::make(s.rows, false), Axis::make(s.cols, false), s.images, s.groups, s.out_channels, s.in_channels};
}
WEFT_INLINE Pass backward_pass(const ConvShape& s) {
  return {Axis::make(s.rows, true), Axis::make(s.cols, true), s.images, s.groups, s.in_channels, s.out_channels};
}

template <class T>
Cut cut_pass(const Pass& p) {
  constexpr int64_t L = kLanes<T>, kBudget = 512 * 1024 / sizeof(T);  // half of a second-level cache
  const Axis &rows = p.rows, &cols = p.cols;
  Cut c{};
  const int64_t row_taps = rows.backward ? divide_up(rows.a.kernel, rows.period) : rows.a.kernel;
  const int64_t col_taps = cols.backward ? divide_up(cols.a.kernel, cols.period) : cols.a.kernel;
  c.max_k = p.channels * row_taps * col_taps;

  // Columns cost about as much as 24 multiply-adds per element that they hold.
  const int64_t sample = smaller(rows.grid, 8), width = in_place(rows, cols) ? cols.source() : cols.grid + cols.reach;
  const int64_t shifted = divide_up((sample - 1) * width + cols.grid, L), dense = divide_up(sample * cols.grid, L);
  c.columns = p.m * (shifted - dense) > 24 * dense && c.max_k * cols.grid <= 4 * kBudget;

  const int64_t planes = p.channels * rows.slots() * cols.slots();
  const int64_t per_row = planes * width + (c.columns ? c.max_k * cols.grid : 0);
  c.block_cols = cols.grid;
  if (!c.columns && cols.grid > 512 && per_row * (1 + rows.reach) > kBudget)
    c.block_cols = larger(256, smaller(cols.grid, kBudget / (planes * (1 + rows.reach))));
  c.block_rows = c.block_cols < cols.grid ? 1 : smaller(rows.grid, larger(1, kBudget / per_row - rows.reach));

  // Pieces of about a million multiply-adds, up to 32; blocks of some tiles. Channels are divided only when there would
  // be fewer than 8 pieces, because each piece makes its own planes.
  c.items = p.images * p.groups;
  const double per_item = (double)p.m * c.max_k * rows.grid * cols.grid * rows.phases() * cols.phases();
  const double wanted = c.items * per_item / (1 << 20);
  const int64_t pieces = wanted < 1 ? 1 : wanted > 32 ? 32 : (int64_t)wanted;
  c.items_per_piece = larger(1, c.items / pieces);
  const int64_t per_item_pieces = divide_up(pieces, c.items);
  c.m_block = p.m;
  if (per_item_pieces > 1) {
    int64_t least = divide_up(4 * kTile<T>, cols.grid);
    c.block_rows = smaller(c.block_rows, larger(least, divide_up(rows.grid, per_item_pieces)));
    if (rows.grid == 1 && !c.columns)
      c.block_cols = smaller(c.block_cols, larger(256, divide_up(cols.grid, per_item_pieces)));
  }
  c.row_blocks = divide_up(rows.grid, c.block_rows);
  c.col_blocks = divide_up(cols.grid, c.block_cols);
  const int64_t m_pieces = smaller(pieces, 8) / (c.items * c.row_blocks * c.col_blocks);
  if (m_pieces > 1) c.m_block = smaller(p.m, divide_up(divide_up(p.m, m_pieces), kRows) * kRows);
  c.m_blocks = divide_up(p.m, c.m_block);
  c.pieces = divide_up(c.items, c.items_per_piece) * c.m_blocks * c.row_blocks * c.col_blocks;

  const Block largest{{0, c.block_rows}, {0, c.block_cols}};
  c.plane_room = in_place(rows, cols) ? 0 : planes * plane_size(rows, cols, largest) + kLongTile<T>;
  c.column_room = c.columns ? c.max_k * divide_up(c.block_rows * c.block_cols, L) * L : 0;
  return c;
}

// Scratch of one thread: planes, columns, offsets.
template <class T>
WEFT_INLINE int64_t scratch_bytes(const Cut& c) {
  int64_t bytes = (c.plane_room + c.column_room) * (int64_t)sizeof(T) + c.max_k * (int64_t)sizeof(int64_t);
  return divide_up(bytes, 64) * 64;
}

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
  T* out;              // of grid position (0, 0), output 0
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
    PixelTile<T> t{p.a, p.k, p.k, p.b + q, p.offset, p.bias, buffer, kTile<T>, p.padded ? 0 : count % L};
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

// `matrix(group, row phase, col phase)` is the filter matrix [m, k] of that phase.
template <class T, class Matrix>
void run_pass(const Pass& p, const Cut& c, T* out, const T* source, const T* bias, char* scratch, int workers,
              const Matrix& matrix) {
  const Axis &rows = p.rows, &cols = p.cols;
  const int64_t out_plane = rows.outputs() * cols.outputs(), source_plane = rows.source() * cols.source();
  const int64_t bytes = scratch_bytes<T>(c);
  parallel(
      c.pieces,
      [&](int64_t piece, int worker) {
        int64_t* offset = (int64_t*)(scratch + worker * bytes);
        T* room = (T*)(offset + c.max_k);
        T* columns = room + c.plane_room;
        const int64_t col_block = piece % c.col_blocks, row_block = piece / c.col_blocks % c.row_blocks;
        const int64_t rest = piece / (c.col_blocks * c.row_blocks), m0 = rest % c.m_blocks * c.m_block;
        const int64_t item0 = rest / c.m_blocks * c.items_per_piece;
        const Range in_rows{row_block * c.block_rows, smaller(rows.grid, (row_block + 1) * c.block_rows)};
        const Range in_cols{col_block * c.block_cols, smaller(cols.grid, (col_block + 1) * c.block_cols)};
        const Block block{in_rows, in_cols};
        for (int64_t item = item0; item < smaller(c.items, item0 + c.items_per_piece); ++item) {
          const int64_t group = item % p.groups;
          Planes<T> planes =
              make_planes(room, source + item * p.channels * source_plane, p.channels, rows, cols, block);
          for (int64_t i = 0; i < rows.phases(); ++i)
            for (int64_t j = 0; j < cols.phases(); ++j) {
              Range rs = rows.positions(i), cs = cols.positions(j);
              rs = {larger(rs.begin, in_rows.begin), smaller(rs.end, in_rows.end)};
              cs = {larger(cs.begin, in_cols.begin), smaller(cs.end, in_cols.end)};
              if (rs.size() == 0 || cs.size() == 0) continue;
              const int64_t k = make_offsets(offset, planes, p.channels, rows, cols, i, j);
              const T* b = planes.data + (rs.begin - in_rows.begin) * planes.width + (cs.begin - in_cols.begin);
              int64_t width = planes.width;
              if (c.columns) {
                make_columns(columns, offset, k, b, width, rs.size(), cs.size());
                b = columns;
                width = cs.size();
              }
              const int64_t row = rs.begin * rows.output_step() + rows.output_start(i);
              const int64_t col = cs.begin * cols.output_step() + cols.output_start(j);
              multiply(Product<T>{matrix(group, i, j) + m0 * k, k, smaller(c.m_block, p.m - m0), b, offset,
                                  c.columns || planes.data == room, width, rs.size(), cs.size(),
                                  bias ? bias + group * p.m + m0 : nullptr,
                                  out + (item * p.m + m0) * out_plane + row * cols.outputs() + col, out_plane,
                                  rows.output_step() * cols.outputs(), cols.output_step()});
            }
        }
      },
      workers);
}

}  // namespace weft::WEFT_ISA::conv
