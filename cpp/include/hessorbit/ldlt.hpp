// The factorisation of a symmetric matrix, shifted, that tells its inertia (Sylvester) and solves systems.
//
//     Π (A − σ I) Πᵀ = L D Lᵀ,    L unit lower triangular, D of blocks of one or two rows
//
// The inertia of A − σ I is that of D, if no eigenvalue of A lies within the backward error of σ. That error is at most
// 2 (8 + √n) u ‖|L||D||Lᵀ|‖₂, u = eps/2 (Higham, theorem 11.3; sums of n terms as they are counted in error_bounds.py). The
// norm of the nonnegative matrix is at most max_i (M x)_i / x_i for every x > 0 (Collatz).
//
// Panels of columns are reduced by one thread, what they do to the rest by all, tile by tile, in an order that depends
// on n alone. Takes n³/3 flops.
//
// J. R. Bunch and L. Kaufman, "Some stable methods for calculating inertia and solving symmetric linear systems", Math.
// Comp. 31 (1977). N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., chapter 11.
#pragma once

#include "kernel/large_memory.hpp"
#include "kernel/team.hpp"
#include "times_columns.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace hessorbit {

class Ldlt {
public:
    using Matrix = Eigen::MatrixXd;
    using Vector = Eigen::VectorXd;

    // matrix (n, n), symmetric and finite
    Ldlt(const Eigen::Ref<const Matrix>& matrix, double shift, int threads)
        : size_(matrix.rows()), threads_(threads), memory_(size_ * size_), factor_(memory_.data(), size_, size_),
          image_(size_, panel_columns + 1), diagonal_(size_), beside_(Vector::Zero(size_)) {
        share_parts(threads_, tiles(0), [&](Share& share) {
            for (const Part part : share) {
                const Index j = part.index * tile_columns, width = std::min(tile_columns, size_ - j);
                factor_.block(j, j, size_ - j, width) = matrix.block(j, j, size_ - j, width);
            }
        });
        factor_.diagonal().array() -= shift;
        for (Index first = 0; first < size_;) {
            const Index end = reduce_panel(first);
            update(first, end);
            ends_.push_back({end, static_cast<Index>(swaps_.size())});
            first = end;
        }
        permute();
        image_.resize(0, 0);
        error_ = bound_error();
    }

    Index size() const { return size_; }

    // Numbers of negative and of zero eigenvalues of D.
    std::pair<Index, Index> inertia() const {
        Index negative = 0, zero = 0;
        for (Index k = 0; k < size_; ++k)
            if (beside_[k] != 0) {
                ++negative, ++k;  // what Bunch and Kaufman take for a block of two has a negative determinant
            } else {
                negative += diagonal_[k] < 0, zero += diagonal_[k] == 0;
            }
        return {negative, zero};
    }

    double backward_error() const { return error_; }

    // X with (A − σ I) X = B for the columns of B (n, m) row-major, in place; not finite if D is singular.
    void solve(double* b, Index columns) const {
        Rows<double> block(size_, column_block);
        for (Index first = 0; first < columns; first += column_block) {
            const Index some = std::min(column_block, columns - first);
            block.setZero();
            for (Index i = 0; i < size_; ++i) std::copy_n(b + i * columns + first, some, block.row(i).data());
            solve(block);
            for (Index i = 0; i < size_; ++i) std::copy_n(block.row(i).data(), some, b + i * columns + first);
        }
    }

private:
    void solve(Rows<double>& b) const {
        for (const auto& [i, j] : swaps_) b.row(i).swap(b.row(j));
        solve_unit_lower(factor_.data(), size_, b.data(), false);
        for (Index k = 0; k < size_; ++k)
            if (beside_[k] != 0) {
                const double off = beside_[k], first = diagonal_[k] / off, second = diagonal_[k + 1] / off;
                const double scale = 1 / (off * (first * second - 1));
                for (Index c = 0; c < column_block; ++c) {
                    const double above = b(k, c), below = b(k + 1, c);
                    b(k, c) = scale * (second * above - below), b(k + 1, c) = scale * (first * below - above);
                }
                ++k;
            } else {
                b.row(k) /= diagonal_[k];
            }
        solve_unit_lower(factor_.data(), size_, b.data(), true);
        for (auto swap = swaps_.rbegin(); swap != swaps_.rend(); ++swap) b.row(swap->first).swap(b.row(swap->second));
    }

    static constexpr Index panel_columns = 32, tile_columns = 64;

    Index tiles(Index from) const { return (size_ - from + tile_columns - 1) / tile_columns; }

    // Reduces panel_columns columns from `first` on, or one more; the columns of L D are in image_. Returns the next.
    Index reduce_panel(Index first) {
        const Index end = std::min(first + panel_columns, size_);
        const double threshold = (1 + std::sqrt(17.0)) / 8;
        Index k = first;
        while (k < end) {
            const Index c = k - first;
            bring_up_to_date(k, k, first, c);
            const double pivot = std::abs(image_(k, c));
            Index row = k;
            double largest = 0;
            if (k + 1 < size_) largest = image_.col(c).segment(k + 1, size_ - k - 1).cwiseAbs().maxCoeff(&row), row += k + 1;
            bool two = false;
            Index other = k;
            if (pivot < threshold * largest) {
                bring_up_to_date(row, k, first, c + 1);
                double beside = image_.col(c + 1).segment(k, row - k).cwiseAbs().maxCoeff();
                if (row + 1 < size_)
                    beside = std::max(beside, image_.col(c + 1).segment(row + 1, size_ - row - 1).cwiseAbs().maxCoeff());
                if (pivot * beside < threshold * largest * largest) {
                    other = row;
                    two = std::abs(image_(row, c + 1)) < threshold * beside;
                    if (!two) image_.col(c).segment(k, size_ - k) = image_.col(c + 1).segment(k, size_ - k);
                }
            }
            exchange(two ? k + 1 : k, other, first, two ? c + 2 : c + 1);
            if (two)
                store_two(k, c);
            else
                store_one(k, c);
            k += two ? 2 : 1;
        }
        return k;
    }

    // Into column c of image_: rows k … n − 1 of column `from` of the matrix, less what columns first … k − 1 make of it.
    void bring_up_to_date(Index from, Index k, Index first, Index c) {
        auto column = image_.col(c);
        for (Index j = k; j < from; ++j) column[j] = factor_(from, j);
        column.segment(from, size_ - from) = factor_.col(from).segment(from, size_ - from);
        const Index done = k - first;
        if (done > 0)
            column.segment(k, size_ - k).noalias() -=
                factor_.block(k, first, size_ - k, done) * image_.row(from).head(done).transpose();
    }

    // Exchanges rows and columns i < j of what is not yet reduced, and rows of the panel; column i is in image_ only.
    void exchange(Index i, Index j, Index first, Index columns) {
        if (i == j) return;
        factor_(j, j) = factor_(i, i);
        for (Index m = i + 1; m < j; ++m) factor_(j, m) = factor_(m, i);
        factor_.col(j).segment(j + 1, size_ - j - 1) = factor_.col(i).segment(j + 1, size_ - j - 1);
        factor_.row(i).segment(first, i - first).swap(factor_.row(j).segment(first, i - first));
        image_.row(i).head(columns).swap(image_.row(j).head(columns));
        swaps_.emplace_back(i, j);
    }

    void store_one(Index k, Index c) {
        const Index below = size_ - k - 1;
        diagonal_[k] = image_(k, c);
        if (diagonal_[k] == 0)
            factor_.col(k).tail(below).setZero();  // so is the column
        else
            factor_.col(k).tail(below) = image_.col(c).tail(below) / diagonal_[k];
    }

    void store_two(Index k, Index c) {
        const Index below = size_ - k - 2;
        diagonal_[k] = image_(k, c), diagonal_[k + 1] = image_(k + 1, c + 1);
        const double off = beside_[k] = image_(k + 1, c);
        const double first = diagonal_[k] / off, second = diagonal_[k + 1] / off;
        const double scale = 1 / (off * (first * second - 1));
        const auto left = image_.col(c).tail(below), right = image_.col(c + 1).tail(below);
        factor_(k + 1, k) = 0;
        factor_.col(k).tail(below) = scale * (second * left - right);
        factor_.col(k + 1).tail(below) = scale * (first * right - left);
    }

    // Takes what columns first … end − 1 make of it from the rest.
    void update(Index first, Index end) {
        if (end == size_) return;
        share_parts(threads_, tiles(end), [&](Share& share) {
            for (const Part part : share) {
                const Index j = end + part.index * tile_columns, width = std::min(tile_columns, size_ - j);
                factor_.block(j, j, size_ - j, width).noalias() -=
                    factor_.block(j, first, size_ - j, end - first) *
                    image_.block(j, 0, width, end - first).transpose();
            }
        });
    }

    // What later panels exchanged, in the columns of earlier ones.
    void permute() {
        share_parts(threads_, static_cast<Index>(ends_.size()), [&](Share& share) {
            for (const Part part : share) {
                const auto [end, done] = ends_[part.index];
                for (Index j = part.index ? ends_[part.index - 1].first : 0; j < end; ++j)
                    for (std::size_t s = done; s < swaps_.size(); ++s)
                        std::swap(factor_(swaps_[s].first, j), factor_(swaps_[s].second, j));
            }
        });
    }

    double bound_error() const {
        Vector x = Vector::Ones(size_);
        double norm = std::numeric_limits<double>::infinity();
        for (int turn = 0; turn < 3; ++turn) {
            const Vector y = magnitudes_times(x);
            norm = std::min(norm, (y.array() / x.array()).maxCoeff());
            if (!(norm > 0)) return 0;
            x = y / y.maxCoeff() + Vector::Constant(size_, 1e-3);
        }
        const double roundings = 2 * (8 + std::sqrt(static_cast<double>(size_)));
        return roundings * std::numeric_limits<double>::epsilon() / 2 * norm;
    }

    // |L| |D| |Lᵀ| x
    Vector magnitudes_times(const Vector& x) const {
        Vector y = x;
        for (Index k = 0; k < size_; ++k) {
            const Index below = size_ - k - 1;
            y[k] += factor_.col(k).tail(below).cwiseAbs().dot(x.tail(below));
        }
        for (Index k = 0; k < size_; ++k)
            if (beside_[k] != 0) {
                const double above = y[k], below = y[k + 1], off = std::abs(beside_[k]);
                y[k] = std::abs(diagonal_[k]) * above + off * below;
                y[k + 1] = off * above + std::abs(diagonal_[k + 1]) * below;
                ++k;
            } else {
                y[k] *= std::abs(diagonal_[k]);
            }
        Vector result = y;
        for (Index k = 0; k < size_; ++k) {
            const Index below = size_ - k - 1;
            result.tail(below) += y[k] * factor_.col(k).tail(below).cwiseAbs();
        }
        return result;
    }

    const Index size_;
    const int threads_;
    const LargeMemory memory_;
    Eigen::Map<Matrix> factor_;
    Matrix image_;
    Vector diagonal_, beside_;
    double error_ = 0;
    std::vector<std::pair<Index, Index>> swaps_, ends_;
};

}  // namespace hessorbit
