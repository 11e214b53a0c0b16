// Student and teacher as one signed network: e(x) = Σ_a v_a σ_a(w_a·x + b_a) is the student's output less the teacher's,
// x ~ N(0, I). The last neuron is constant, σ = 1; its outgoing weights are the difference of the output biases.
#pragma once

#include "neuron.hpp"

#include <vector>

namespace hessorbit::population {

using Vector = Eigen::VectorXd;

struct SignedNetwork {
    std::vector<Shape> shapes;  // (n + 1)
    Matrix<double> incoming;    // (n + 1, q), the last row 0
    Vector bias;                // (n + 1), the last 0
    Matrix<double> outgoing;    // (n + 1, K), the teacher's negated
    Index students;             // m; the student's neurons come first

    Index count() const { return static_cast<Index>(shapes.size()); }
    Index inputs() const { return incoming.cols(); }
    Index outputs() const { return outgoing.cols(); }
    Index constant() const { return count() - 1; }

    // Of all parameters, in the order W (m, q), b (m), V (K, m), c (K).
    Index num_parameters() const { return students * (inputs() + 1 + outputs()) + outputs(); }
    Index weight(Index i) const { return i * inputs(); }
    Index hidden_bias(Index i) const { return students * inputs() + i; }
    // Of neuron i to output k, the constant neuron's being the output bias.
    Index outgoing_weight(Index i, Index k) const {
        const Index start = students * (inputs() + 1);
        return i == constant() ? start + outputs() * students + k : start + k * students + i;
    }

    // Of the teacher, or the constant.
    bool fixed(Index a) const { return a >= students; }

    bool same_feature(Index a, Index b) const {
        const Shape &x = shapes[a], &y = shapes[b];
        return x.constant == y.constant && x.activation.kind == y.activation.kind &&
               x.activation.parameter == y.activation.parameter && bias[a] == bias[b] &&
               (incoming.row(a).array() == incoming.row(b).array()).all();
    }
};

// Neurons that compute the same are one feature: where a student has its teacher's features, e is 0 without rounding.
struct Features {
    std::vector<Index> neuron;     // of each feature, the first neuron that computes it (F)
    std::vector<Index> of_neuron;  // (n + 1)
    Matrix<double> residual;       // e = Σ_f residual_f σ_f, (n + 1, K), rows beyond F 0

    void find(const SignedNetwork& net) {
        of_neuron.resize(net.count());
        neuron.reserve(net.count()), neuron.clear();
        for (Index a = 0; a < net.count(); ++a) {
            const auto found =
                std::find_if(neuron.begin(), neuron.end(), [&](Index f) { return net.same_feature(a, f); });
            of_neuron[a] = found - neuron.begin();
            if (found == neuron.end()) neuron.push_back(a);
        }
        residual.setZero(net.count(), net.outputs());
        for (Index a = 0; a < net.count(); ++a) residual.row(of_neuron[a]) += net.outgoing.row(a);
    }

    Index count() const { return static_cast<Index>(neuron.size()); }
};

}  // namespace hessorbit::population
