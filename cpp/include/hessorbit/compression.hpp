// What the loss makes of movements of the last hidden layer, in as few numbers as that layer is wide.
//
// Where outputs outnumber the d neurons of the last hidden layer, tr JᵀMJ and its kind need M as those neurons see it
// alone: with V = V_L (d, K) and a linear output layer,
//
//     V M Vᵀ = Rᵀ R,     R (d, d) triangular,     F[r,u] = σ'_{L−1}[u] R[r,u]
//
// and F takes the place of ∂z_L/∂z_{L−1}, with d rows instead of K and with I for M. So what is made of it stays a sum
// of squares, which no rounding makes negative. R is
//
//     M = w I      √w times the triangle of a QR factorisation of Vᵀ: K d² multiply-adds a chunk
//     otherwise    the Cholesky factor of V M Vᵀ, sample by sample: K d²/2 + d³/6 a sample
//
// With M diagonal, V M Vᵀ is Σ_k M_kk V_k V_kᵀ. For the loss that couples its outputs M = ρ (diag q − q qᵀ), c = √ρ q, it
// is a variance, taken apart as in loss.hpp but in the order of the outputs, from the last: with m_k the mean of those
// after the k-th,
//
//     Σ_k ρ (q_k S_k / T_k) (V_k − m_k) (V_k − m_k)ᵀ,     S_k = Σ_{j>k} q_j,  T_k = q_k + S_k.
//
// A pivot below d ulps of what it started from is nothing: it is rounding, and its row of R is zero.
#pragma once

#include "kernel/interruption.hpp"
#include "propagate.hpp"

#include <Eigen/QR>

#include <cmath>
#include <vector>

namespace hessorbit {

// Whether R pays: how many rows F then has, or 0 if it does not. constant_loss: M = w I.
inline Index compressed_outputs(const Network& network, bool constant_loss) {
    if (network.depth() < 3 || !network.last().linear()) return 0;
    const Index width = network.last().fan_in, outputs = network.outputs();
    return (constant_loss ? outputs > width : 2 * outputs > 3 * width) ? width : 0;
}

template <class T>
class OutputCompression {
public:
    // constant_loss: M = w I.
    OutputCompression(const Network& network, bool constant_loss)
        : width_(network.last().fan_in), outputs_(network.outputs()), constant_loss_(constant_loss),
          local_(width_ * (width_ + 1) / 2), start_(width_), mean_(width_), difference_(block * padded_width()),
          weighted_(block * padded_width()), products_(width_ * (width_ + 1) / 2, block) {}

    // F (width · width, n), row r·width + u, for columns c of a tape that has been through backward. v = V_L.
    void run(Tape<T>& tape, const Matrix<T>& v, RowsView<const T> slope, RowsView<T> f, Columns c) {
        const RowsView<T> diagonal = RowsView<T>(tape.loss_diagonal).from_column(c.begin);
        if (constant_loss_) return repeat_triangle(diagonal, v, slope, f, c.size);
        const RowsView<T> coupling = detail::view_or_null(tape.loss_coupling, c.begin);
        if (coupling.data) {
            for (Index i = 0; i < c.size; i += Lanes<T>::count) {
                add_variance(coupling.from_column(i), v);
                factor(slope.from_column(i), f.from_column(i));
            }
            return;
        }
        sums_.resize(std::ssize(local_), std::max(sums_.cols(), row_stride(c.size)));
        add_products(diagonal, v, c.size);
        for (Index i = 0; i < c.size; i += Lanes<T>::count) {
            for (Index p = 0; p < std::ssize(local_); ++p) local_[p] = detail::lanes(RowsView<T>(sums_).row(p) + i);
            factor(slope.from_column(i), f.from_column(i));
        }
    }

private:
    using V = Register<T>;
    static constexpr Index block = 32, tile = 4;  // outputs taken together; a square of sums in registers

    static Index place(Index u, Index v) { return u * (u + 1) / 2 + v; }  // u ≥ v
    Index padded_width() const { return (width_ + tile - 1) / tile * tile; }

    // Columns of Vᵀ are scaled by powers of two, so that their squares are in range.
    void repeat_triangle(RowsView<const T> weight, const Matrix<T>& v, RowsView<const T> slope, RowsView<T> f, Index n) {
        Matrix<T> scaled = v.transpose();
        std::vector<T> scale(width_, T(1));
        for (Index u = 0; u < width_; ++u) {
            const T most = scaled.col(u).cwiseAbs().maxCoeff();
            if (most > 0 && most - most == 0) scale[u] = std::ldexp(T(1), std::ilogb(most));
            scaled.col(u) /= scale[u];
        }
        const Matrix<T> r = Eigen::HouseholderQR<Matrix<T>>(scaled).matrixQR().topRows(width_);
        for (Index i = 0; i < n; i += Lanes<T>::count) {
            const V root = square_root(V(detail::lanes(weight.row(0) + i)));
            for (Index u = 0; u < width_; ++u) {
                const V at = root * detail::lanes(slope.row(u) + i);
                for (Index k = 0; k < width_; ++k)
                    detail::lanes(f.row(k * width_ + u) + i) = k <= u ? at * (r(k, u) * scale[u]) : V{};
            }
        }
    }

    // sums = Σ_k M_kk V_uk V_vk.
    void add_products(RowsView<const T> diagonal, const Matrix<T>& v, Index n) {
        sums_.setZero();
        for (Index first = 0; first < outputs_; first += block) {
            stop_if_interrupted();
            const Index count = std::min(block, outputs_ - first);
            for (Index u = 0; u < width_; ++u)
                for (Index w = 0; w <= u; ++w)
                    for (Index k = 0; k < count; ++k) products_(place(u, w), k) = v(u, first + k) * v(w, first + k);
            combine<T, true>(products_.data(), block, std::ssize(local_), count, diagonal_from(diagonal, first),
                             RowsView<T>(sums_), n);
        }
    }

    static RowsView<const T> diagonal_from(RowsView<const T> rows, Index first) { return {rows.row(first), rows.stride}; }

    // The sums of one SIMD vector of samples.
    void add_variance(RowsView<const T> coupling, const Matrix<T>& v) {
        V total = {}, tail = {};
        for (Index k = 0; k < outputs_; ++k) total += detail::lanes(coupling.row(k));
        std::fill(local_.begin(), local_.end(), V{});
        std::fill(mean_.begin(), mean_.end(), V{});
        for (Index end = outputs_; end > 0; end -= std::min(block, end)) {
            const Index first = std::max<Index>(0, end - block);
            for (Index k = end - 1; k >= first; --k) {
                const V c = detail::lanes(coupling.row(k)), whole = tail + c;
                const V share = whole > 0 ? c / whole : V{}, weight = total * share * tail;
                V* const d = difference_.data() + (k - first) * padded_width();
                V* const e = weighted_.data() + (k - first) * padded_width();
                for (Index u = 0; u < width_; ++u) {
                    d[u] = v(u, k) - mean_[u];
                    mean_[u] = multiply_add(share, d[u], mean_[u]);
                    e[u] = weight * d[u];
                }
                tail = whole;
            }
            add_block(end - first);
        }
    }

    // local += Σ_k weighted_k difference_kᵀ for the outputs of a block.
    void add_block(Index count) {
        for (Index u = 0; u < width_; u += tile)
            for (Index w = 0; w <= u; w += tile) {
                V sum[tile][tile] = {};
                for (Index k = 0; k < count; ++k) {
                    const V* const d = difference_.data() + k * padded_width() + w;
                    const V* const e = weighted_.data() + k * padded_width() + u;
#pragma GCC unroll 4
                    for (Index a = 0; a < tile; ++a)
#pragma GCC unroll 4
                        for (Index b = 0; b < tile; ++b) sum[a][b] += e[a] * d[b];
                }
                for (Index a = u; a < std::min(u + tile, width_); ++a)
                    for (Index b = w; b <= std::min(a, w + tile - 1); ++b) local_[place(a, b)] += sum[a - u][b - w];
            }
    }

    // From the sums of one SIMD vector of samples their Cholesky factor, and F.
    void factor(RowsView<const T> slope, RowsView<T> f) {
        const T nothing = static_cast<T>(width_) * std::numeric_limits<T>::epsilon();
        for (Index u = 0; u < width_; ++u) start_[u] = local_[place(u, u)];
        for (Index k = 0; k < width_; ++k) {
            const V pivot = local_[place(k, k)], inverse = 1 / square_root(pivot);
            const V scale = pivot > nothing * start_[k] ? inverse : pivot - pivot == 0 ? V{} : pivot;
            for (Index u = k; u < width_; ++u) local_[place(u, k)] *= scale;
            for (Index u = k + 1; u < width_; ++u) {
                const V left = local_[place(u, k)];
                for (Index w = k + 1; w <= u; ++w)
                    local_[place(u, w)] = multiply_add(-left, local_[place(w, k)], local_[place(u, w)]);
            }
            for (Index u = 0; u < width_; ++u)
                detail::lanes(f.row(k * width_ + u)) =
                    u < k ? V{} : local_[place(u, k)] * detail::lanes(slope.row(u));
        }
    }

    Index width_, outputs_;
    bool constant_loss_;
    std::vector<V> local_, start_, mean_, difference_, weighted_;
    Matrix<T> products_;
    Rows<T> sums_;
};

}  // namespace hessorbit
