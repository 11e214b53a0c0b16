// The mean of a neuron across a line, in closed form:
//
//     N_p(m) = E[σ⁽ᵖ⁾(m + s t)],   t ~ N(0, 1),   N_p = N_0⁽ᵖ⁾,
//
// where a jump of σ' is a delta in σ''; R_p is what is left of N_p without it. By Stein's identity E[σ⁽ᵖ⁾ t] = s N_{p+1} and E[σ⁽ᵖ⁾ t²] = N_p + s² N_{p+2}. With
// A_p the derivatives of Φ(m/τ), τ² = s² + noise,
//
//     P + Q θ     P is a polynomial in m again;  E[θ] = A_0,  E[z θ] = m A_0 + s² A_1
//     exp         e^{m + s²/2}
//     sin, cos    e^{−s²/2} sin m, e^{−s²/2} cos m
//     elu, selu   made of z θ(z), θ(−z) and e^z θ(−z), of which the mean is E = e^{m + s²/2} Φ(−m/s − s), E' = E − A_1.
#pragma once

#include "step_form.hpp"

namespace hessorbit::population {

inline bool has_conditional(const Shape& shape) {
    switch (shape.activation.kind) {
        using enum ActivationKind;
        case elu:
        case selu:
        case exp:
        case sin:
        case cos:
            return true;
        default:
            return step_form<double>(shape).has_value();
    }
}

// N_0, N_1, N_2, N_3, R_2, R_3, R_4, and what the moments 1, t, t² need of the derivative of an order.
inline constexpr int conditional_means_count = 7;
inline constexpr int first_mean(int order) { return order == 2 ? 4 : order; }
inline constexpr int means_needed(int order) { return order == 0 ? 1 : order == 1 ? 3 : conditional_means_count; }

namespace conditional {

template <class V>
using Means = std::array<V, conditional_means_count>;

// Φ(m/τ) and its derivatives up to the fifth.
template <class V>
std::array<V, 6> smooth_step(V m, double tau) {
    const V x = at_most(at_least(m / tau, -40), 40), square = x * x;
    const activations::Normal<V> normal(x);
    const V first = normal.scaled(normal.density) / tau, t = x / tau;
    return {x < 0 ? normal.scaled(normal.lower) : normal.upper,
            first,
            -t * first,
            (square - 1) * first / (tau * tau),
            t * (3 - square) * first / (tau * tau),
            (square * (square - 6) + 3) * first / (tau * tau * tau * tau)};
}

template <class V>
Means<V> of_steps(const StepForm<double>& form, V m, double s) {
    const Polynomial<double>& p = form.smooth[0];
    const double c1 = p.c[1] + 3 * p.c[3] * s * s, noise = form.noise * form.noise;
    const V second = 2 * p.c[2] + 6 * p.c[3] * m, third = constant<V>(6 * p.c[3]);
    Means<V> n{p.c[0] + p.c[2] * s * s + m * (c1 + m * (p.c[2] + m * p.c[3])),
               c1 + m * (2 * p.c[2] + 3 * p.c[3] * m), second, third, second, third, V{}};
    if (!form.has_step()) return n;
    const auto a = smooth_step(m, std::sqrt(s * s + noise));
    const double q0 = form.step[0].c[0], q1 = form.step[0].c[1];
    // Derivatives of E[z θ] = m A_0 + s² A_1, where m A_1 = −τ² A_2.
    const auto add = [&](int k, int at) { n[at] += q0 * a[k] + q1 * (a[k - 1] - noise * a[k + 1]); };
    n[0] += q0 * a[0] + q1 * (m * a[0] + s * s * a[1]);
    add(1, 1), add(2, 2), add(3, 3);
    if (noise != 0) add(2, 4), add(3, 5), add(4, 6);
    return n;
}

// E[e^z θ(−z)], without overflow: where y = m/s + s is positive, its exponent is −(m/s)²/2 beside the scaled tail at y.
template <class V>
V lower_exponential(V m, double s, V density) {
    constexpr double root_two_pi = 2.506628274631000502415765284811;
    const V y = m / s + s;
    const auto tail = elementary::scaled_tail(at_least(y, 0));
    const activations::Normal<V> normal(at_most(at_least(y, -40), 0));
    return y < 0 ? activations::exp(at_most(m + s * s / 2, 0)).value * normal.upper
                 : root_two_pi * density * tail.above / tail.below;
}

// right · z above 0, left · (e^z − 1) below.
template <class V>
Means<V> of_exponential_unit(double right, double left, V m, double s) {
    const auto a = smooth_step(m, s);
    const V e0 = lower_exponential(m, s, s * a[1]), e1 = e0 - a[1], e2 = e1 - a[2];
    const double jump = right - left;
    return {right * (m * a[0] + s * s * a[1]) + left * (e0 + a[0] - 1), right * a[0] + left * e0,
            jump * a[1] + left * e0, jump * a[2] + left * e1, left * e0, left * e1, left * e2};
}

}  // namespace conditional

// Rows of `count` means at the points of a row m, n a multiple of row_multiple; s > 0.
inline void conditional_means(const Shape& shape, double s, const double* m, Index n, int count, double* const* to) {
    using V = Register<double>;
    using namespace conditional;
    const auto fill = [&](const auto& means) {
        for (Index i = 0; i < n; i += Lanes<double>::count) {
            const Means<V> values = means(V(hessorbit::detail::lanes(m + i)));
            for (int k = 0; k < count; ++k) hessorbit::detail::lanes(to[k] + i) = values[k];
        }
    };
    const auto circle = [&](int turn) {
        const double size = std::exp(-s * s / 2);
        fill([&](V x) {
            const auto [sine, cosine] = elementary::sin_cos(x);
            const V cycle[] = {size * sine, size * cosine, -size * sine, -size * cosine};
            const auto at = [&](int p) { return cycle[(p + turn) % 4]; };
            return Means<V>{at(0), at(1), at(2), at(3), at(2), at(3), at(4)};
        });
    };
    switch (shape.activation.kind) {
        using enum ActivationKind;
        case elu: return fill([&](V x) { return of_exponential_unit<V>(1, 1, x, s); });
        case selu: {
            const double right = activations::selu_right, left = activations::selu_left;
            return fill([&](V x) { return of_exponential_unit<V>(right, left, x, s); });
        }
        case exp:
            return fill([&](V x) {
                const V value = activations::exp(x + s * s / 2).value;
                return Means<V>{value, value, value, value, value, value, value};
            });
        case sin: return circle(0);
        case cos: return circle(1);
        default: {
            const auto form = *step_form<double>(shape);
            return fill([&](V x) { return of_steps(form, x, s); });
        }
    }
}

}  // namespace hessorbit::population
