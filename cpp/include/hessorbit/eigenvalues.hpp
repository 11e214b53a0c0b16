// All eigenvalues of a symmetric matrix, in three steps: to a band, in products of matrices, n³; from the band to a
// tridiagonal matrix, n² w; and eigenvalues of that by bisection, n². Every step is shared among threads, with the same bits
// for any number of them.
//
// Errors: the transformations are orthogonal up to rounding, and bisection finds every eigenvalue of a matrix that is
// within a few eps ‖A‖ of the tridiagonal one; in all a modest multiple of eps ‖A‖ that grows at most like n.
#pragma once

#include "eigenvalues/band_reduction.hpp"
#include "eigenvalues/bulge_chasing.hpp"
#include "eigenvalues/sturm.hpp"

#include <utility>
#include <vector>

namespace hessorbit {

// Ascending. matrix (n, n), symmetric and finite.
inline std::vector<double> symmetric_eigenvalues(const double* matrix, Index n, int threads) {
    BandReduction reduction(matrix, n, threads);
    Band band = reduction();
    BulgeChasing(band, n, threads);
    std::vector<double> diagonal(static_cast<std::size_t>(n)), beside(static_cast<std::size_t>(n - 1));
    for (Index k = 0; k < n; ++k) diagonal[static_cast<std::size_t>(k)] = *band.at(k, k);
    for (Index k = 0; k + 1 < n; ++k) beside[static_cast<std::size_t>(k)] = *band.at(k + 1, k);
    std::vector<double> values = Tridiagonal(std::move(diagonal), beside).eigenvalues(threads);
    for (double& value : values) value /= reduction.scale();
    return values;
}

}  // namespace hessorbit
