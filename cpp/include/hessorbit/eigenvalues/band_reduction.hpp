// Reduces a symmetric matrix A to a band B = Qᵀ A Q of the same eigenvalues, Q orthogonal.
//
// A panel is as many columns as B has diagonals, w. Householder's reflections reduce what it holds below the diagonal
// block by another w rows, r in number, to an upper triangle R; they make up Q = I − V T Vᵀ (V (r, w), T (w, w) upper
// triangular), which turns the square S of these rows into
//
//     Qᵀ S Q = S − V Wᵀ − W Vᵀ,    W = S V T − ½ V (Tᵀ Vᵀ S V T)
//
// 4 r² w flops in products of matrices, 4n³/3 in all. Memory is what they wait for, so each panel passes once over the lower
// half of S: a tile gets what the panel before left to subtract, and is multiplied by this panel's V, from both sides. V and
// W are rows here, so that lanes run along columns of S.
//
// C. H. Bischof, B. Lang and X. Sun, "A framework for symmetric band reduction", ACM TOMS 26 (2000). R. Schreiber and C.
// Van Loan, "A storage-efficient WY representation for products of Householder transformations", SISSC 10 (1989).
#pragma once

#include "../kernel/large_memory.hpp"
#include "../kernel/team.hpp"
#include "band.hpp"
#include "reflector.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>

namespace hessorbit {

class BandReduction {
public:
    // matrix (n, n) in columns or rows
    BandReduction(const double* matrix, Index size, int threads)
        : size_((size + width - 1) / width * width), stride_(row_stride(size_)), threads_(threads),
          memory_(static_cast<std::size_t>(size_ * stride_)), square_(memory_.data()), v_(width, stride_),
          image_(width, stride_), images_(most_slots * width, stride_), both_(2 * width, stride_),
          coefficients_(size_, 2 * width) {
        if (const double largest = copy(matrix, size); largest > 0) scale_if_needed(largest);
    }

    // What B is times A: a power of 2, so that squares neither overflow nor vanish if they matter.
    double scale() const { return scale_; }

    // B, of n rows rounded up to a multiple of w; what is beyond n is 0.
    Band operator()() {
        Band band(size_);
        for (Index j = 0; j < size_; j += width) {
            if (j > 0) subtract(j, width, j, size_ - j);
            for (Index k = j; k < j + width; ++k) std::copy(column(k) + k, column(k) + j + width, band.at(k, k));
            const Index first = j + width;
            if (first == size_) break;
            reduce_panel(j, first, band);
            update_and_multiply(first);
            complete(first);
        }
        return band;
    }

private:
    static constexpr Index width = Band::bandwidth, tile = 64;

    double* column(Index j) { return square_ + j * stride_; }

    static Index parts(Index count, Index size) { return (count + size - 1) / size; }

    // Returns the largest magnitude.
    double copy(const double* matrix, Index size) {
        Eigen::ArrayXd largest(size_ / width);
        share_parts(threads_, size_ / width, [&](Share& share) {
            for (const Part part : share) {
                double& magnitude = largest[part.index] = 0;
                for (Index j = part.index * width; j < (part.index + 1) * width; ++j) {
                    const Index rows = j < size ? size : 0;
                    const Eigen::Map<const Eigen::ArrayXd> from(matrix + j * size, rows);
                    Eigen::Map<Eigen::ArrayXd> to(column(j), size_);
                    to.head(rows) = from;
                    to.tail(size_ - rows).setZero();
                    if (rows > 0) magnitude = std::max(magnitude, from.abs().maxCoeff());
                }
            }
        });
        return largest.maxCoeff();
    }

    void scale_if_needed(double largest) {
        if (largest > 1e-100 && largest < 1e100) return;
        scale_ = std::ldexp(1.0, std::clamp(-std::ilogb(largest), -1000, 1000));
        for (Index j = 0; j < size_; ++j) Eigen::Map<Eigen::ArrayXd>(column(j), size_) *= scale_;
    }

    // V from row `first` on, T, and R, of columns j …
    void reduce_panel(Index j, Index first, Band& band) {
        double factor[width];
        for (Index k = 0; k < width; ++k) std::copy(column(j + k) + first, column(j + k) + size_, &v_(k, first));
        for (Index k = 0; k < width; ++k) {
            double* const v = &v_(k, 0);
            const Index top = first + k;
            std::copy(v + first, v + top, band.at(first, j + k));
            std::fill(v + first, v + top, 0.0);
            const auto [value, t] = make_reflector(v + top, size_ - top);
            *band.at(top, j + k) = value;
            factor[k] = t;
            if (t != 0) reflect(k, top / lane_count * lane_count, t);
        }
        combine_reflectors(first, factor);
    }

    // Applies reflector k of the panel, which is 0 before row `from`, to the columns behind it.
    void reflect(Index k, Index from, double t) {
        const double* const v = &v_(k, 0);
        const auto columns = [&]<int count>(Index c) {
            Doubles dot[count] = {};
            for (Index i = from; i < size_; i += lane_count)
                for (int q = 0; q < count; ++q) dot[q] += load(v + i) * load(&v_(c + q, i));
            double multiple[count];
            for (int q = 0; q < count; ++q) multiple[q] = t * sum(dot[q]);
            for (Index i = from; i < size_; i += lane_count)
                for (int q = 0; q < count; ++q)
                    store(&v_(c + q, i), load(&v_(c + q, i)) - multiple[q] * load(v + i));
        };
        Index c = k + 1;
        for (; c + 8 <= width; c += 8) columns.template operator()<8>(c);
        for (; c + 2 <= width; c += 2) columns.template operator()<2>(c);
        if (c < width) columns.template operator()<1>(c);
    }

    // T of I − V T Vᵀ = Π_k (I − factor_k v_k v_kᵀ)
    void combine_reflectors(Index first, const double* factor) {
        const Matrix<double> gram = products(v_, first);
        triangle_.setZero(width, width);
        for (Index k = 0; k < width; ++k) {
            triangle_(k, k) = factor[k];
            triangle_.col(k).head(k) =
                -factor[k] * triangle_.topLeftCorner(k, k).lazyProduct(gram.col(k).head(k));
        }
    }

    // V times rows (w, r) from column `first` on
    Matrix<double> products(const Rows<double>& rows, Index first) const {
        Matrix<double> result(width, width);
        contract<double>(from(v_, first), width, from(rows, first), width, size_ - first,
                         [&](Index i, Index k, double x) { result(i, k) = x; });
        return result;
    }

    static RowsView<const double> from(const Rows<double>& rows, Index column) {
        return {rows.data() + column, rows.cols()};
    }

    // S − W Vᵀ − V Wᵀ of the panel before, in these columns and rows
    [[gnu::noinline]] void subtract(Index j, Index columns, Index i, Index rows) {
        combine_each<double>(&coefficients_(j, 0), 2 * width, columns, 2 * width, from(both_, i), rows,
                             [&](Index k, Index row, const Doubles& sum) {
                                 double* const at = column(j + k) + i + row;
                                 detail::lanes(at) -= sum;
                                 __builtin_prefetch(at + 4 * stride_, 1);
                             });
    }

    // The same in all columns, and S V. A slot takes some blocks of columns, long and short ones in turn, and sums what
    // their rows below contribute; how many slots there are depends on the size alone.
    void update_and_multiply(Index first) {
        const Index blocks = parts(size_ - first, tile), slots = std::min(most_slots, blocks);
        share_parts(threads_, slots, [&](Share& share) {
            for (const Part part : share) {
                images_.block(part.index * width, first, width, size_ - first).setZero();
                for (Index turn = 0; turn * slots < blocks; ++turn) {
                    const Index block = turn * slots + (turn % 2 == 0 ? part.index : slots - 1 - part.index);
                    if (block < blocks) do_columns(first, first + block * tile, part.index * width);
                }
            }
        });
        share_parts(threads_, parts(size_ - first, piece), [&](Share& share) {
            for (const Part part : share) {
                const Index i = first + part.index * piece, count = std::min(piece, size_ - i);
                auto sum = image_.block(0, i, width, count);
                sum = images_.block(0, i, width, count);
                for (Index slot = 1; slot < slots; ++slot) sum += images_.block(slot * width, i, width, count);
            }
        });
    }

    // Columns j …, whose products with V are added to rows `to` … of the images.
    void do_columns(Index first, Index j, Index to) {
        constexpr Index right = Lanes<double>::right, step = tile * right + row_multiple;
        const Index columns = std::min(tile, size_ - j);
        const RowsView<double> image = RowsView<double>(images_).from_row(to);
        alignas(64) double sums[width / right][step];
        const double *left[tile], *reflectors[width];
        std::fill_n(&sums[0][0], width / right * step, 0.0);
        for (Index i = j; i < size_; i += tile) {
            const Index rows = std::min(tile, size_ - i);
            if (first > width) subtract(j, columns, i, rows);
            if (i == j)
                mirror(j, columns);
            else
                combine<double, true>(&v_(0, j), v_.cols(), width, columns, {column(j) + i, stride_},
                                      image.from_column(i), rows);
            for (Index a = 0; a < columns; ++a) left[a] = column(j + a) + i;
            for (Index k = 0; k < width; ++k) reflectors[k] = &v_(k, i);
            contract_columns<double>(left, columns, reflectors, width / right, rows, &sums[0][0], step);
        }
        for (Index k = 0; k < width; ++k)
            for (Index a = 0; a < columns; ++a) image.row(k)[j + a] += sums[k / right][a * right + k % right];
    }

    // W and V as rows, V and W as columns
    void complete(Index first) {
        const Matrix<double> right = triangle_.transpose();
        const Matrix<double> own = -0.5 * right * products(image_, first).transpose() * triangle_;
        share_parts(threads_, parts(size_ - first, tile), [&](Share& share) {
            for (const Part part : share) {
                const Index i = first + part.index * tile, count = std::min(tile, size_ - i);
                const RowsView<double> w = RowsView<double>(both_).from_column(i);
                combine<double>(right.data(), width, right.rows(), right.cols(), from(image_, i), w, count);
                combine<double, true>(own.data(), width, own.rows(), own.cols(), from(v_, i), w, count);
                both_.block(width, i, width, count) = v_.block(0, i, width, count);
                for (Index a = i; a < i + count; ++a) {
                    coefficients_.row(a).head(width) = v_.col(a).transpose();
                    coefficients_.row(a).tail(width) = both_.col(a).head(width).transpose();
                }
            }
        });
    }

    // Copies what is below the diagonal, of a square on it, to above.
    void mirror(Index first, Index count) {
        for (Index i = first; i < first + count; i += lane_count) {
            for (Index j = first; j < i; j += lane_count) transpose(column(j) + i, stride_, column(i) + j, stride_);
            for (Index j = i; j < i + lane_count; ++j)
                for (Index k = j + 1; k < i + lane_count; ++k) column(k)[j] = column(j)[k];
        }
    }

    static constexpr Index most_slots = 8, piece = 256;

    const Index size_, stride_;
    const int threads_;
    const LargeMemory memory_;
    double* const square_;
    double scale_ = 1;
    Rows<double> v_, image_, images_, both_;
    Matrix<double> coefficients_, triangle_;
};

}  // namespace hessorbit
