// The population loss of a student of a teacher as a function of weights: the one class that the bindings see.
#pragma once

#include "../kernel/lending.hpp"
#include "derivatives.hpp"

namespace hessorbit::population {

class Loss {
public:
    // Activations of the student's neurons and then the teacher's.
    Loss(const std::vector<Activation>& activations, Index students, const Method& method)
        : shapes_(activations.begin(), activations.end()), students_(students), method_(method) {
        shapes_.emplace_back();
    }

    Index neurons() const { return static_cast<Index>(shapes_.size()) - 1; }
    Index num_parameters(Index inputs, Index outputs) const { return students_ * (inputs + 1 + outputs) + outputs; }

    // Returns the loss; gradient (P) and curvature (P, P) are written unless null. incoming (n, q), bias (n), outgoing
    // (n + 1, K), the teacher's negated, the last row that of the output biases. All steps of quadrature are divided by
    // `fineness`.
    double operator()(const double* incoming, const double* bias, const double* outgoing, Index inputs, Index outputs,
                      double fineness, int threads, double* gradient, double* curvature, Curvature kind) {
        const auto space = spaces_.take();
        auto& [net, features, moments, scratch] = *space;
        if (net.shapes.empty()) net.shapes = shapes_;
        const Index n = neurons(), p = num_parameters(inputs, outputs);
        net.students = students_;
        net.incoming.setZero(n + 1, inputs), net.bias.setZero(n + 1);
        net.incoming.topRows(n) = Eigen::Map<const Matrix<double>>(incoming, n, inputs);
        net.bias.head(n) = Eigen::Map<const Vector>(bias, n);
        net.outgoing = Eigen::Map<const Matrix<double>>(outgoing, n + 1, outputs);
        features.find(net);
        if (static_cast<int>(scratch.size()) < threads) scratch.resize(threads);
        for (Vector& each : scratch) each.resize(inputs + 1);
        Method method = method_;
        method.fineness = fineness;
        moments.fill(net, features, curvature ? 2 : gradient ? 1 : 0, method, threads);
        const Derivatives derivatives(net, features, moments);
        if (gradient) derivatives.gradient(Eigen::Map<Vector>(gradient, p), scratch[0]);
        if (curvature) derivatives.curvature(kind, threads, Eigen::Map<Matrix<double>>(curvature, p, p), scratch);
        return derivatives.loss();
    }

private:
    struct Space {
        SignedNetwork net;
        Features features;
        MomentTable moments;
        std::vector<Vector> scratch;
    };

    std::vector<Shape> shapes_;
    Index students_;
    Method method_;
    Lending<Space> spaces_;
};

}  // namespace hessorbit::population
