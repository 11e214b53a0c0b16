// A symmetric matrix, or a symmetric block of a larger one, whose upper triangle has been formed.
#pragma once

#include "range.hpp"
#include "unaligned.hpp"

#include <algorithm>
#include <type_traits>

namespace hessorbit {

// matrix (n, n), rows so far apart: what is below the diagonal in some rows becomes what is above it in these columns.
// A block of columns at a time, transposed in registers, so that each cache line is met once.
template <class T>
void reflect_rows(T* matrix, Index stride, Range rows) {
    Index done = 0;  // columns whose squares have been transposed
    if constexpr (std::is_same_v<T, double>) {
        for (; done + lane_count <= rows.begin; done += lane_count)
            for (Index i = rows.begin; i < rows.end; i += lane_count) {
                if (i + lane_count <= rows.end) {
                    transpose(matrix + done * stride + i, stride, matrix + i * stride + done, stride);
                    continue;
                }
                for (Index j = done; j < done + lane_count; ++j)
                    for (Index r = i; r < rows.end; ++r) matrix[r * stride + j] = matrix[j * stride + r];
            }
    }
    for (Index i = rows.begin; i < rows.end; ++i)
        for (Index j = done; j < i; ++j) matrix[i * stride + j] = matrix[j * stride + i];
}

// matrix (n, n): the lower triangle from the upper.
template <class T>
void reflect(T* matrix, Index stride, Index n) {
    constexpr Index strip = 8;  // rows
    for (Index i = 0; i < n; i += strip) reflect_rows(matrix, stride, {i, std::min(n, i + strip)});
}

// matrix (size, size): the lower triangle from the upper, and `shift` added to the diagonal.
template <class T>
void complete_symmetric(T* matrix, Index size, T shift) {
    for (Index i = 0; i < size; ++i) matrix[i * size + i] += shift;
    reflect(matrix, size, size);
}

}  // namespace hessorbit
