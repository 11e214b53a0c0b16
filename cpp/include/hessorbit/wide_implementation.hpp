// How WideObjective is made. For the one place that compiles it.
#pragma once

#include "objective.hpp"
#include "wide_objective.hpp"

namespace hessorbit {

// A WideObjectiveFactory.
inline std::unique_ptr<WideObjective> make_wide_objective(const Network& network, const Loss& loss, double l2,
                                                          const DataArrays& data) {
    using Wide = WideObjective::Wide;
    struct Implementation final : WideObjective {
        Objective<Wide> objective;

        Implementation(const Network& net, const Loss& loss, double l2, Data<Wide> data)
            : objective(net, loss, l2, std::move(data)) {}

        void value_and_gradient(const Wide* theta, Index batch, int threads, Wide* loss, Wide* gradient) override {
            objective.value_and_gradient(theta, batch, threads, loss, gradient);
        }
        void outputs(const Wide* theta, Index batch, int threads, Wide* out) override {
            objective.outputs(theta, batch, threads, out);
        }
        void residual(const Wide* theta, Index batch, int threads, Wide* out) override {
            objective.residual(theta, batch, threads, out);
        }
        void jacobian(const Wide* theta, Index batch, int threads, Wide* out) override {
            objective.jacobian(theta, batch, threads, out);
        }
        void gauss_newton_factor(const Wide* theta, Index batch, int threads, Wide* out) override {
            objective.gauss_newton_factor(theta, batch, threads, out);
        }
        void hessian_diagonal(const Wide* theta, Index batch, int threads, Wide* out) override {
            objective.hessian_diagonal(theta, batch, threads, out);
        }
        void hessian(const Wide* theta, Index batch, int threads, bool gauss_newton, Wide* out) override {
            objective.hessian(theta, batch, threads, gauss_newton, out);
        }
        void hessian_block(const Wide* theta, Index batch, const std::vector<Index>& parameters, int threads,
                           bool gauss_newton, Wide* out) override {
            objective.hessian_block(theta, batch, parameters, threads, gauss_newton, out);
        }
        void neuron_blocks(const Wide* theta, Index batch, int threads, bool gauss_newton, Wide* out) override {
            objective.neuron_blocks(theta, batch, threads, gauss_newton, out);
        }
        void sample_gradients(const Wide* theta, Index batch, const std::vector<Index>& parameters, int threads,
                              Wide* out) override {
            objective.sample_gradients(theta, batch, parameters, threads, out);
        }
        void sample_hessians(const Wide* theta, Index batch, const std::vector<Index>& parameters, int threads,
                             Wide* out) override {
            objective.sample_hessians(theta, batch, parameters, threads, out);
        }
        void empirical_fisher(const Wide* theta, Index batch, const std::vector<Index>& parameters, int threads,
                              Wide* out) override {
            objective.empirical_fisher(theta, batch, parameters, threads, out);
        }
        void product(const Wide* theta, Index batch, const Wide* v, Index directions, bool shared, int threads,
                     Wide* out) override {
            objective.product(theta, batch, v, directions, shared, threads, out);
        }
    };
    const auto widened = [&](const double* from, Index rows) {
        Rows<Wide> to(from ? rows : 0, from ? data.columns : 0);
        std::copy_n(from, to.size(), to.data());
        return to;
    };
    return std::make_unique<Implementation>(
        network, loss, l2,
        Data<Wide>{data.samples, widened(data.input, data.features), widened(data.target, data.outputs),
                   widened(data.weight, 1), widened(data.own_input, data.features),
                   widened(data.own_target, data.outputs)});
}

}  // namespace hessorbit
