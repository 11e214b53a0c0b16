// The population loss L = ½ E‖e(x)‖² of a signed network and its derivatives in the student's parameters. With x̃ = (x, 1),
// w̃ = (w, b) and the output bias as outgoing weight of the constant neuron,
//
//     ∂L/∂v_i = E[e σ_i]      ∂L/∂w̃_i = v_iᵀ E[e σ'_i x̃]
//     H(w̃_i, w̃_j)   = (v_i·v_j) E[σ'_i σ'_j x̃x̃ᵀ] + δ_ij E[(v_i·e) σ''_i x̃x̃ᵀ]
//     H(w̃_i, v_jk)  = v_ik E[σ'_i σ_j x̃] + δ_ij E[e_k σ'_i x̃]
//     H(v_ik, v_jl) = δ_kl E[σ_i σ_j]
//
// and the Gauss–Newton matrix is H without the terms in e. Sums over e run over features.
#pragma once

#include "moments.hpp"

namespace hessorbit::population {

enum class Curvature { hessian, gauss_newton };

class Derivatives {
public:
    Derivatives(const SignedNetwork& net, const Features& features, const MomentTable& moments)
        : net_(net), features_(features), moments_(moments) {}

    double loss() const {
        double sum = 0;
        for (Index f = 0; f < features_.count(); ++f)
            for (Index g = 0; g < features_.count(); ++g)
                if (const double scale = features_.residual.row(f).dot(features_.residual.row(g)); scale != 0)
                    sum += scale * moments_.zeroth(0, 0, f, g);
        return std::max(sum / 2, 0.0);
    }

    // result (P); scratch (q + 1)
    void gradient(Eigen::Map<Vector> result, Vector& scratch) const {
        for (Index i = 0; i < net_.students; ++i) {
            scratch.setZero();
            for (Index f = 0; f < features_.count(); ++f)
                if (const double scale = push(i, f); scale != 0)
                    moments_.add_first(scale, 1, 0, feature(i), f, scratch.head(net_.inputs()), scratch[net_.inputs()]);
            result.segment(net_.weight(i), net_.inputs()) = scratch.head(net_.inputs());
            result[net_.hidden_bias(i)] = scratch[net_.inputs()];
            outgoing_gradient(i, result);
        }
        outgoing_gradient(net_.constant(), result);
    }

    // result (P, P); scratch (q + 1) for each thread
    void curvature(Curvature kind, int threads, Eigen::Map<Matrix<double>> result, std::vector<Vector>& scratch) const {
        result.setZero();
        share_parts(threads, net_.students + 1, [&](Share& share) {
            for (const Part part : share) {
                if (part.index < net_.students)
                    incoming_rows(part.index, kind, result, scratch[share.rank]);
                else
                    outgoing_rows(result);
            }
        });
        for (Index i = 1; i < result.rows(); ++i) result.row(i).head(i) = result.col(i).head(i).transpose();
    }

private:
    Index feature(Index neuron) const { return features_.of_neuron[neuron]; }

    // v_i · residual_f
    double push(Index i, Index f) const { return net_.outgoing.row(i).dot(features_.residual.row(f)); }

    void outgoing_gradient(Index i, Eigen::Map<Vector>& result) const {
        for (Index k = 0; k < net_.outputs(); ++k) {
            double sum = 0;
            for (Index f = 0; f < features_.count(); ++f)
                if (const double scale = features_.residual(f, k); scale != 0)
                    sum += scale * moments_.zeroth(0, 0, f, feature(i));
            result[net_.outgoing_weight(i, k)] = sum;
        }
    }

    // The upper triangle of the rows of w̃_i.
    void incoming_rows(Index i, Curvature kind, Eigen::Map<Matrix<double>>& result, Vector& own) const {
        const Index q = net_.inputs();
        for (Index j = i; j < net_.students; ++j) {
            const auto add = [&](double scale, int left, int right, Index f) {
                moments_.add_second(scale, left, right, feature(i), f,
                                    result.block(net_.weight(i), net_.weight(j), q, q));
                moments_.add_first(scale, left, right, feature(i), f,
                                   result.col(net_.hidden_bias(j)).segment(net_.weight(i), q),
                                   result(net_.hidden_bias(i), net_.hidden_bias(j)));
            };
            add(net_.outgoing.row(i).dot(net_.outgoing.row(j)), 1, 1, feature(j));
            if (i == j && kind == Curvature::hessian)
                for (Index f = 0; f < features_.count(); ++f)
                    if (const double scale = push(i, f); scale != 0) add(scale, 2, 0, f);
            result.col(net_.hidden_bias(i)).segment(net_.weight(j), q) =
                result.col(net_.hidden_bias(j)).segment(net_.weight(i), q);
        }
        for (Index j = 0; j < net_.count(); ++j) {
            if (j >= net_.students && j != net_.constant()) continue;
            for (Index k = 0; k < net_.outputs(); ++k) {
                own.setZero();
                moments_.add_first(net_.outgoing(i, k), 1, 0, feature(i), feature(j), own.head(q), own[q]);
                if (i == j && kind == Curvature::hessian)
                    for (Index f = 0; f < features_.count(); ++f)
                        if (const double scale = features_.residual(f, k); scale != 0)
                            moments_.add_first(scale, 1, 0, feature(i), f, own.head(q), own[q]);
                const Index column = net_.outgoing_weight(j, k);
                result.col(column).segment(net_.weight(i), q) = own.head(q);
                result(net_.hidden_bias(i), column) = own[q];
            }
        }
    }

    void outgoing_rows(Eigen::Map<Matrix<double>>& result) const {
        for (Index i = 0; i < net_.count(); ++i)
            for (Index j = 0; j < net_.count(); ++j) {
                const auto teacher = [&](Index a) { return a >= net_.students && a != net_.constant(); };
                if (teacher(i) || teacher(j)) continue;
                for (Index k = 0; k < net_.outputs(); ++k)
                    result(net_.outgoing_weight(i, k), net_.outgoing_weight(j, k)) =
                        moments_.zeroth(0, 0, feature(i), feature(j));
            }
    }

    const SignedNetwork& net_;
    const Features& features_;
    const MomentTable& moments_;
};

}  // namespace hessorbit::population
