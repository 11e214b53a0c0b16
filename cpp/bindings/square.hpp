// What functions of a square matrix refuse.
#pragma once

#include "bindings.hpp"

#include <hessorbit/kernel/finite.hpp>

namespace hessorbit::bindings {

inline void require_square(const Array<double>& matrix) {
    require(matrix.ndim() == 2 && matrix.shape(0) == matrix.shape(1) && matrix.size() > 0,
            "matrix: expected shape (P, P)");
}

inline void require_finite(const double* matrix, Index entries) {
    require(all_finite(matrix, entries), "matrix: expected finite numbers");
}

}  // namespace hessorbit::bindings
