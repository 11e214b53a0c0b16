// The product of a matrix with a few columns, as subspaces take it again and again, and what solves triangular systems.
//
// Such a product waits for the matrix, so each entry is read once, from where it lies. The columns come as rows of
// `column_block` numbers: an entry times such a row is one instruction or two, and the rows stay in the first caches.
#pragma once

#include "kernel/rows.hpp"
#include "kernel/team.hpp"

#include <cstring>

namespace hessorbit {

inline constexpr Index column_block = 8;

namespace detail {

// out (rows, 8) = matrix (rows, n) in (n, 8)
template <int rows>
void times_columns(const double* matrix, Index stride, Index n, const double* in, double* out) {
    constexpr int lanes = Lanes<double>::count, vectors = column_block / lanes;
    Vector<double> sum[rows][vectors] = {};
    for (Index j = 0; j < n; ++j) {
        Vector<double> x[vectors];
        std::memcpy(x, in + j * column_block, sizeof x);
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; ++v) sum[r][v] += matrix[r * stride + j] * x[v];
    }
    std::memcpy(out, sum, sizeof sum);
}

// out (n, 8) −= matrixᵀ in (rows, 8), for a matrix (rows, n)
template <int rows>
void subtract_transposed(const double* matrix, Index stride, Index n, const double* in, double* out) {
    constexpr int lanes = Lanes<double>::count, vectors = column_block / lanes;
    Vector<double> x[rows][vectors];
    std::memcpy(x, in, sizeof x);
    for (Index j = 0; j < n; ++j) {
        Vector<double> sum[vectors];
        std::memcpy(sum, out + j * column_block, sizeof sum);
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; ++v) sum[v] -= matrix[r * stride + j] * x[r][v];
        std::memcpy(out + j * column_block, sum, sizeof sum);
    }
}

}  // namespace detail

// Solves Lᵀ x = b in place, or L x = b if not transposed, b (n, 8) row-major; L (n, n) unit lower triangular, column-major.
inline void solve_unit_lower(const double* l, Index n, double* b, bool transposed) {
    constexpr Index tile = Lanes<double>::count == 8 ? 8 : 4;
    double sum[tile * column_block];
    const Index whole = n / tile * tile;
    // Rows i of x less than those before or after it in the same tile.
    const auto within = [&](Index first, Index end) {
        for (Index a = first; a < end; ++a) {
            const Index i = transposed ? end - 1 - (a - first) : a;
            for (Index j = transposed ? i + 1 : first; j < (transposed ? end : i); ++j) {
                const double entry = transposed ? l[j + i * n] : l[i + j * n];
                for (Index c = 0; c < column_block; ++c) b[i * column_block + c] -= entry * b[j * column_block + c];
            }
        }
    };
    if (!transposed) {
        for (Index k = 0; k < whole; k += tile) {
            within(k, k + tile);
            const Index below = k + tile;
            detail::subtract_transposed<tile>(l + below + k * n, n, n - below, b + k * column_block,
                                              b + below * column_block);
        }
        within(whole, n);
        return;
    }
    within(whole, n);
    for (Index k = whole - tile; k >= 0; k -= tile) {
        const Index below = k + tile;
        detail::times_columns<tile>(l + below + k * n, n, n - below, b + below * column_block, sum);
        for (Index c = 0; c < tile * column_block; ++c) b[k * column_block + c] -= sum[c];
        within(k, below);
    }
}

// out (n, 8) = matrix (n, n) in (n, 8), all row-major; not aliasing.
inline void times_columns(const double* matrix, Index n, const double* in, double* out, int threads) {
    constexpr Index part_rows = 64, tile = Lanes<double>::count == 8 ? 8 : 4;
    share_parts(threads, (n + part_rows - 1) / part_rows, [&](Share& share) {
        for (const Part part : share) {
            const Index end = std::min(n, (part.index + 1) * part_rows);
            Index i = part.index * part_rows;
            for (; i + tile <= end; i += tile)
                detail::times_columns<tile>(matrix + i * n, n, n, in, out + i * column_block);
            for (; i < end; ++i) detail::times_columns<1>(matrix + i * n, n, n, in, out + i * column_block);
        }
    });
}

}  // namespace hessorbit
