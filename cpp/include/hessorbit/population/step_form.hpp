// Activations made of polynomials and a step: σ(z) = P(z) + Q(z) θ(z), where θ is the sharp step of relu, or the smooth
// one Φ of erf and gelu. A smooth step is a sharp one that sees noise, Φ(z) = P(z + η > 0) with η ~ N(0, 1), so that
// both are E[z + η > 0], with the standard deviation 0 or 1 of η. With δ = θ',
//
//     σ' = P' + Q' θ + Q δ,      σ'' = P'' + Q'' θ + 2 Q' δ + Q δ',      z δ(z) = 0 and z δ'(z) = −δ(z) if sharp,
//                                                                       δ'(z) = −z δ(z) if smooth.
#pragma once

#include "neuron.hpp"
#include "polynomial.hpp"

#include <optional>

namespace hessorbit::population {

// The derivative of each order is smooth + step · θ + delta · δ.
template <class T>
struct StepForm {
    std::array<Polynomial<T>, 3> smooth, step, delta;
    T noise = 0;  // standard deviation of η

    bool has_step() const { return !step[0].zero(); }
};

// P and Q, of degree 1; what is sharp is continuous: Q(0) = 0.
template <class T>
StepForm<T> make_steps(Polynomial<T> p, Polynomial<T> q, T noise) {
    StepForm<T> form;
    form.smooth = {p, p.derivative(), p.derivative().derivative()};
    form.step = {q, q.derivative(), {}};
    if (noise == 0)
        form.delta[2] = {q.c[1]};
    else
        form.delta[1] = q, form.delta[2] = {2 * q.c[1], -q.c[0], -q.c[1]};
    form.noise = noise;
    return form;
}

template <class T>
std::optional<StepForm<T>> step_form(const Shape& shape) {
    if (shape.constant) return make_steps<T>({1}, {}, 0);
    switch (shape.activation.kind) {
        using enum ActivationKind;
        case identity: return make_steps<T>({0, 1}, {}, 0);
        case square: return make_steps<T>({0, 0, 1}, {}, 0);
        case cube: return make_steps<T>({0, 0, 0, 1}, {}, 0);
        case relu: return make_steps<T>({}, {0, 1}, 0);
        case leaky_relu: {
            const T slope = shape.activation.parameter;
            return make_steps<T>({0, slope}, {0, 1 - slope}, 0);
        }
        case normal_cdf: return make_steps<T>({}, {1}, 1);
        case erf: return make_steps<T>({-1}, {2}, 1);
        case gelu: return make_steps<T>({}, {0, 1}, 1);
        default: return {};
    }
}

// What is left of a step that is far away, or of a sharp one of a neuron that has no weights: the side of its bias.
template <class T>
StepForm<T> settled(const StepForm<T>& form, T bias) {
    StepForm<T> result;
    for (int order = 0; order < 3; ++order) {
        auto p = form.smooth[order].c;
        const auto& q = form.step[order].c;
        for (std::size_t k = 0; bias > 0 && k < p.size(); ++k) p[k] += q[k];
        result.smooth[order] = {p[0], p[1], p[2], p[3]};
    }
    return result;
}

// The derivatives as functions of z/2^exponent; what stands beside δ does so beside δ(y) = δ(y/2^exponent)/2^exponent.
template <class T>
StepForm<T> rescaled(StepForm<T> form, int exponent) {
    for (auto* orders : {&form.smooth, &form.step, &form.delta})
        for (auto& each : *orders)
            for (int k = 1; k <= each.degree; ++k) each.c[k] = std::ldexp(each.c[k], k * exponent);
    form.noise = std::ldexp(form.noise, -exponent);
    return form;
}

}  // namespace hessorbit::population
