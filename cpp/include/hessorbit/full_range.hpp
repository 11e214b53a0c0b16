// An objective whose results are right wherever float64 can hold them, though products on the way may not fit.
//
// x = 1e-160 and weights 0.5, 1e160, 0.5 give derivatives of order one, as products of 1e-320 and 1e320. Results come
// from float64 first. Those of a θ are computed again in long double, with exponents up to ±16384, and rounded, if
//
//     some entry is not finite: something has overflowed, on the way or in truth; or
//     a quantity may grow by more than 2^128 on its way through the network, being multiplied by the largest entry of
//     each layer and of the inputs: what has underflowed on the way may matter in the end.
//
// Elsewhere an intermediate number that underflows is below 2^-1022, and what becomes of it, by one such way for each
// of the two parameters of a second derivative, is below 2^-766, about 1e-231, which is the absolute error left. (What
// exp, square and cube amplify is not counted.) Checking costs about P operations and one look at the result.
#pragma once

#include "objective.hpp"
#include "wide_objective.hpp"
#include "kernel/finite.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>

namespace hessorbit {

// Methods as those of Objective.
class FullRangeObjective {
    using T = double;

public:
    FullRangeObjective(Network network, Loss loss, T l2, Data<T> data, WideObjectiveFactory make_wide)
        : objective_(std::move(network), loss, l2, std::move(data)), make_wide_(make_wide) {
        const Data<T>& given = objective_.data();
        growth_ = std::max(0, exponent(given.features.data(), given.features.size())) + std::max(0, exponent(&l2, 1));
    }

    const Network& network() const { return objective_.network(); }
    Index samples() const { return objective_.samples(); }
    Index num_parameters() const { return objective_.num_parameters(); }
    Index factor_rows() const { return objective_.factor_rows(); }

    void value_and_gradient(const T* theta, Index batch, int threads, T* loss, T* gradient) {
        evaluate<1, 2>(batch, {parameters(theta)}, {{{loss, 1}, {gradient, num_parameters()}}},
                       [=](auto& objective, const auto& in, Index count, const auto& out) {
                           objective.value_and_gradient(in[0], count, threads, out[0], out[1]);
                       });
    }

    void outputs(const T* theta, Index batch, int threads, T* out) {
        evaluate_one(
            theta, batch, out, samples() * network().outputs(),
            [=](auto& objective, auto* at, Index count, auto* to) { objective.outputs(at, count, threads, to); });
    }

    void residual(const T* theta, Index batch, int threads, T* out) {
        evaluate_one(
            theta, batch, out, samples() * network().outputs(),
            [=](auto& objective, auto* at, Index count, auto* to) { objective.residual(at, count, threads, to); });
    }

    void jacobian(const T* theta, Index batch, int threads, T* out) {
        evaluate_one(
            theta, batch, out, samples() * network().outputs() * num_parameters(),
            [=](auto& objective, auto* at, Index count, auto* to) { objective.jacobian(at, count, threads, to); });
    }

    void gauss_newton_factor(const T* theta, Index batch, int threads, T* out) {
        evaluate_one(theta, batch, out, factor_rows() * num_parameters(),
                     [=](auto& objective, auto* at, Index count, auto* to) {
                         objective.gauss_newton_factor(at, count, threads, to);
                     });
    }

    void hessian_diagonal(const T* theta, Index batch, int threads, T* out) {
        evaluate_one(theta, batch, out, num_parameters(), [=](auto& objective, auto* at, Index count, auto* to) {
            objective.hessian_diagonal(at, count, threads, to);
        });
    }

    void hessian(const T* theta, Index batch, int threads, bool gauss_newton, T* out) {
        evaluate_one(theta, batch, out, num_parameters() * num_parameters(),
                     [=](auto& objective, auto* at, Index count, auto* to) {
                         objective.hessian(at, count, threads, gauss_newton, to);
                     });
    }

    void hessian_block(const T* theta, Index batch, const std::vector<Index>& parameters, int threads,
                       bool gauss_newton, T* out) {
        evaluate_one(theta, batch, out, std::ssize(parameters) * std::ssize(parameters),
                     [=, &parameters](auto& objective, auto* at, Index count, auto* to) {
                         objective.hessian_block(at, count, parameters, threads, gauss_newton, to);
                     });
    }

    void neuron_blocks(const T* theta, Index batch, int threads, bool gauss_newton, T* out) {
        evaluate_one(theta, batch, out, neuron_blocks_size(network()),
                     [=](auto& objective, auto* at, Index count, auto* to) {
                         objective.neuron_blocks(at, count, threads, gauss_newton, to);
                     });
    }

    void sample_gradients(const T* theta, Index batch, const std::vector<Index>& parameters, int threads, T* out) {
        evaluate_one(theta, batch, out, samples() * number_of(parameters),
                     [=, &parameters](auto& objective, auto* at, Index count, auto* to) {
                         objective.sample_gradients(at, count, parameters, threads, to);
                     });
    }

    void sample_hessians(const T* theta, Index batch, const std::vector<Index>& parameters, int threads, T* out) {
        evaluate_one(theta, batch, out, samples() * std::ssize(parameters) * std::ssize(parameters),
                     [=, &parameters](auto& objective, auto* at, Index count, auto* to) {
                         objective.sample_hessians(at, count, parameters, threads, to);
                     });
    }

    void empirical_fisher(const T* theta, Index batch, const std::vector<Index>& parameters, int threads, T* out) {
        evaluate_one(theta, batch, out, number_of(parameters) * number_of(parameters),
                     [=, &parameters](auto& objective, auto* at, Index count, auto* to) {
                         objective.empirical_fisher(at, count, parameters, threads, to);
                     });
    }

    void product(const T* theta, Index batch, const T* v, Index directions, bool shared, int threads, T* product) {
        const Index length = directions * num_parameters();
        evaluate<2, 1>(batch, {parameters(theta), Input{v, length, shared ? 0 : length}}, {{{product, length}}},
                       [=](auto& objective, const auto& in, Index count, const auto& out) {
                           objective.product(in[0], count, in[1], directions, shared, threads, out[0]);
                       });
    }

private:
    using Wide = WideObjective::Wide;
    static constexpr bool widens = std::numeric_limits<T>::max_exponent < std::numeric_limits<Wide>::max_exponent;
    static constexpr int limit = 128;

    // That of θ number b starts at data + b·stride.
    struct Input {
        const T* data;
        Index length, stride;
    };

    // That of θ number b starts at data + b·length; data may be null.
    struct Output {
        T* data;
        Index length;
    };

    // None stands for all.
    Index number_of(const std::vector<Index>& parameters) const {
        return parameters.empty() ? num_parameters() : std::ssize(parameters);
    }

    Input parameters(const T* theta) const { return {theta, num_parameters(), num_parameters()}; }

    template <class Call>
    void evaluate_one(const T* theta, Index batch, T* out, Index length, Call call) {
        evaluate<1, 1>(batch, {parameters(theta)}, {{{out, length}}},
                       [=](auto& objective, const auto& in, Index count, const auto& to) {
                           call(objective, in[0], count, to[0]);
                       });
    }

    // call(objective, in, count, out) for all θ, then for each that has to be computed again; in, out: arrays of pointers.
    template <std::size_t ins, std::size_t outs, class Call>
    void evaluate(Index batch, std::array<Input, ins> in, std::array<Output, outs> out, Call call) {
        std::array<const T*, ins> from;
        std::array<T*, outs> to;
        for (std::size_t i = 0; i < ins; ++i) from[i] = in[i].data;
        for (std::size_t i = 0; i < outs; ++i) to[i] = out[i].data;
        call(objective_, from, batch, to);
        if (widens)
            for (Index b = 0; b < batch; ++b) {
                bool doubtful = grows(in[0].data + b * in[0].stride);
                for (std::size_t i = 1; i < ins; ++i)
                    doubtful |= far_from_one(in[i].data + b * in[i].stride, in[i].length);
                for (const Output& each : out)
                    doubtful = doubtful || (each.data && !all_finite(each.data + b * each.length, each.length));
                if (doubtful) evaluate_wide(b, in, out, call);
            }
    }

    template <std::size_t ins, std::size_t outs, class Call>
    void evaluate_wide(Index b, const std::array<Input, ins>& in, const std::array<Output, outs>& out, Call call) {
        std::array<std::vector<Wide>, ins> inputs;
        std::array<std::vector<Wide>, outs> results;
        std::array<const Wide*, ins> from;
        std::array<Wide*, outs> to;
        for (std::size_t i = 0; i < ins; ++i) {
            const T* data = in[i].data + b * in[i].stride;
            inputs[i].assign(data, data + in[i].length);
            from[i] = inputs[i].data();
        }
        for (std::size_t i = 0; i < outs; ++i) {
            results[i].resize(out[i].data ? out[i].length : 0);
            to[i] = out[i].data ? results[i].data() : nullptr;
        }
        call(wide(), from, Index(1), to);
        for (std::size_t i = 0; i < outs; ++i)
            if (out[i].data) std::copy(results[i].begin(), results[i].end(), out[i].data + b * out[i].length);
    }

    // Made when first needed.
    WideObjective& wide() {
        std::call_once(wide_made_, [&] {
            wide_ = make_wide_(network(), objective_.loss(), objective_.l2(), DataArrays(objective_.data()));
        });
        return *wide_;
    }

    // The e with 2^(e−1) ≤ max|x| < 2^e; at most −1022 if all x are subnormal or zero. Magnitudes are ordered as their bits.
    static int exponent(const T* values, Index count) {
        std::int64_t most = 0;
        for (Index i = 0; i < count; ++i) most = std::max(most, std::bit_cast<std::int64_t>(std::abs(values[i])));
        return static_cast<int>(most >> 52) - 1022;
    }

    static bool far_from_one(const T* values, Index count) {
        return std::abs(exponent(values, count)) > limit &&
               std::any_of(values, values + count, [](T x) { return x != 0; });
    }

    // Whether θ and the data may make something grow beyond the limit.
    bool grows(const T* theta) const {
        int growth = growth_;
        for (Index l = 0; l < network().depth(); ++l) {
            const Layer& layer = network().layer(l);
            growth += std::max(0, exponent(theta + layer.weight_offset, layer.width * layer.features()));
        }
        return growth > limit;
    }

    Objective<T> objective_;
    int growth_;
    WideObjectiveFactory make_wide_;
    std::once_flag wide_made_;
    std::unique_ptr<WideObjective> wide_;
};

}  // namespace hessorbit
