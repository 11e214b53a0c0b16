// What the loss makes of movements of the last hidden layer: with V = V_L (d, K) and σ' that of the last hidden layer,
//
//     S = diag(σ') V M Vᵀ diag(σ') = GᵀG,
//
// either the pairs of S, where those take less than K rows, or rows G, as no rounding makes a sum of their squares
// negative. There are K rows, or d where that takes less: those of R diag(σ'), with V M Vᵀ = RᵀR and R triangular. One SIMD vector of samples is worked on at
// a time. With V_k a column of V, the rows are
//
//     M = w I                 √w V_kᵀ; V Vᵀ and R are the same for all samples
//     M diagonal              √M_kk V_kᵀ
//     M = ρ (diag q − q qᵀ)   √(ρ q_k) (V_k − μ)ᵀ with the mean μ = Σ_k q_k V_k, as xᵀMx is ρ times a variance
//
// To S it takes K d²/2 multiply-adds a sample (a call, if M = w I), and d³/6 from there to R, its Cholesky factor.
// So that no digits are lost where one class t has nearly all the probability, μ is V_t + m with
// m = Σ_{k≠t} q_k (V_k − V_t), and V_t − μ is −m. A pivot of R below d ulps of what it started from is nothing: it is
// rounding, and its row of R is zero.
//
// Behind an output layer that is not linear M may have any sign. G then has the rows V_kᵀ diag(σ'), and GᵀMG is meant.
#pragma once

#include "kernel/lane_matrix.hpp"
#include "propagate.hpp"

#include <cmath>
#include <vector>

namespace hessorbit {

template <class T>
class LossRows {
public:
    // n: columns of a chunk; constant_loss: M = w I; coupled: M is not diagonal; paired: whether pairs may take the
    // place of d rows.
    LossRows(const Network& network, Index n, bool constant_loss, bool coupled, bool paired)
        : width_(network.last().fan_in), outputs_(network.outputs()), linear_(network.last().linear()),
          constant_(constant_loss), coupled_(coupled),
          triangular_(linear_ && (!constant_loss ? 3 * outputs_ > 4 * width_
                                  : paired       ? pairs_take_less(network)
                                                 : outputs_ >= width_)),
          paired_(paired && triangular_),
          columns_(outputs_, width_), factor_(triangular_ && constant_ ? width_ : 0, width_), center_(2, width_),
          deviations_(triangular_ && coupled ? block + 1 : 0, width_),
          local_(1, triangular_ && !constant_ ? triangle(width_) : 0) {
        if (triangular_ && constant_ && !paired_) rows_.setZero(width_, outputs_);
        if (linear_ && coupled) means_.setZero(width_ + 3, n), top_.resize(n);
        if (!triangular_ || constant_ || coupled) return;
        sums_.setZero(triangle(width_), n), products_.setZero(triangle(width_), block);
    }

    Index count() const { return triangular_ ? width_ : outputs_; }
    bool triangular() const { return triangular_; }
    bool paired() const { return paired_; }  // whether there are pairs and no rows
    bool squares() const { return linear_; }

    // To be called for each θ. v = V_L.
    void prepare(const Matrix<T>& v) {
        columns_ = v.transpose();
        if (!triangular_ || !constant_) return;
        if (paired_) multiply(v);
        else orthogonalise(v);
    }

    // To be called for each chunk after its backward pass. Changes the coupling that the tape holds.
    void start_chunk(Tape<T>& tape, const Matrix<T>& v, Index n) {
        if (linear_ && coupled_) find_means(RowsView<T>(tape.loss_coupling), v, n);
        else if (triangular_ && !constant_) add_products(RowsView<T>(tape.loss_diagonal), v, n);
    }

    // Writes the pairs of S of the SIMD vector of samples from `column` on, a row each of out; slope: σ' of those and
    // the last hidden layer.
    void write_pairs(Tape<T>& tape, RowsView<const T> slope, Index column, RowsView<T> out) {
        const V weight = detail::lanes(RowsView<T>(tape.loss_diagonal).row(0) + column);
        if (coupled_) find_sums(tape, column);
        const auto* const local = local_.row(0);
        const auto scale = [=, width = width_](const auto& at) {
            for (Index u = 0; u < width; ++u) {
                const V left = detail::lanes(slope.row(u));
                for (Index w = 0; w <= u; ++w)
                    detail::lanes(out.row(triangle(u) + w)) = at(u, w) * (left * detail::lanes(slope.row(w)));
            }
        };
        if (constant_) {
            scale([=, from = factor_.data(), width = width_](Index u, Index w) { return weight * from[u * width + w]; });
        } else if (coupled_) {
            scale([=](Index u, Index w) -> V { return local[triangle(u) + w]; });
        } else {
            const RowsView<T> sums = RowsView<T>(sums_).from_column(column);
            scale([=](Index u, Index w) -> V { return detail::lanes(sums.row(triangle(u) + w)); });
        }
    }

    // Writes G likewise, if it is triangular only from the diagonal on or a little before it.
    void write(Tape<T>& tape, RowsView<const T> slope, Index column, LaneMatrix<T>& g) {
        if (!triangular_ && linear_ && coupled_) {
            find_center(column);
            return write_deviations(RowsView<T>(tape.loss_coupling).from_column(column), slope, column, g);
        }
        if (!triangular_ || constant_)
            return write_outputs(RowsView<T>(tape.loss_diagonal).from_column(column), slope, g);
        find_sums(tape, column);
        factorise();
        const Index width = width_;
        for (Index r = 0; r < width; ++r) {
            auto* const to = g.row(r);
            const auto* const from = local_.row(0) + r;
            for (Index u = r / 4 * 4; u < width; ++u)
                to[u] = r <= u ? from[triangle(u)] * detail::lanes(slope.row(u)) : V{};
        }
    }

private:
    using V = Register<T>;
    static constexpr Index block = 32;  // outputs taken together

    // For M = w I: a step from pairs of d neurons to those of d' below, or to their diagonal, against one of K rows and
    // what makes pairs of these.
    static bool pairs_take_less(const Network& network) {
        const Index outputs = network.outputs(), width = network.last().fan_in;
        const Index below = network.layer(network.depth() - 2).fan_in;
        return network.depth() == 3 ? 2 * outputs > width : outputs * (2 * width + below) > 2 * width * width;
    }

    // V M Vᵀ of one SIMD vector of samples.
    void find_sums(Tape<T>& tape, Index column) {
        if (coupled_) {
            find_center(column);
            add_deviations(RowsView<T>(tape.loss_coupling).from_column(column), column);
        } else {
            const RowsView<T> sums = RowsView<T>(sums_).from_column(column);
            for (Index p = 0; p < triangle(width_); ++p) local_(0, p) = detail::lanes(sums.row(p));
        }
    }

    // V Vᵀ.
    void multiply(const Matrix<T>& v) {
        for (Index u = 0; u < width_; ++u)
            for (Index w = 0; w <= u; ++w) factor_(u, w) = v.row(u).dot(v.row(w));
    }

    // R of √w V_kᵀ but for √w, by the modified Gram–Schmidt process, which finds R as well as reflections do. Rows are
    // scaled by powers of two, so that their squares are in range.
    void orthogonalise(const Matrix<T>& v) {
        rows_ = v;
        factor_.setZero();
        for (Index u = 0; u < width_; ++u) {
            const T most = rows_.row(u).cwiseAbs().maxCoeff();
            const T scale = most > 0 && most - most == 0 ? std::ldexp(T(1), std::ilogb(most)) : T(1);
            rows_.row(u) /= scale;
            for (Index r = 0; r < u; ++r) {
                const T part = rows_.row(r).dot(rows_.row(u));
                rows_.row(u) -= part * rows_.row(r);
                factor_(r, u) = scale * part;
            }
            const T norm = std::sqrt(rows_.row(u).squaredNorm());
            if (norm != 0) rows_.row(u) /= norm;
            factor_(u, u) = scale * norm;
        }
    }

    // sums = Σ_k M_kk V_k V_kᵀ.
    void add_products(RowsView<const T> diagonal, const Matrix<T>& v, Index n) {
        for (Index first = 0; first < outputs_; first += block) {
            stop_if_interrupted();
            const Index count = std::min(block, outputs_ - first);
            T* to = products_.data();
            for (Index u = 0; u < width_; ++u)
                for (Index w = 0; w <= u; ++w, to += block) {
                    const T *const left = v.data() + u * outputs_ + first, *const right = v.data() + w * outputs_ + first;
                    for (Index k = 0; k < count; ++k) to[k] = left[k] * right[k];
                }
            const RowsView<const T> from(diagonal.row(first), diagonal.stride);
            const RowsView<T> sums(sums_);
            if (first == 0) combine<T>(products_.data(), block, triangle(width_), count, from, sums, n);
            else combine<T, true>(products_.data(), block, triangle(width_), count, from, sums, n);
        }
    }

    // Of c = √ρ q: takes that of each sample's top class t away, leaving 0; the rows of means are then Σ_{k≠t} c_k V_k,
    // Σ_{k≠t} c_k, c_t and Σ_k c_k.
    void find_means(RowsView<T> coupling, const Matrix<T>& v, Index n) {
        const RowsView<T> others = RowsView<T>(means_).from_row(width_);
        const RowsView<T> most = others.from_row(1), all = others.from_row(2);
        for (Index i = 0; i < n; i += Lanes<T>::count) {
            V top = {}, largest = detail::lanes(coupling.row(0) + i), sum = {};
            for (Index k = 1; k < outputs_; ++k) {
                const V c = detail::lanes(coupling.row(k) + i);
                top = c > largest ? constant<V>(static_cast<T>(k)) : top;
                sum += c > largest ? largest : c;
                largest = c > largest ? c : largest;
            }
            alignas(64) T place[row_multiple];
            detail::lanes(place) = top;
            for (Index s = 0; s < Lanes<T>::count; ++s) {
                top_[i + s] = static_cast<Index>(place[s]);
                coupling.row(top_[i + s])[i + s] = 0;
            }
            detail::lanes(others.row(0) + i) = sum;
            detail::lanes(most.row(0) + i) = largest;
            detail::lanes(all.row(0) + i) = sum + largest;
        }
        combine<T>(v.data(), outputs_, width_, outputs_, coupling, RowsView<T>(means_), n);
    }

    // Rows of outputs, or of R, of which there are as many as M is thought to have different entries.
    void write_outputs(RowsView<const T> diagonal, RowsView<const T> slope, LaneMatrix<T>& g) {
        const Index width = width_, rows = count();
        for (Index r = 0; r < rows; ++r) {
            auto* const to = g.row(r);
            const T* const from = triangular_ ? factor_.data() + r * width : columns_.data() + r * width;
            const V root = linear_ ? square_root(V(detail::lanes(diagonal.row(triangular_ ? 0 : r)))) : constant<V>(1);
            for (Index u = triangular_ ? r / 4 * 4 : 0; u < width; ++u)
                to[u] = root * from[u] * detail::lanes(slope.row(u));
        }
    }

    // μ and √(ρ q_t) (V_t − μ).
    void find_center(Index column) {
        const RowsView<T> means = RowsView<T>(means_).from_column(column);
        const V others = detail::lanes(means.row(width_)), most = detail::lanes(means.row(width_ + 1));
        const V all = detail::lanes(means.row(width_ + 2));
        const V inverse = all > 0 ? 1 / all : V{}, root = square_root(all * most);
        for (Index s = 0; s < Lanes<T>::count; ++s)
            for (Index u = 0; u < width_; ++u) center_.lane(0, u, s) = columns_(top_[column + s], u);
        for (Index u = 0; u < width_; ++u) {
            const V from = center_(0, u), m = inverse * multiply_add(-others, from, V(detail::lanes(means.row(u))));
            center_(0, u) = from + m;
            center_(1, u) = -root * m;
        }
    }

    // The row of an output, zero for t, is written to `to`, changed by factor(u, ·).
    template <class Factor>
    void write_deviation(RowsView<const T> coupling, Index column, Index k, detail::Vector<T>* to,
                         const Factor& factor) {
        const V all = detail::lanes(RowsView<T>(means_).row(width_ + 2) + column);
        const V root = square_root(all * detail::lanes(coupling.row(k)));
        const T* const from = columns_.data() + k * width_;
        const auto* const center = center_.row(0);
        for (Index u = 0, width = width_; u < width; ++u) to[u] = factor(u, root * (from[u] - center[u]));
    }

    void write_deviations(RowsView<const T> coupling, RowsView<const T> slope, Index column, LaneMatrix<T>& g) {
        const auto scaled = [&](Index u, V value) { return value * detail::lanes(slope.row(u)); };
        for (Index k = 0; k < outputs_; ++k) write_deviation(coupling, column, k, g.row(k), scaled);
        for (Index s = 0; s < Lanes<T>::count; ++s)
            for (Index u = 0; u < width_; ++u) g.lane(top_[column + s], u, s) = center_.lane(1, u, s) * slope.row(u)[s];
    }

    void add_deviations(RowsView<const T> coupling, Index column) {
        for (Index p = 0; p < triangle(width_); ++p) local_(0, p) = V{};
        for (Index first = 0; first < outputs_; first += block) {
            stop_if_interrupted();
            Index count = std::min(block, outputs_ - first);
            for (Index k = 0; k < count; ++k)
                write_deviation(coupling, column, first + k, deviations_.row(k), [](Index, V value) { return value; });
            if (first == 0) std::copy_n(center_.row(1), width_, deviations_.row(count++));
            auto* const local = local_.row(0);
            gram_each(deviations_, count, width_,
                      [=](Index u, Index w, const auto& sum) { local[triangle(u) + w] += sum; });
        }
    }

    // From V M Vᵀ, its lower triangle, Rᵀ in its place.
    void factorise() {
        const T nothing = static_cast<T>(width_) * std::numeric_limits<T>::epsilon();
        const Index width = width_;
        auto* const local = local_.row(0);
        for (Index k = 0; k < width; ++k) {
            const auto* const own = local + triangle(k);
            const V start = own[k];
            const auto reduce = [=]<int count>(Index u) {
                detail::Vector<T>* row[count];
                V left[count];
                for (int a = 0; a < count; ++a) row[a] = local + triangle(u + a), left[a] = row[a][k];
                for (Index j = 0; j < k; ++j)
#pragma GCC unroll 4
                    for (int a = 0; a < count; ++a) left[a] -= row[a][j] * own[j];
                for (int a = 0; a < count; ++a) row[a][k] = left[a];
            };
            Index u = k;
            for (; u + 4 <= width; u += 4) reduce.template operator()<4>(u);
            for (; u < width; ++u) reduce.template operator()<1>(u);
            const V pivot = own[k], inverse = 1 / square_root(pivot);
            const V scale = pivot > nothing * start ? inverse : pivot - pivot == 0 ? V{} : pivot;
            for (u = k; u < width; ++u) local[triangle(u) + k] *= scale;
        }
    }

    Index width_, outputs_;
    bool linear_, constant_, coupled_, triangular_, paired_;
    Matrix<T> columns_, factor_, rows_, products_;  // Vᵀ; what is constant of V Vᵀ or R, scratch of R; V_uk V_wk
    LaneMatrix<T> center_, deviations_, local_;
    Rows<T> means_, sums_;
    std::vector<Index> top_;
};

}  // namespace hessorbit
