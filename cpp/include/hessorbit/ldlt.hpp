// The factorisation of a symmetric matrix, shifted, that tells its inertia (Sylvester) and solves systems.
//
//     Π (A − σ I) Πᵀ = L D Lᵀ,    L unit lower triangular, D of blocks of one or two rows
//
// The inertia of A − σ I is that of D, if no eigenvalue of A lies within the backward error of σ. That error is at most
// 2 (8 + √n) u ‖|L||D||Lᵀ|‖₂, u = eps/2 (Higham, theorem 11.3; sums of n terms as they are counted in error_bounds.py). The
// norm of the nonnegative matrix is at most max_i (M x)_i / x_i for every x > 0 (Collatz).
//
// Panels of columns are reduced by one thread, what they do to the rest by all, group of columns by group, in an order
// that depends on n alone. Takes n³/3 flops. L and L D of a panel are rows, so that SIMD lanes run along columns of the
// rest. Within a panel the next few columns are brought up to date together, by all threads, which also keeps these
// awake. What a panel exchanges is not exchanged in the columns before it: solutions do it on their way.
//
// A pivot a_kk with the largest a_rk beside it is also taken where |a_kk a_rr| ≥ α a_rk², α = (1 + √17)/8. Entries then
// grow by |a_rr|/α at most, as they do by what Bunch and Kaufman compare with, the largest of column r but for a_rr. Of
// that column, which Hessians of networks would ask for at three steps of four, nothing has to be computed but at one
// step of six.
//
// J. R. Bunch and L. Kaufman, "Some stable methods for calculating inertia and solving symmetric linear systems", Math.
// Comp. 31 (1977). N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., chapter 11.
#pragma once

#include "kernel/finite.hpp"
#include "kernel/lower_columns.hpp"
#include "kernel/team.hpp"
#include "kernel/unaligned.hpp"
#include "times_columns.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

namespace hessorbit {

class Ldlt {
public:
    // matrix (n, n), symmetric, in columns or rows; std::invalid_argument if it is not finite
    Ldlt(const double* matrix, Index size, double shift, int threads)
        : size_(size), threads_(threads), factor_(size_), lower_(padded(most_columns), row_stride(size_)),
          image_(most_columns, row_stride(size_)), ahead_(block_columns, row_stride(size_)), diagonal_(size_),
          beside_(Vector::Zero(size_)) {
        copy(matrix, shift);
        lower_.setZero(), image_.setZero(), ahead_.setZero();
        while (panels_.empty() || panels_.back().end < size_) {
            panels_.push_back(reduce_panel(panels_.empty() ? 0 : panels_.back().end));
            update(panels_.back());
        }
        lower_.resize(0, 0), image_.resize(0, 0), ahead_.resize(0, 0);
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
        Rows<double> block(size_, column_block), sums;
        for (Index first = 0; first < columns; first += column_block) {
            const Index some = std::min(column_block, columns - first);
            block.setZero();
            for (Index i = 0; i < size_; ++i) std::copy_n(b + i * columns + first, some, block.row(i).data());
            solve(block, sums);
            for (Index i = 0; i < size_; ++i) std::copy_n(block.row(i).data(), some, b + i * columns + first);
        }
    }

    // The same for rows of column_block numbers, of which n count; `sums` is for what comes between.
    void solve(Rows<double>& b, Rows<double>& sums) const {
        sums.resize(parts_below(0) * most_columns, column_block);
        for (const Panel& panel : panels_) {
            for (const auto& [i, j] : panel.exchanges) b.row(i).swap(b.row(j));
            solve_lower(panel, b.data());
        }
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
        for (auto panel = panels_.rbegin(); panel != panels_.rend(); ++panel) {
            solve_upper(*panel, b.data(), sums.data());
            for (auto swap = panel->exchanges.rbegin(); swap != panel->exchanges.rend(); ++swap)
                b.row(swap->first).swap(b.row(swap->second));
        }
    }

private:
    using Vector = Eigen::VectorXd;
    using Columns = Eigen::MatrixXd;

    static constexpr Index panel_columns = 32, most_columns = panel_columns + 1, block_columns = 8;
    static constexpr Index part_rows = 256;

    // Columns begin … end − 1, before which these rows were exchanged, in turn.
    struct Panel : Range {
        std::vector<std::pair<Index, Index>> exchanges;
    };

    void copy(const double* matrix, double shift) {
        share_parts(threads_, factor_.groups_from(0), [&](Share& share) {
            for (const Part part : share) {
                const auto [begin, end] = factor_.group(part.index);
                for (Index j = begin; j < end; ++j) {
                    double* const to = factor_.column(j);
                    const double* const from = matrix + j * size_;
                    if (!all_finite(from + begin, size_ - begin))
                        throw std::invalid_argument("matrix: expected finite numbers");
                    std::copy(from + begin, from + size_, to + begin);
                    std::fill(to + size_, to + padded(size_), 0.0);
                    to[j] -= shift;
                }
            }
        });
    }

    // Reduces panel_columns columns from `first` on, or one more: columns of L are rows of lower_, of L D of image_.
    Panel reduce_panel(Index first) {
        Panel panel{{first, first}, {}};
        Range block{first, first};
        while (panel.size() < panel_columns && panel.end < size_) {
            if (panel.end - block.begin >= block_columns) block = look_ahead(panel);
            const Index k = panel.end;
            const Pivot pivot = choose_pivot(panel, block);
            exchange(pivot.two ? k + 1 : k, pivot.row, panel, block);
            if (pivot.two)
                store_two(k, k - first);
            else
                store_one(k, k - first);
            panel.end += pivot.two ? 2 : 1;
        }
        return panel;
    }

    // A diagonal entry to exchange with the panel's next one, or, for a block of two, with the one behind that.
    struct Pivot {
        Index row;
        bool two;
    };

    // The columns of image_ that the pivot takes are up to date then, but for the exchange.
    Pivot choose_pivot(const Panel& panel, Range block) {
        const double threshold = (1 + std::sqrt(17.0)) / 8;
        const Index k = panel.end;
        double *const column = image(panel.size()), *const candidate = image(panel.size() + 1);
        bring_up_to_date(k, panel, block, column);
        const Range below{k + 1, size_};
        const double pivot = std::abs(column[k]), largest = largest_magnitude(column, below);
        if (!(pivot < threshold * largest)) return {k, false};
        const auto too_small_beside = [=](double other) { return pivot * (other / largest) < threshold * largest; };
        const Index row = find_magnitude(column, below, largest);
        if (!too_small_beside(std::abs(diagonal_entry(row, panel)))) return {k, false};
        bring_up_to_date(row, panel, block, candidate);
        const double others =
            std::max(largest_magnitude(candidate, {k, row}), largest_magnitude(candidate, {row + 1, size_}));
        if (!too_small_beside(others)) return {k, false};
        if (std::abs(candidate[row]) < threshold * others) return {row, true};
        std::copy(candidate + k, candidate + size_, column + k);
        return {row, false};
    }

    double* image(Index c) { return &image_(c, 0); }

    // Entry (j, j) of what the panel leaves of the matrix.
    double diagonal_entry(Index j, const Panel& panel) const {
        double entry = factor_.column(j)[j];
        for (Index c = 0; c < panel.size(); ++c) entry -= lower_(c, j) * image_(c, j);
        return entry;
    }

    // Into ahead_: the next columns of what the panel leaves of the matrix, which take no more than one reading of it.
    Range look_ahead(const Panel& panel) {
        const Range block{panel.end, std::min({panel.end + block_columns, panel.begin + panel_columns, size_})};
        double coefficients[block_columns][most_columns];
        for (Index j = block.begin; j < block.end; ++j)
            for (Index c = 0; c < panel.size(); ++c) coefficients[j - block.begin][c] = lower_(c, j);
        const Index rows = padded(size_), first = block.begin / row_multiple * row_multiple;
        share_parts(threads_, (rows - first + part_rows - 1) / part_rows, [&](Share& share) {
            for (const Part part : share) {
                const Index begin = first + part.index * part_rows;
                combine_each<double>(coefficients[0], most_columns, block.size(), panel.size(),
                                     RowsView<double>(image_).from_column(begin), std::min(part_rows, rows - begin),
                                     [&](Index q, Index i, const Doubles& sum) {
                                         const double* const from = factor_.column(block.begin + q) + begin;
                                         detail::lanes(&ahead_(q, begin + i)) = detail::lanes(from + i) - sum;
                                     });
            }
        });
        return block;
    }

    // Rows from that of the panel's next column on, of column j of what the panel leaves of the matrix.
    void bring_up_to_date(Index j, const Panel& panel, Range block, double* to) {
        if (j < block.end)
            subtract_columns(block.begin, panel, j, [&](Index i) { return &ahead_(i - block.begin, 0); }, to);
        else
            subtract_columns(panel.begin, panel, j, [&](Index i) { return factor_.column(i); }, to);
    }

    // The same, for columns from which is to be taken what the panel's columns from `done` on make of them.
    template <class Column>
    void subtract_columns(Index done, const Panel& panel, Index j, const Column& column, double* to) {
        const Index begin = panel.end / lane_count * lane_count, end = padded(size_);
        // Rows from here on are read from column j; those before it have been in row j.
        const Index along = j == panel.end ? begin : std::min(j / lane_count * lane_count + lane_count, end);
        const double* const below = column(j);
        for (Index i = panel.end; i < j; ++i) to[i] = column(i)[j];
        if (j < along) std::copy(below + j, below + along, to + j);
        const Index first = done - panel.begin, count = panel.end - done;
        if (count == 0) {
            std::copy(below + along, below + end, to + along);
            return;
        }
        double coefficients[most_columns];
        for (Index c = 0; c < count; ++c) coefficients[c] = lower_(first + c, j);
        const auto subtract = [&](const double* from, Index from_row, Index to_row) {
            combine_each<double>(coefficients, most_columns, 1, count,
                                 RowsView<double>(image_).from_row(first).from_column(from_row), to_row - from_row,
                                 [=](Index, Index i, const Doubles& sum) {
                                     detail::lanes(to + from_row + i) = detail::lanes(from + from_row + i) - sum;
                                 });
        };
        subtract(to, begin, along);
        subtract(below, along, end);
    }

    static double largest_magnitude(const double* values, Range range) {
        if (range.size() == 0) return 0;
        return Eigen::Map<const Eigen::ArrayXd>(values + range.begin, range.size()).abs().maxCoeff();
    }

    // The first index of the largest magnitude.
    static Index find_magnitude(const double* values, Range range, double largest) {
        Index i = range.begin;
        const double less = std::nextafter(largest, 0.0);
        while (i + lane_count < range.end && !any_beyond(magnitude(load(values + i)), less)) i += lane_count;
        while (i + 1 < range.end && std::abs(values[i]) != largest) ++i;
        return i;
    }

    // Exchanges rows and columns i < j of what is not yet reduced, and rows of the panel; column i is in image_ only.
    void exchange(Index i, Index j, Panel& panel, Range block) {
        if (i == j) return;
        exchange_columns(i, j, size_, [&](Index m) { return factor_.column(m); });
        if (i < block.end) exchange_columns(i, j, block.end, [&](Index m) { return &ahead_(m - block.begin, 0); });
        for (Index c = 0; c < panel.size(); ++c) std::swap(lower_(c, i), lower_(c, j));
        for (Index c = 0; c <= i - panel.begin; ++c) std::swap(image_(c, i), image_(c, j));
        panel.exchanges.emplace_back(i, j);
    }

    // In columns i + 1 … end − 1.
    template <class Column>
    void exchange_columns(Index i, Index j, Index end, const Column& column) {
        const double* const from = column(i);
        for (Index m = i + 1; m < std::min(j, end); ++m) column(m)[j] = from[m];
        if (j >= end) return;
        column(j)[j] = from[i];
        std::copy(from + j + 1, from + size_, column(j) + j + 1);
    }

    void store_one(Index k, Index c) {
        const Index below = size_ - k - 1;
        diagonal_[k] = image_(c, k);
        if (diagonal_[k] == 0)
            lower_.row(c).segment(k + 1, below).setZero();  // so is the column
        else
            lower_.row(c).segment(k + 1, below) = image_.row(c).segment(k + 1, below) / diagonal_[k];
    }

    void store_two(Index k, Index c) {
        const Index below = size_ - k - 2;
        diagonal_[k] = image_(c, k), diagonal_[k + 1] = image_(c + 1, k + 1);
        const double off = beside_[k] = image_(c, k + 1);
        const double first = diagonal_[k] / off, second = diagonal_[k + 1] / off;
        const double scale = 1 / (off * (first * second - 1));
        const auto left = image_.row(c).segment(k + 2, below), right = image_.row(c + 1).segment(k + 2, below);
        lower_(c, k + 1) = 0;
        lower_.row(c).segment(k + 2, below) = scale * (second * left - right);
        lower_.row(c + 1).segment(k + 2, below) = scale * (first * right - left);
    }

    // Stores the panel's columns of L, and takes what they make of it from the rest.
    void update(const Panel& panel) {
        const Index first_group = panel.begin / LowerColumns::group_columns;
        share_parts(threads_, factor_.groups_from(panel.begin), [&](Share& share) {
            for (const Part part : share) {
                const Index g = first_group + part.index;
                const auto [begin, end] = factor_.group(g);
                for (Index k = panel.begin; k < std::min(panel.end, end); ++k) {
                    const double* const from = &lower_(k - panel.begin, 0);
                    const Index i = std::max(k + 1, begin);
                    if (i < end) std::copy(from + i, from + end, factor_.column(k) + i);
                }
                if (panel.end < end) subtract(panel, g);
            }
        });
    }

    // From the columns of group g.
    void subtract(const Panel& panel, Index g) {
        constexpr Index step = 16, width = (most_columns + row_multiple - 1) / row_multiple * row_multiple;
        const auto [begin, end] = factor_.group(g);
        alignas(64) double coefficients[LowerColumns::group_columns * width];
        for (Index i = begin; i < end; i += lane_count)
            for (Index c = 0; c < panel.size(); c += lane_count)
                transpose(&lower_(c, i), lower_.cols(), coefficients + (i - begin) * width + c, width);
        const Index stride = factor_.stride(g);
        const auto subtract_from = [&](Index j, Index columns, Index first_row, Index end_row) {
            double* const corner = factor_.column(j) + first_row;
            combine_each<double>(coefficients + (j - begin) * width, width, columns, panel.size(),
                                 RowsView<double>(image_).from_column(first_row), end_row - first_row,
                                 [=](Index q, Index i, const Doubles& sum) {
                                     double* const at = corner + q * stride + i;
                                     detail::lanes(at) -= sum;
                                     __builtin_prefetch(at + 4 * stride, 1);
                                 });
        };
        for (Index j = std::max(begin, panel.end); j < end; j += step)
            subtract_from(j, std::min(step, end - j), j / lane_count * lane_count, padded(end));
        const Index j = std::max(begin, panel.end);
        if (end < size_) subtract_from(j, end - j, end, padded(size_));
    }

    // The panel's part of L x = b, and of Lᵀ x = b.
    void solve_lower(const Range& panel, double* b) const {
        solve_unit_lower<false>(factor_, panel, b);
        share_parts(threads_, parts_below(panel.end), [&](Share& share) {
            for (const Part part : share) subtract_lower(factor_, rows_below(panel.end, part.index), panel, b);
        });
    }

    void solve_upper(const Range& panel, double* b, double* sums) const {
        const Index parts = parts_below(panel.end), numbers = panel.size() * column_block;
        share_parts(threads_, parts, [&](Share& share) {
            for (const Part part : share)
                sum_lower(factor_, rows_below(panel.end, part.index), panel, b, sums + part.index * numbers);
        });
        for (Index p = 0; p < parts; ++p)
            for (Index c = 0; c < numbers; ++c) b[panel.begin * column_block + c] -= sums[p * numbers + c];
        solve_unit_lower<true>(factor_, panel, b);
    }

    // Parts of the rows from one on.
    Index parts_below(Index row) const { return (size_ - row + part_rows - 1) / part_rows; }
    Range rows_below(Index row, Index part) const {
        return {row + part * part_rows, std::min(size_, row + (part + 1) * part_rows)};
    }

    double bound_error() const {
        Vector x = Vector::Ones(size_);
        Columns orders(size_, panels_.size());
        double norm = std::numeric_limits<double>::infinity();
        for (int turn = 0; turn < 2; ++turn) {
            const Vector y = magnitudes_times(x, orders);
            norm = std::min(norm, (y.array() / x.array()).maxCoeff());
            if (!(norm > 0)) return 0;
            x = y / y.maxCoeff() + Vector::Constant(size_, 1e-3);
        }
        const double roundings = 2 * (8 + std::sqrt(static_cast<double>(size_)));
        return roundings * std::numeric_limits<double>::epsilon() / 2 * norm;
    }

    // |L| |D| |Lᵀ| x. Column p of `orders` has the rows in the order of panel p: those of x, then of what it adds.
    Vector magnitudes_times(const Vector& x, Columns& orders) const {
        const Index last = orders.cols() - 1;
        orders.col(last) = x;
        for (Index p = last; p > 0; --p) {
            orders.col(p - 1) = orders.col(p);
            const auto& swaps = panels_[p].exchanges;
            for (auto swap = swaps.rbegin(); swap != swaps.rend(); ++swap)
                std::swap(orders(swap->first, p - 1), orders(swap->second, p - 1));
        }
        share_parts(threads_, last + 1, [&](Share& share) {
            for (const Part part : share) add_magnitudes(panels_[part.index], orders.col(part.index));
        });
        Vector result = orders.col(0);
        for (Index p = 1; p <= last; ++p) {
            for (const auto& [i, j] : panels_[p].exchanges) std::swap(result[i], result[j]);
            result.tail(size_ - panels_[p].begin) += orders.col(p).tail(size_ - panels_[p].begin);
        }
        return result;
    }

    void add_magnitudes(const Range& panel, Eigen::Ref<Vector> x) const {
        const auto below = [this](Index k) {
            return Eigen::Map<const Vector>(factor_.column(k) + k + 1, size_ - k - 1).cwiseAbs();
        };
        double y[most_columns];
        for (Index k = panel.begin; k < panel.end; ++k) y[k - panel.begin] = x[k] + below(k).dot(x.tail(size_ - k - 1));
        for (Index k = panel.begin; k < panel.end; ++k) {
            double* const at = y + k - panel.begin;
            if (beside_[k] != 0) {
                const double first = at[0], second = at[1], off = std::abs(beside_[k]);
                at[0] = std::abs(diagonal_[k]) * first + off * second;
                at[1] = off * first + std::abs(diagonal_[k + 1]) * second;
                ++k;
            } else {
                *at *= std::abs(diagonal_[k]);
            }
        }
        x.setZero();
        for (Index k = panel.begin; k < panel.end; ++k) {
            x[k] += y[k - panel.begin];
            x.tail(size_ - k - 1) += y[k - panel.begin] * below(k);
        }
    }

    const Index size_;
    const int threads_;
    LowerColumns factor_;
    Rows<double> lower_, image_, ahead_;
    Vector diagonal_, beside_;
    double error_ = 0;
    std::vector<Panel> panels_;
};

}  // namespace hessorbit
