// Moments of all pairs of features, in the coordinates of the inputs. With e₁, e₂ the basis of a pair's plane,
//
//     E[φψ x]   = M₁₀ e₁ + M₀₁ e₂
//     E[φψ xxᵀ] = M₀₀ (I − e₁e₁ᵀ − e₂e₂ᵀ) + M₂₀ e₁e₁ᵀ + M₁₁ (e₁e₂ᵀ + e₂e₁ᵀ) + M₀₂ e₂e₂ᵀ.
//
// A table is filled again and again, and then allocates nothing.
#pragma once

#include "../kernel/team.hpp"
#include "closed_form.hpp"
#include "network.hpp"
#include "pair.hpp"

#include <memory>
#include <utility>

namespace hessorbit::population {

class MomentTable {
public:
    void fill(const SignedNetwork& net, const Features& features, int order, const Method& method, int threads) {
        count_ = features.count(), inputs_ = net.inputs();
        const Index most = net.count() * (net.count() + 1) / 2;
        entries_.resize(most);
        second_.resize(most, inputs_), first_.resize(net.count(), inputs_), length_.resize(net.count());
        while (static_cast<int>(quadratures_.size()) < threads) quadratures_.push_back(std::make_unique<PairQuadrature>());
        for (Index a = 0; a < net.count(); ++a) {
            length_[a] = net.incoming.row(a).stableNorm();
            if (length_[a] > 0) first_.row(a) = net.incoming.row(a) / length_[a];
            else first_.row(a).setZero();
        }
        const bool finer = method.finer();
        if (!finer && !teacher_.is_of(net)) learn_teacher(net, method, threads);
        share_parts(threads, count_ * (count_ + 1) / 2, [&](Share& share) {
            for (const Part part : share) {
                const auto [f, g] = pair_at(part.index, count_);
                const Index a = features.neuron[f], b = features.neuron[g];
                const bool fixed = net.fixed(a) && net.fixed(b);
                if (fixed && !finer)
                    entries_[part.index].moments[0][0] = teacher_.zeroth(a - net.students, b - net.students);
                else
                    integrate(net, a, b, fixed ? 0 : order, method, *quadratures_[share.rank], part.index);
            }
        });
    }

    // E[φ_f ψ_g], of derivatives of these orders.
    double zeroth(int left, int right, Index f, Index g) const { return at(left, right, f, g).moments[0]; }

    // head (q) += scale E[φ_f ψ_g x], last += scale E[φ_f ψ_g]
    template <class Head>
    void add_first(double scale, int left, int right, Index f, Index g, Head&& head, double& last) const {
        const auto [m, e1, e2] = at(left, right, f, g);
        head += ((scale * m[1]) * e1 + (scale * m[2]) * e2).transpose();
        last += scale * m[0];
    }

    // square (q, q) += scale E[φ_f ψ_g xxᵀ]
    template <class Square>
    void add_second(double scale, int left, int right, Index f, Index g, Square&& square) const {
        const auto [m, e1, e2] = at(left, right, f, g);
        const double m00 = scale * m[0], m11 = scale * m[4], m20 = scale * (m[3] - m[0]), m02 = scale * (m[5] - m[0]);
        for (Index r = 0; r < inputs_; ++r) {
            square.row(r) += (m20 * e1[r] + m11 * e2[r]) * e1 + (m11 * e1[r] + m02 * e2[r]) * e2;
            square(r, r) += m00;
        }
    }

private:
    // Of a pair of features, and of the neurons that compute them; e₁ is along the weights of neuron `along`.
    struct Entry {
        bool swapped;
        Index along;
        PairMoments<double> moments;
    };

    struct View {
        const Moments<double>& moments;
        Matrix<double>::ConstRowXpr e1, e2;
    };

    // E[σ_a σ_b] of the teacher's neurons and the constant, which stay the same from call to call.
    struct Teacher {
        Matrix<double> incoming, zeroth;
        Vector bias;

        bool is_of(const SignedNetwork& net) const {
            const Index n = net.count() - net.students;
            return bias.size() == n && incoming.cols() == net.inputs() &&
                   (bias.array() == net.bias.tail(n).array()).all() &&
                   (incoming.array() == net.incoming.bottomRows(n).array()).all();
        }
    };

    // Row by row of the upper triangle.
    Index position(Index f, Index g) const {
        if (f > g) std::swap(f, g);
        return f * count_ - f * (f - 1) / 2 + (g - f);
    }

    static std::pair<Index, Index> pair_at(Index position, Index count) {
        Index f = 0;
        for (; position >= count - f; ++f) position -= count - f;
        return {f, f + position};
    }

    View at(int left, int right, Index f, Index g) const {
        const Index p = position(f, g);
        const Entry& entry = entries_[p];
        const int product = (f <= g) == entry.swapped ? product_of(right, left) : product_of(left, right);
        return {entry.moments[product], first_.row(entry.along), second_.row(p)};
    }

    // Neurons of a higher rank come first in quadrature, on the line outside: those whose mean across the line is not known,
    // and of two alike one with a kink. A direction must come from a neuron that has one.
    int rank(const SignedNetwork& net, Index a, const Method& method) const {
        if (length_[a] == 0) return 0;
        return 1 + net.shapes[a].kinked + (method.closed && !has_conditional(net.shapes[a]) ? 2 : 0);
    }

    void integrate(const SignedNetwork& net, Index a, Index b, int order, const Method& method,
                   PairQuadrature& quadrature, Index p) {
        Entry& entry = entries_[p];
        entry.swapped = rank(net, b, method) > rank(net, a, method);
        if (entry.swapped) std::swap(a, b);
        entry.along = a;
        const Plane plane = find_plane(net, a, b, p);
        const Shape &first = net.shapes[a], &second = net.shapes[b];
        if (!method.closed || !has_closed_form(first, second))
            entry.moments = quadrature(method, first, second, plane, order);
        else if (method.finer())
            entry.moments = rounded(ClosedForm<long double>(first, second)(plane, order));
        else
            entry.moments = ClosedForm<double>(first, second)(plane, order);
    }

    Plane find_plane(const SignedNetwork& net, Index a, Index b, Index p) {
        auto e2 = second_.row(p);
        e2.setZero();
        Plane plane{length_[a], net.bias[a], 0, 0, net.bias[b]};
        if (length_[a] == 0 || length_[b] == 0) return plane;
        const auto e1 = first_.row(a), direction = first_.row(b);
        const double cosine = e1.dot(direction);
        plane.along_b = length_[b] * cosine;
        e2 = direction - cosine * e1;
        e2 -= e1.dot(e2) * e1;
        const double sine = a == b ? 0 : e2.stableNorm();
        // Below, the direction is rounding, and the moments differ by less than that.
        if (sine <= 0x1p-50) {
            plane.along_b = std::copysign(length_[b], cosine);
            e2.setZero();
            return plane;
        }
        plane.across_b = length_[b] * sine;
        e2 /= sine;
        return plane;
    }

    // Of neurons, not of features, whose order depends on the student.
    void learn_teacher(const SignedNetwork& net, const Method& method, int threads) {
        const Index n = net.count() - net.students;
        teacher_.zeroth.resize(n, n);
        share_parts(threads, n * (n + 1) / 2, [&](Share& share) {
            for (const Part part : share) {
                const auto [i, j] = pair_at(part.index, n);
                integrate(net, net.students + i, net.students + j, 0, method, *quadratures_[share.rank], part.index);
                teacher_.zeroth(i, j) = teacher_.zeroth(j, i) = entries_[part.index].moments[0][0];
            }
        });
        teacher_.incoming = net.incoming.bottomRows(n), teacher_.bias = net.bias.tail(n);
    }

    Index count_ = 0, inputs_ = 0;
    std::vector<Entry> entries_;
    Matrix<double> first_;   // w/‖w‖ of each neuron: e₁ of pairs where it comes first, (n + 1, q)
    Matrix<double> second_;  // e₂ of each pair
    std::vector<double> length_;
    std::vector<std::unique_ptr<PairQuadrature>> quadratures_;  // one per thread
    Teacher teacher_;
};

}  // namespace hessorbit::population
