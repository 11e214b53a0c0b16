// What functions of a square matrix refuse.
#pragma once

#include "bindings.hpp"

namespace hessorbit::bindings {

inline void require_square(const Array<double>& matrix) {
    require(matrix.ndim() == 2 && matrix.shape(0) == matrix.shape(1) && matrix.size() > 0,
            "matrix: expected shape (P, P)");
}

}  // namespace hessorbit::bindings
