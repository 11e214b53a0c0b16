// The product of a matrix with a few columns, as subspaces take it again and again, and what solves triangular systems.
//
// Such a product waits for the matrix, so each entry is read once, from where it lies. The columns come as rows of
// `column_block` numbers: an entry times such a row is one instruction or two, and the rows stay in the first caches.
#pragma once

#include "kernel/lower_columns.hpp"
#include "kernel/team.hpp"
#include "kernel/unaligned.hpp"

#include <algorithm>

namespace hessorbit {

inline constexpr Index column_block = 8;

namespace detail {

inline constexpr int row_vectors = column_block / lane_count;

// Rows of a matrix that are read side by side.
inline constexpr Index row_tile = lane_count == 8 ? 8 : 4;

// out (rows, 8) = matrix (rows, n) in (n, 8)
template <int rows>
[[gnu::always_inline]] inline void times_columns(const double* const* matrix, Index n, const double* in, double* out) {
    Doubles sum[rows][row_vectors] = {};
    for (Index j = 0; j < n; ++j) {
        Doubles x[row_vectors];
        for (int v = 0; v < row_vectors; ++v) x[v] = load(in + j * column_block + v * lane_count);
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
            for (int v = 0; v < row_vectors; ++v) sum[r][v] += matrix[r][j] * x[v];
    }
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < row_vectors; ++v) store(out + r * column_block + v * lane_count, sum[r][v]);
}

// out (n, 8) −= matrixᵀ in (rows, 8), for a matrix (rows, n)
template <int rows>
[[gnu::always_inline]] inline void subtract_transposed(const double* const* matrix, Index n, const double* in, double* out) {
    Doubles x[rows][row_vectors];
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < row_vectors; ++v) x[r][v] = load(in + r * column_block + v * lane_count);
    for (Index j = 0; j < n; ++j) {
        double* const at = out + j * column_block;
        Doubles sum[row_vectors];
        for (int v = 0; v < row_vectors; ++v) sum[v] = load(at + v * lane_count);
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
            for (int v = 0; v < row_vectors; ++v) sum[v] -= matrix[r][j] * x[r][v];
        for (int v = 0; v < row_vectors; ++v) store(at + v * lane_count, sum[v]);
    }
}

}  // namespace detail

// Calls body.operator()<count>(k) for columns k … k + count − 1 of a range, as many at once as are read side by side.
template <class Body>
void for_tiles(Range columns, bool backwards, const Body& body) {
    constexpr Index width = detail::row_tile;
    const Index whole = columns.begin + columns.size() / width * width;
    if (backwards) {
        for (Index k = columns.end - 1; k >= whole; --k) body.template operator()<1>(k);
        for (Index k = whole - width; k >= columns.begin; k -= width) body.template operator()<width>(k);
    } else {
        for (Index k = columns.begin; k < whole; k += width) body.template operator()<width>(k);
        for (Index k = whole; k < columns.end; ++k) body.template operator()<1>(k);
    }
}

// In what follows L is unit lower triangular, its diagonal not stored, and b (n, 8) is row-major.

// Rows of b less L times others: b(rows) −= L(rows, columns) b(columns), columns before rows.
inline void subtract_lower(const LowerColumns& lower, Range rows, Range columns, double* b) {
    for_tiles(columns, false, [&]<int count>(Index k) {
        const double* l[count];
        for (int r = 0; r < count; ++r) l[r] = lower.column(k + r) + rows.begin;
        detail::subtract_transposed<count>(l, rows.size(), b + k * column_block, b + rows.begin * column_block);
    });
}

// sums (columns, 8) = L(rows, columns)ᵀ b(rows)
inline void sum_lower(const LowerColumns& lower, Range rows, Range columns, const double* b, double* sums) {
    for_tiles(columns, false, [&]<int count>(Index k) {
        const double* l[count];
        for (int r = 0; r < count; ++r) l[r] = lower.column(k + r) + rows.begin;
        detail::times_columns<count>(l, rows.size(), b + rows.begin * column_block,
                                     sums + (k - columns.begin) * column_block);
    });
}

// Solves L x = b, or Lᵀ x = b, in place, for these rows and columns alone.
template <bool transposed>
void solve_unit_lower(const LowerColumns& lower, Range range, double* b) {
    for_tiles(range, transposed, [&]<int count>(Index k) {
        const Range rest{k + count, range.end}, tile{k, k + count};
        const auto within = [&](Index i, Index j) {
            const double entry = lower.column(std::min(i, j))[std::max(i, j)];
            for (Index c = 0; c < column_block; ++c) b[i * column_block + c] -= entry * b[j * column_block + c];
        };
        if constexpr (transposed) {
            double sums[count * column_block];
            sum_lower(lower, rest, tile, b, sums);
            for (Index c = 0; c < count * column_block; ++c) b[k * column_block + c] -= sums[c];
            for (Index i = tile.end - 1; i >= k; --i)
                for (Index j = i + 1; j < tile.end; ++j) within(i, j);
        } else {
            for (Index i = k; i < tile.end; ++i)
                for (Index j = k; j < i; ++j) within(i, j);
            subtract_lower(lower, rest, tile, b);
        }
    });
}

// out (n, 8) = matrix (n, n) in (n, 8), all row-major; not aliasing.
inline void times_columns(const double* matrix, Index n, const double* in, double* out, int threads) {
    constexpr Index part_rows = 64, tile = detail::row_tile;
    share_parts(threads, (n + part_rows - 1) / part_rows, [&](Share& share) {
        for (const Part part : share) {
            const Index end = std::min(n, (part.index + 1) * part_rows);
            const double* row[tile];
            Index i = part.index * part_rows;
            for (; i + tile <= end; i += tile) {
                for (Index r = 0; r < tile; ++r) row[r] = matrix + (i + r) * n;
                detail::times_columns<tile>(row, n, in, out + i * column_block);
            }
            for (; i < end; ++i) {
                row[0] = matrix + i * n;
                detail::times_columns<1>(row, n, in, out + i * column_block);
            }
        }
    });
}

}  // namespace hessorbit
