// Moments of a pair of neurons of which one at least is exp, sin or cos, in closed form. Derivatives of these are
// Re(c e^{λz}), and a factor e^{τ·t} moves the normal law by τ, also where τ is complex:
//
//     E[e^{τ·t} f(t)] = e^{τ·τ/2} E[f(t + τ)].
//
// The other neuron is such a wave too, or a polynomial; beside exp, where τ is real, it may have a step.
#pragma once

#include "step_pair.hpp"

#include <complex>

namespace hessorbit::population {

// The derivative of each order is Re(c e^{λz}).
template <class T>
struct WaveForm {
    std::complex<T> lambda;
    std::array<std::complex<T>, 3> c;

    WaveForm(std::complex<T> lambda, std::complex<T> c0) : lambda(lambda), c{c0, lambda * c0, lambda * lambda * c0} {}
};

template <class T>
std::optional<WaveForm<T>> wave_form(const Shape& shape) {
    if (shape.constant) return {};
    switch (shape.activation.kind) {
        using enum ActivationKind;
        case exp: return WaveForm<T>{1, 1};
        case sin: return WaveForm<T>{{0, 1}, {0, -1}};
        case cos: return WaveForm<T>{{0, 1}, 1};
        default: return {};
    }
}

// z = bias + first t₁ + second t₂
template <class T>
struct Neuron {
    T first, second, bias;
};

template <class T>
class WavePair {
public:
    WavePair(const Plane& plane, int order)
        : order_(order), a_{plane.along_a, 0, plane.bias_a}, b_{plane.along_b, plane.across_b, plane.bias_b} {}

    PairMoments<T> operator()(const WaveForm<T>& a, const WaveForm<T>& b) const {
        const auto sum = factor(a.lambda, a_, b.lambda, b_), difference = factor(a.lambda, a_, std::conj(b.lambda), b_);
        return fill([&](int left, int right) {
            Moments<T> m = real_part(a.c[left] * b.c[right], sum);
            const Moments<T> more = real_part(a.c[left] * std::conj(b.c[right]), difference);
            for (int k = 0; k < 6; ++k) m[k] = (m[k] + more[k]) / 2;
            return m;
        });
    }

    PairMoments<T> operator()(const WaveForm<T>& a, const StepForm<T>& b) const {
        return fill([&](int left, int right) { return real_part(a.c[left], polynomial(a.lambda, a_, b.smooth[right], b_)); });
    }

    PairMoments<T> operator()(const StepForm<T>& a, const WaveForm<T>& b) const {
        return fill([&](int left, int right) { return real_part(b.c[right], polynomial(b.lambda, b_, a.smooth[left], a_)); });
    }

private:
    using Complex = std::complex<T>;
    using ComplexMoments = std::array<Complex, 6>;

    template <class Product>
    PairMoments<T> fill(const Product& product) const {
        PairMoments<T> result{};
        for (int i = 0; i < product_count(order_); ++i) result[i] = product(products[i][0], products[i][1]);
        return result;
    }

    static Moments<T> real_part(Complex c, const ComplexMoments& m) {
        Moments<T> result;
        for (int k = 0; k < 6; ++k) result[k] = (c * m[k]).real();
        return result;
    }

    static void add(ComplexMoments& m, Complex weight, Complex t1, Complex t2) {
        const ComplexMoments powers{1, t1, t2, t1 * t1, t1 * t2, t2 * t2};
        for (int k = 0; k < 6; ++k) m[k] += weight * powers[k];
    }

    // Of e^{λ z_a + μ z_b}.
    static ComplexMoments factor(Complex lambda, const Neuron<T>& a, Complex mu, const Neuron<T>& b) {
        const Complex t1 = lambda * a.first + mu * b.first, t2 = lambda * a.second + mu * b.second;
        const Complex mass = std::exp(lambda * a.bias + mu * b.bias + (t1 * t1 + t2 * t2) / T(2));
        ComplexMoments m{};
        add(m, mass, t1, t2);
        m[3] += mass, m[5] += mass;
        return m;
    }

    // Of e^{λz} p(z) of two neurons.
    static ComplexMoments polynomial(Complex lambda, const Neuron<T>& wave, const Polynomial<T>& p, const Neuron<T>& other) {
        ComplexMoments m{};
        if (p.zero()) return m;
        const Complex t1 = lambda * wave.first, t2 = lambda * wave.second;
        const Complex mass = std::exp(lambda * wave.bias + (t1 * t1 + t2 * t2) / T(2));
        const HermiteRule& rule = hermite_rule(p.degree + 2);
        for (int i = 0; i < rule.count; ++i)
            for (int j = 0; j < rule.count; ++j) {
                const Complex x1 = t1 + T(rule.node[i]), x2 = t2 + T(rule.node[j]);
                const Complex z = other.first * x1 + other.second * x2 + other.bias;
                add(m, mass * T(rule.weight[i] * rule.weight[j]) * p(z), x1, x2);
            }
        return m;
    }

    int order_;
    Neuron<T> a_, b_;
};

// exp of one neuron, whose weights are `tilt`, and the moments of all that is beside it, which sees the law so moved.
template <class T>
PairMoments<T> tilted(PairMoments<T> moments, T bias, T tilt1, T tilt2, int order) {
    const T mass = std::exp(bias + (tilt1 * tilt1 + tilt2 * tilt2) / 2);
    for (int i = 0; i < product_count(order); ++i) {
        auto [m00, m10, m01, m20, m11, m02] = moments[i];
        moments[i] = {mass * m00, mass * (m10 + tilt1 * m00), mass * (m01 + tilt2 * m00),
                      mass * (m20 + 2 * tilt1 * m10 + tilt1 * tilt1 * m00),
                      mass * (m11 + tilt1 * m01 + tilt2 * m10 + tilt1 * tilt2 * m00),
                      mass * (m02 + 2 * tilt2 * m01 + tilt2 * tilt2 * m00)};
    }
    return moments;
}

}  // namespace hessorbit::population
