// Moments of all pairs of features, in the coordinates of the inputs. With e₁, e₂ the basis of a pair's plane,
//
//     E[φψ x]   = M₁₀ e₁ + M₀₁ e₂
//     E[φψ xxᵀ] = M₀₀ (I − e₁e₁ᵀ − e₂e₂ᵀ) + M₂₀ e₁e₁ᵀ + M₁₁ (e₁e₂ᵀ + e₂e₁ᵀ) + M₀₂ e₂e₂ᵀ.
#pragma once

#include "../kernel/team.hpp"
#include "network.hpp"
#include "pair.hpp"

#include <utility>

namespace hessorbit::population {

class MomentTable {
public:
    MomentTable(const SignedNetwork& net, const Features& features, int order, const Resolution& resolution,
                int threads)
        : count_(features.count()), inputs_(net.inputs()) {
        const Index pairs = count_ * (count_ + 1) / 2;
        entries_.resize(pairs);
        basis_.setZero(2 * pairs, inputs_);
        for (Index a = 0; a < count_; ++a)
            for (Index b = a; b < count_; ++b) {
                Entry& entry = entries_[position(a, b)];
                entry.first = a, entry.second = b;
                // The constant feature is inside; a kink is better outside, and a direction must come from a neuron
                // that has one.
                if (comes_first(net, features.neuron[b], features.neuron[a])) std::swap(entry.first, entry.second);
            }
        share_parts(threads, pairs, [&](Share& share) {
            PairQuadrature quadrature(resolution);
            for (const Part part : share) {
                Entry& entry = entries_[part.index];
                const Index a = features.neuron[entry.first], b = features.neuron[entry.second];
                const Plane plane = find_plane(net, a, b, part.index);
                entry.moments = quadrature(net.shapes[a], net.shapes[b], plane, order);
            }
        });
    }

    // E[φ_a ψ_b], of derivatives of these orders.
    double zeroth(int left, int right, Index a, Index b) const { return at(left, right, a, b).moments[0]; }

    // to (q + 1) += scale E[φ_a ψ_b (x, 1)]
    void add_first(double scale, int left, int right, Index a, Index b, Vector& to) const {
        const auto [m, e1, e2] = at(left, right, a, b);
        to.head(inputs_) += scale * (m[1] * e1 + m[2] * e2).transpose();
        to[inputs_] += scale * m[0];
    }

    // to (q + 1, q + 1) += scale E[φ_a ψ_b (x, 1)(x, 1)ᵀ]
    void add_second(double scale, int left, int right, Index a, Index b, Matrix<double>& to) const {
        const auto [m, e1, e2] = at(left, right, a, b);
        auto square = to.topLeftCorner(inputs_, inputs_);
        square.diagonal().array() += scale * m[0];
        square.noalias() += (scale * (m[3] - m[0])) * (e1.transpose() * e1);
        square.noalias() += (scale * m[4]) * (e1.transpose() * e2);
        square.noalias() += (scale * m[4]) * (e2.transpose() * e1);
        square.noalias() += (scale * (m[5] - m[0])) * (e2.transpose() * e2);
        const Eigen::RowVectorXd first = scale * (m[1] * e1 + m[2] * e2);
        to.row(inputs_).head(inputs_) += first;
        to.col(inputs_).head(inputs_) += first.transpose();
        to(inputs_, inputs_) += scale * m[0];
    }

private:
    struct Entry {
        Index first, second;
        PairMoments moments;
    };

    struct View {
        const Moments& moments;
        Matrix<double>::ConstRowXpr e1, e2;
    };

    Index position(Index a, Index b) const {
        if (a > b) std::swap(a, b);
        return a * count_ - a * (a - 1) / 2 + (b - a);
    }

    View at(int left, int right, Index a, Index b) const {
        const Index p = position(a, b);
        const Entry& entry = entries_[p];
        const int product = entry.first == a ? product_of(left, right) : product_of(right, left);
        return {entry.moments[product], std::as_const(basis_).row(2 * p), std::as_const(basis_).row(2 * p + 1)};
    }

    static bool comes_first(const SignedNetwork& net, Index b, Index a) {
        const auto rank = [&](Index i) {
            const bool directed = net.incoming.row(i).squaredNorm() > 0;
            return std::pair(directed, directed && net.shapes[i].kinked);
        };
        return rank(b) > rank(a);
    }

    Plane find_plane(const SignedNetwork& net, Index a, Index b, Index p) {
        const auto wa = net.incoming.row(a), wb = net.incoming.row(b);
        const double length_a = wa.stableNorm(), length_b = wb.stableNorm();
        Plane plane{length_a, net.bias[a], 0, 0, net.bias[b]};
        if (length_a == 0) return plane;
        basis_.row(2 * p) = wa / length_a;
        if (length_b == 0) return plane;
        const Eigen::RowVectorXd e1 = basis_.row(2 * p), direction = wb / length_b;
        const double cosine = e1.dot(direction);
        plane.along_b = length_b * cosine;
        Eigen::RowVectorXd rest = direction - cosine * e1;
        rest -= e1.dot(rest) * e1;
        const double sine = a == b ? 0 : rest.stableNorm();
        // Below, the direction is rounding, and the moments differ by less than that.
        if (sine <= 0x1p-50) {
            plane.along_b = std::copysign(length_b, cosine);
            return plane;
        }
        plane.across_b = length_b * sine;
        basis_.row(2 * p + 1) = rest / sine;
        return plane;
    }

    Index count_, inputs_;
    std::vector<Entry> entries_;
    Matrix<double> basis_;  // e₁ and e₂ of each pair, (2 pairs, q)
};

}  // namespace hessorbit::population
