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
    // Derivatives up to `order`.
    Derivatives(const SignedNetwork& net, int order, const Resolution& resolution, int threads)
        : net_(net), features_(net), moments_(net, features_, order, resolution, threads), threads_(threads) {}

    double loss() const {
        double sum = 0;
        for (Index f = 0; f < features_.count(); ++f)
            for (Index g = 0; g < features_.count(); ++g)
                sum += features_.residual.row(f).dot(features_.residual.row(g)) * moments_.zeroth(0, 0, f, g);
        return std::max(sum / 2, 0.0);
    }

    Vector gradient() const {
        Vector result = Vector::Zero(net_.num_parameters());
        for (Index i = 0; i < net_.students; ++i) {
            Vector incoming = Vector::Zero(net_.inputs() + 1);
            for (Index f = 0; f < features_.count(); ++f) moments_.add_first(push(i, f), 1, 0, feature(i), f, incoming);
            result.segment(net_.weight(i), net_.inputs()) = incoming.head(net_.inputs());
            result[net_.hidden_bias(i)] = incoming[net_.inputs()];
            outgoing_gradient(i, result);
        }
        outgoing_gradient(net_.constant(), result);
        return result;
    }

    Matrix<double> curvature(Curvature kind) const {
        const Index p = net_.num_parameters();
        Matrix<double> result = Matrix<double>::Zero(p, p);
        share_parts(threads_, net_.students + 1, [&](Share& share) {
            for (const Part part : share) {
                if (part.index < net_.students)
                    incoming_rows(part.index, kind, result);
                else
                    outgoing_rows(result);
            }
        });
        result.triangularView<Eigen::StrictlyLower>() = result.transpose();
        return result;
    }

private:
    Index feature(Index neuron) const { return features_.of_neuron[neuron]; }

    // v_i · residual_f
    double push(Index i, Index f) const { return net_.outgoing.row(i).dot(features_.residual.row(f)); }

    void outgoing_gradient(Index i, Vector& result) const {
        for (Index k = 0; k < net_.outputs(); ++k) {
            double sum = 0;
            for (Index f = 0; f < features_.count(); ++f)
                sum += features_.residual(f, k) * moments_.zeroth(0, 0, f, feature(i));
            result[net_.outgoing_weight(i, k)] = sum;
        }
    }

    // The upper triangle of the rows of w̃_i.
    void incoming_rows(Index i, Curvature kind, Matrix<double>& result) const {
        const Index q = net_.inputs();
        Matrix<double> block(q + 1, q + 1);
        for (Index j = i; j < net_.students; ++j) {
            block.setZero();
            moments_.add_second(net_.outgoing.row(i).dot(net_.outgoing.row(j)), 1, 1, feature(i), feature(j), block);
            if (i == j && kind == Curvature::hessian)
                for (Index f = 0; f < features_.count(); ++f)
                    if (const double scale = push(i, f); scale != 0)
                        moments_.add_second(scale, 2, 0, feature(i), f, block);
            result.block(net_.weight(i), net_.weight(j), q, q) = block.topLeftCorner(q, q);
            result.block(net_.weight(i), net_.hidden_bias(j), q, 1) = block.col(q).head(q);
            result.block(net_.weight(j), net_.hidden_bias(i), q, 1) = block.col(q).head(q);
            result(net_.hidden_bias(i), net_.hidden_bias(j)) = block(q, q);
        }
        Vector mixed(q + 1), own(q + 1);
        for (Index j = 0; j < net_.count(); ++j) {
            if (j >= net_.students && j != net_.constant()) continue;
            mixed.setZero();
            moments_.add_first(1, 1, 0, feature(i), feature(j), mixed);
            for (Index k = 0; k < net_.outputs(); ++k) {
                own = net_.outgoing(i, k) * mixed;
                if (i == j && kind == Curvature::hessian)
                    for (Index f = 0; f < features_.count(); ++f)
                        moments_.add_first(features_.residual(f, k), 1, 0, feature(i), f, own);
                const Index column = net_.outgoing_weight(j, k);
                result.block(net_.weight(i), column, q, 1) = own.head(q);
                result(net_.hidden_bias(i), column) = own[q];
            }
        }
    }

    void outgoing_rows(Matrix<double>& result) const {
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
    Features features_;
    MomentTable moments_;
    int threads_;
};

}  // namespace hessorbit::population
