// An orthonormal basis Q of the block Krylov subspace of X, A X, A² X, … for a symmetric operator A, with Qᵀ A Q.
//
// A step applies A to the last block Q_k (n, 8) and takes apart what comes,
//
//     A Q_k = Q C + Q_{k+1} R,    R (8, 8) upper triangular,
//
// by Gram–Schmidt: against Q in products of matrices, and within the block column by column. Twice is enough (Parlett, The
// Symmetric Eigenvalue Problem, §6.9), but where the second turn takes most of a column. A column of which no more than
// rounding is left, as where A Q_k lies in the subspace, is replaced by a random one, with 0 in R; so the basis is
// orthonormal whatever A is.
//
// Vectors of Q are rows here, so that SIMD lanes run along them. How work is cut depends on shapes alone.
#pragma once

#include "kernel/large_memory.hpp"
#include "ldlt.hpp"
#include "times_columns.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace hessorbit {

class KrylovBasis {
public:
    using Square = Eigen::Matrix<double, column_block, column_block, Eigen::RowMajor>;

    // start (n, 8) row-major; room for up to `most_blocks` blocks, at least one; n holds as many.
    KrylovBasis(const double* start, Index size, Index most_blocks, int threads)
        : size_(size), stride_(row_stride(size)), most_(most_blocks * width), threads_(threads),
          memory_(static_cast<std::size_t>((most_ + width) * stride_)), basis_(memory_.data(), stride_),
          in_(Rows<double>::Zero(padded(size), width)), out_(in_), projected_(Matrix<double>::Zero(most_, most_)),
          along_(most_, width), again_(most_, width), coefficients_(width, most_) {
        std::copy_n(start, size * width, out_.data());
        take_apart();
    }

    Index size() const { return size_; }
    Index dimensions() const { return dimensions_; }

    // Qᵀ A Q (most, most), in its upper triangle, of which the first dimensions() rows and columns count.
    const Matrix<double>& projected() const { return projected_; }

    // R of the last block.
    const Square& beyond() const { return beyond_; }

    // Adds blocks, by A (n, n) in rows or columns or by an inverse, as far as there is room.
    void advance(Index blocks, const double* matrix) {
        extend(blocks, [&](const Rows<double>& in, Rows<double>& out) {
            times_columns(matrix, size_, in.data(), out.data(), threads_);
        });
    }
    void advance(Index blocks, const Ldlt& factor) {
        extend(blocks, [&](const Rows<double>& in, Rows<double>& out) {
            out = in;
            factor.solve(out, sums_);
        });
    }

    // result (n, k) = Q times (dimensions(), k), row-major
    void combine_vectors(const double* columns, Index count, double* result) const {
        if (dimensions_ == 0) return void(std::fill_n(result, size_ * count, 0.0));
        const Index most = padded(count);
        Matrix<double> rows = Matrix<double>::Zero(most, dimensions_);
        rows.topRows(count) = Eigen::Map<const Matrix<double>>(columns, dimensions_, count).transpose();
        share_parts(team(count), pieces(), [&](Share& share) {
            Rows<double> combined(most, piece);
            for (const Part part : share) {
                const Range range = part_columns(part.index);
                combine<double>(rows.data(), dimensions_, count, dimensions_, from(0, range.begin),
                                RowsView<double>(combined), padded(range.size()));
                for (Index i = 0; i < range.size(); ++i)
                    for (Index c = 0; c < count; ++c) result[(range.begin + i) * count + c] = combined(c, i);
            }
        });
    }

private:
    static constexpr Index width = column_block, group = 24, piece = 512;
    static constexpr int most_turns = 4;
    static constexpr double negligible = 16 * std::numeric_limits<double>::epsilon(), kept = 0.5;

    // image(in, out) computes A in for rows of 8 numbers, n of them that count.
    template <class Image>
    void extend(Index blocks, const Image& image) {
        for (blocks = std::min(blocks, (most_ - dimensions_) / width); blocks > 0; --blocks) {
            transpose_rows(dimensions_, in_);
            image(in_, out_);
            dimensions_ += width;
            take_apart();
            projected_.block(0, dimensions_ - width, dimensions_, width) = along_.topRows(dimensions_);
        }
    }

    // Vectors from row i on, from a column on.
    RowsView<const double> from(Index i, Index column) const {
        return RowsView<const double>(basis_).from_row(i).from_column(column);
    }

    Index pieces() const { return (padded(size_) + piece - 1) / piece; }
    Range part_columns(Index part) const { return {part * piece, std::min(size_, (part + 1) * piece)}; }

    // Threads for the product of the vectors with some columns: what takes less than some 10 µs is done alone.
    int team(Index columns) const { return dimensions_ * size_ * columns < (Index(1) << 18) ? 1 : threads_; }

    // The vectors from row i on as rows of 8 numbers.
    void transpose_rows(Index i, Rows<double>& to) const {
        for (Index k = 0; k < padded(size_); k += lane_count)
            for (Index c = 0; c < width; c += lane_count)
                transpose(basis_.row(i + c) + k, stride_, &to(k, c), width);
    }

    // out_ = Q C + B R: B becomes the next rows of the basis.
    void take_apart() {
        for (Index k = 0; k < padded(size_); k += lane_count)
            for (Index c = 0; c < width; c += lane_count)
                transpose(&out_(k, c), width, basis_.row(dimensions_ + c) + k, stride_);
        along_.setZero();
        beyond_.setIdentity();
        for (int turn = 0; turn < most_turns; ++turn) {
            double before[width];
            for (Index c = 0; c < width; ++c) before[c] = norm(dimensions_ + c);
            if (dimensions_ > 0) {
                multiply();
                subtract();
                along_.topRows(dimensions_) += again_.topRows(dimensions_).lazyProduct(beyond_);
            }
            const Square left = orthonormalise(before);
            beyond_ = left * beyond_;
            if (turn > 0 && left.diagonal().minCoeff() > kept) break;
        }
    }

    // Qᵀ B
    void multiply() {
        constexpr Index right = Lanes<double>::right, step = group * right + row_multiple;
        share_parts(team(width), (dimensions_ + group - 1) / group, [&](Share& share) {
            alignas(64) double sums[width / right][step];
            const double *left[group], *block[width];
            for (const Part part : share) {
                const Index first = part.index * group, count = std::min(group, dimensions_ - first);
                std::fill_n(&sums[0][0], width / right * step, 0.0);
                for (Index k = 0; k < padded(size_); k += piece) {
                    for (Index a = 0; a < count; ++a) left[a] = basis_.row(first + a) + k;
                    for (Index c = 0; c < width; ++c) block[c] = basis_.row(dimensions_ + c) + k;
                    contract_columns<double>(left, count, block, width / right, std::min(piece, padded(size_) - k),
                                             &sums[0][0], step);
                }
                for (Index c = 0; c < width; ++c)
                    for (Index a = 0; a < count; ++a) again_(first + a, c) = sums[c / right][a * right + c % right];
            }
        });
    }

    // B − Q times that
    void subtract() {
        coefficients_.leftCols(dimensions_) = again_.topRows(dimensions_).transpose();
        share_parts(team(width), pieces(), [&](Share& share) {
            for (const Part part : share) {
                const Index begin = part.index * piece;
                combine_each<double>(coefficients_.data(), most_, width, dimensions_, from(0, begin),
                                     std::min(piece, padded(size_) - begin),
                                     [&](Index c, Index k, const Doubles& sum) {
                                         detail::lanes(basis_.row(dimensions_ + c) + begin + k) -= sum;
                                     });
            }
        });
    }

    // Orthonormal rows in place of B, and L with B = rows times L, as far as one turn does it.
    Square orthonormalise(const double* before) {
        Square left = Square::Zero();
        for (Index c = 0; c < width; ++c) {
            double* const row = basis_.row(dimensions_ + c);
            left.col(c) = take_from(row, c);
            double size = norm(dimensions_ + c);
            if (size > negligible * before[c]) {
                left(c, c) = size;
            } else {
                randomise(row);
                take_from(row, c);
                size = norm(dimensions_ + c);
            }
            Row<double>(row, padded(size_)) /= size;
        }
        return left;
    }

    // Subtracts from a row what the first `count` of B make of it, and returns their coefficients.
    Eigen::Vector<double, width> take_from(double* row, Index count) {
        Eigen::Vector<double, width> coefficients = Eigen::Vector<double, width>::Zero();
        contract<double>({row, stride_}, 1, from(dimensions_, 0), count, padded(size_),
                         [&](Index, Index c, double x) { coefficients[c] = x; });
        if (count > 0)
            combine_each<double>(coefficients.data(), width, 1, count, from(dimensions_, 0), padded(size_),
                                 [&](Index, Index k, const Doubles& sum) { detail::lanes(row + k) -= sum; });
        return coefficients;
    }

    void randomise(double* row) {
        for (Index k = 0; k < size_; ++k) row[k] = static_cast<double>(random_() >> 11) * 0x1p-52 - 1;
    }

    double norm(Index i) const { return std::sqrt(Row<double>(basis_.row(i), padded(size_)).square().sum()); }

    const Index size_, stride_, most_;
    const int threads_;
    Index dimensions_ = 0;
    const LargeMemory memory_;
    const RowsView<double> basis_;
    Rows<double> in_, out_, sums_;
    Matrix<double> projected_, along_, again_, coefficients_;
    Square beyond_;
    std::mt19937_64 random_;
};

}  // namespace hessorbit
