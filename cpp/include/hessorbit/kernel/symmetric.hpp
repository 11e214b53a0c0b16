// A symmetric matrix whose upper triangle has been formed.
#pragma once

#include "rows.hpp"

namespace hessorbit {

// matrix (size, size): the lower triangle from the upper, and `shift` added to the diagonal.
template <class T>
void complete_symmetric(T* matrix, Index size, T shift) {
    for (Index i = 0; i < size; ++i) {
        matrix[i * size + i] += shift;
        for (Index j = i + 1; j < size; ++j) matrix[j * size + i] = matrix[i * size + j];
    }
}

}  // namespace hessorbit
