// Moments of a pair of neurons whose activations are polynomials and steps (step_form.hpp), in closed form:
//
//     M_kl = E[φ(z_a) ψ(z_b) t₁ᵏ t₂ˡ],   φ = P_a + Q_a θ_a + E_a δ_a,   ψ = P_b + Q_b θ_b + E_b δ_b.
//
// θ_a holds where y_a = z_a + η_a > 0, and δ_a sets y_a = 0. Each product of these factors leaves a normal law of t, on
// which y_b is a number ω(ξ − u) of its own:
//
//     δ_a       t₁ ~ N(−b_a s_a/τ_a², η_a²/τ_a²), at the density φ(h_a)/τ_a;   s_a = ‖w_a‖, τ_a² = s_a² + η_a², h_a = −b_a/τ_a
//     δ_a θ_b   in addition ξ > u, where E[ξⁿ; ξ > u] = uⁿ⁻¹ φ(u) + (n − 1) E[ξⁿ⁻²; ξ > u]
//     δ_a δ_b   in addition ξ = u, at the density φ(u)/ω
//     θ_a       ξ > h_a, where ξ is t₁ with noise
//
// What is left beside ξ is normal and independent, and polynomials of it are integrated exactly by nodes. θ_a θ_b, beside
// which polynomials have degree 2 at most, follows from the probability of a wedge and Stein's identity
//
//     E[θ_a θ_b t_i]     = w_ai E[δ_a θ_b] + w_bi E[θ_a δ_b]
//     E[θ_a θ_b t_i t_j] = δ_ij E[θ_a θ_b] + w_ai E[δ_a θ_b t_j] + w_bi E[θ_a δ_b t_j].
//
// Nothing divides by the angle between w_a and w_b: where they are parallel all this has its limit. Each neuron's z and η
// are in a unit of their own, a power of two, where they are so large or small that products would leave the range.
#pragma once

#include "products.hpp"
#include "step_form.hpp"
#include "wedge.hpp"

namespace hessorbit::population {

// A linear function of ξ and of two more independent normal numbers.
template <class T>
struct Linear {
    T mean = 0, xi = 0, first = 0, second = 0;

    friend Linear operator*(T c, const Linear& x) { return {c * x.mean, c * x.xi, c * x.first, c * x.second}; }
    friend Linear operator+(const Linear& x, const Linear& y) {
        return {x.mean + y.mean, x.xi + y.xi, x.first + y.first, x.second + y.second};
    }
};

inline constexpr int most_powers = 8;

// The law of t₁, t₂, z_a, z_b that a product of factors leaves: E[ξⁿ] of its mass for n below most_powers.
template <class T>
struct Law {
    std::array<T, most_powers> power{};
    Linear<T> t1, t2, z_a, z_b;

    void at_rest(T mass) { power = {mass}; }
    void normal(T mass) { power = {mass, 0, mass, 0, 3 * mass, 0, 15 * mass, 0}; }
    void above(T mass, T u) {
        const T tail = mass * upper_tail(u), edge = mass * normal_density(u);
        power[0] = tail, power[1] = edge;
        T rising = edge;
        for (int n = 2; n < most_powers; ++n) {
            rising = edge == 0 ? 0 : rising * u;
            power[n] = rising + (n - 1) * power[n - 2];
        }
    }
};

// Beyond this many standard deviations of y a step is settled: φ(64) is below the smallest number.
inline constexpr int settled_beyond = 64;

// Products of a few numbers between this and its reciprocal are in range.
inline constexpr double least_moderate = 0x1p-100;

// One neuron z = s t₁ + b with a step at y = z + η = 0, in the frame of its own weights, and the other one in this frame.
template <class T>
struct Side {
    T length, bias, noise;  // s, b and the standard deviation of η
    T along, across, other_bias, other_noise;

    T spread() const { return std::sqrt(length * length + noise * noise); }  // τ

    // No step.
    Law<T> free() const {
        Law<T> law;
        law.normal(1);
        law.t1.xi = law.t2.first = 1;
        follow(law);
        return law;
    }

    Law<T> above() const {
        const T tau = spread();
        Law<T> law;
        law.above(1, -bias / tau);
        law.t1 = {0, length / tau, noise / tau, 0};
        law.t2.second = 1;
        follow(law);
        return law;
    }

    Law<T> on() const {
        const T tau = spread();
        Law<T> law;
        law.normal(density(tau));
        law.t1 = {-bias * length / (tau * tau), noise / tau};
        law.t2.first = 1;
        follow(law);
        law.z_a.mean = bias * (noise / tau) * (noise / tau);
        return law;
    }

    // On the step, with y of the other neuron as ω(ξ − u).
    struct Split {
        Law<T> law;
        T mass, omega;
    };

    Split split() const {
        const T tau = spread(), root = noise / tau;
        const T rest = std::hypot(across, other_noise), omega = std::hypot(along * root, rest);
        // Where both steps are sharp and the weights parallel, the angle is taken to be small.
        const T lean = omega > 0 ? along * root / omega : 0, turn = omega > 0 ? rest / omega : 1;
        const T steep = rest > 0 ? across / rest : 1, level = rest > 0 ? other_noise / rest : 0;
        Split result{{}, density(tau), omega};
        Law<T>& law = result.law;
        law.t1 = {-bias * length / (tau * tau), lean * root, root * turn, 0};
        law.t2 = {0, steep * turn, -lean * steep, level};
        law.z_a = length * law.t1;
        law.z_a.mean = bias * root * root;
        law.z_b = {along * law.t1.mean + other_bias, along * lean * root + across * steep * turn,
                   lean * level * other_noise, across * level};
        return result;
    }

private:
    T density(T tau) const { return normal_density(bias / tau) / tau; }

    void follow(Law<T>& law) const {
        law.z_a = length * law.t1;
        law.z_a.mean += bias;
        law.z_b = along * law.t1 + across * law.t2;
        law.z_b.mean += other_bias;
    }
};

template <class T>
class StepPair {
public:
    StepPair(StepForm<T> a, StepForm<T> b, const Plane& plane, int order) : a_(a), b_(b), order_(order) {
        const T whole = std::hypot(T(plane.along_b), T(plane.across_b));
        cosine_ = whole > 0 ? plane.along_b / whole : 1, sine_ = whole > 0 ? plane.across_b / whole : 0;
        const int unit_a = choose_unit(a_, plane.along_a, plane.bias_a), unit_b = choose_unit(b_, whole, plane.bias_b);
        per_unit_a_ = std::ldexp(T(1), -unit_a), per_unit_b_ = std::ldexp(T(1), -unit_b);
        const auto in = [](int unit, T x) { return unit == 0 ? x : std::ldexp(x, -unit); };
        const T s = in(unit_a, plane.along_a), bias_a = in(unit_a, plane.bias_a), length = in(unit_b, whole);
        const T along = in(unit_b, plane.along_b), across = in(unit_b, plane.across_b);
        const T bias_b = in(unit_b, plane.bias_b);
        side_a_ = {s, bias_a, a_.noise, along, across, bias_b, b_.noise};
        side_b_ = {length, bias_b, b_.noise, s * cosine_, s * sine_, bias_a, a_.noise};
    }

    PairMoments<T> operator()() {
        add(side_a_.free(), a_.smooth, b_.smooth);
        if (a_.has_step()) {
            add(side_a_.above(), a_.step, b_.smooth);
            add(side_a_.on(), a_.delta, b_.smooth, per_unit_a_);
        }
        if (b_.has_step()) {
            add(turned(side_b_.above()), a_.smooth, b_.step);
            add(turned(side_b_.on()), a_.smooth, b_.delta, per_unit_b_);
        }
        if (a_.has_step() && b_.has_step()) add_both();
        return sums_;
    }

private:
    using Polynomials = std::array<Polynomial<T>, 3>;

    // Returns the exponent of a neuron's unit, in which its form is then; a step that is far away is settled.
    static int choose_unit(StepForm<T>& form, T length, T bias) {
        if (form.has_step() && std::abs(bias) >= settled_beyond * (length + form.noise)) form = settled(form, bias);
        const T size = std::max({length, form.noise, std::abs(bias)});
        if (size == 0 || (size > least_moderate && size < 1 / least_moderate)) return 0;
        const int exponent = std::ilogb(size);
        form = rescaled(form, exponent);
        return exponent;
    }

    // A law in the frame of w_b as one in that of w_a: e₁' = (cos, sin) and e₂' = (sin, −cos).
    Law<T> turned(const Law<T>& law) const {
        Law<T> result = law;
        result.t1 = cosine_ * law.t1 + sine_ * law.t2;
        result.t2 = sine_ * law.t1 + (-cosine_) * law.t2;
        std::swap(result.z_a, result.z_b);
        return result;
    }

    void add_both() {
        const T tau_a = side_a_.spread(), tau_b = side_b_.spread();
        auto on_a = side_a_.split(), on_b = side_b_.split();
        const Wedge<T> wedge(-side_a_.bias / tau_a, -side_b_.bias / tau_b,
                             side_a_.length * side_a_.along / (tau_a * tau_b), on_a.omega / tau_b);
        on_a.law.above(on_a.mass, wedge.u_a), on_b.law.above(on_b.mass, wedge.u_b);
        const Law<T> law_a = on_a.law, law_b = turned(on_b.law);
        add_wedge(wedge.probability(), law_a, law_b);
        add(law_a, a_.delta, b_.step, per_unit_a_);
        add(law_b, a_.step, b_.delta, per_unit_b_);
        if (a_.delta[1].zero() || b_.delta[1].zero()) return;
        Law<T> both = on_a.law;
        for (Linear<T>* each : {&both.t1, &both.t2, &both.z_a, &both.z_b})
            each->mean += each->xi * wedge.u_a, each->xi = 0;
        both.at_rest(on_a.mass * normal_density(wedge.u_a) / on_a.omega * per_unit_a_);
        add(both, a_.delta, b_.delta, per_unit_b_);
    }

    // Q_a θ_a Q_b θ_b, by Stein's identity.
    void add_wedge(T probability, const Law<T>& on_a, const Law<T>& on_b) {
        const auto mean = [](const Law<T>& law, const Linear<T>& t) {
            return t.mean * law.power[0] + t.xi * law.power[1];
        };
        const T s = side_a_.length, along = side_a_.along, across = side_a_.across;
        const T b0 = on_b.power[0], b1 = mean(on_b, on_b.t1), b2 = mean(on_b, on_b.t2);
        const T a0 = on_a.power[0], a1 = mean(on_a, on_a.t1), a2 = mean(on_a, on_a.t2);
        const T r00 = probability, r10 = s * a0 + along * b0, r01 = across * b0;
        const T r20 = r00 + s * a1 + along * b1, r11 = s * a2 + along * b2, r02 = r00 + across * b2;
        for (int i = 0; i < count(); ++i) {
            const Polynomial<T>&p = a_.step[products[i][0]], &q = b_.step[products[i][1]];
            if (p.zero() || q.zero()) continue;
            // p(z_a) and q(z_b) as linear functions of t.
            const T p0 = p(side_a_.bias), p1 = p.c[1] * s;
            const T q0 = q(side_b_.bias), q1 = q.c[1] * along, q2 = q.c[1] * across;
            auto& m = sums_[i];
            m[0] += p0 * q0 * r00 + (p0 * q1 + p1 * q0) * r10 + p0 * q2 * r01 + p1 * q1 * r20 + p1 * q2 * r11;
            if (needed_degree(i) < 1) continue;
            m[1] += p0 * q0 * r10 + (p0 * q1 + p1 * q0) * r20 + p0 * q2 * r11;
            m[2] += p0 * q0 * r01 + (p0 * q1 + p1 * q0) * r11 + p0 * q2 * r02;
            if (needed_degree(i) < 2) continue;
            m[3] += p0 * q0 * r20, m[4] += p0 * q0 * r11, m[5] += p0 * q0 * r02;
        }
    }

    int count() const { return product_count(order_); }

    // Adds `scale` times the moments of left(z_a) right(z_b) under a law. What is needed for the loss, the gradient
    // and the Hessian each has its own nodes: the loss has the same bits beside derivatives and without.
    void add(const Law<T>& law, const Polynomials& left, const Polynomials& right, T scale = 1) {
        if (law.power[0] == 0) return;
        const auto depends = [&](T Linear<T>::*on) {
            return law.t1.*on != 0 || law.t2.*on != 0 || law.z_a.*on != 0 || law.z_b.*on != 0;
        };
        const bool on_first = depends(&Linear<T>::first), on_second = depends(&Linear<T>::second);
        for (int order = 0; order <= order_; ++order) {
            const Range range{product_count(order - 1), product_count(order)};
            int most = -1;
            for (int i = range.begin; i < range.end; ++i)
                if (const auto& p = left[products[i][0]], &q = right[products[i][1]]; !p.zero() && !q.zero())
                    most = std::max(most, p.degree + q.degree + needed_degree(i));
            if (most < 0) continue;
            const HermiteRule &first = hermite_rule(on_first ? most : 0), &second = hermite_rule(on_second ? most : 0);
            for (int i = 0; i < first.count; ++i)
                for (int j = 0; j < second.count; ++j)
                    add_at(law, static_cast<T>(first.node[i]), static_cast<T>(second.node[j]),
                           scale * static_cast<T>(first.weight[i] * second.weight[j]), left, right, range);
        }
    }

    // Of products.
    struct Range {
        int begin, end;
    };

    struct Line {
        T mean, xi;
    };

    // p(mean + xi ξ) in powers of ξ.
    using Powers = std::array<T, most_powers>;
    static int expand(const Polynomial<T>& p, const Line& z, Powers& to) {
        to = {p.c[p.degree]};
        for (int k = p.degree - 1, n = 1; k >= 0; --k, ++n) {
            for (int i = n; i > 0; --i) to[i] = to[i] * z.mean + to[i - 1] * z.xi;
            to[0] = to[0] * z.mean + p.c[k];
        }
        return p.degree;
    }

    void add_at(const Law<T>& law, T first, T second, T weight, const Polynomials& left, const Polynomials& right,
                Range range) {
        const auto at = [&](const Linear<T>& x) { return Line{x.mean + x.first * first + x.second * second, x.xi}; };
        const Line t1 = at(law.t1), t2 = at(law.t2), z_a = at(law.z_a), z_b = at(law.z_b);
        std::array<Powers, 3> p, q;
        for (int k = 0; k <= order_; ++k) {
            if (!left[k].zero()) expand(left[k], z_a, p[k]);
            if (!right[k].zero()) expand(right[k], z_b, q[k]);
        }
        for (int i = range.begin; i < range.end; ++i) {
            const auto [l, r] = products[i];
            if (left[l].zero() || right[r].zero()) continue;
            std::array<T, 3> e{};  // E[p q ξⁿ]
            for (int j = 0; j <= left[l].degree; ++j)
                for (int k = 0; k <= right[r].degree; ++k) {
                    const T c = weight * p[l][j] * q[r][k];
                    for (int n = 0; n <= needed_degree(i); ++n) e[n] += c * law.power[j + k + n];
                }
            auto& m = sums_[i];
            m[0] += e[0];
            if (needed_degree(i) < 1) continue;
            m[1] += t1.mean * e[0] + t1.xi * e[1];
            m[2] += t2.mean * e[0] + t2.xi * e[1];
            if (needed_degree(i) < 2) continue;
            const auto second_moment = [&](const Line& x, const Line& y) {
                return x.mean * y.mean * e[0] + (x.mean * y.xi + x.xi * y.mean) * e[1] + x.xi * y.xi * e[2];
            };
            m[3] += second_moment(t1, t1), m[4] += second_moment(t1, t2), m[5] += second_moment(t2, t2);
        }
    }

    StepForm<T> a_, b_;
    int order_;
    T cosine_ = 1, sine_ = 0;
    T per_unit_a_ = 1, per_unit_b_ = 1;  // of δ in true units
    Side<T> side_a_{}, side_b_{};
    PairMoments<T> sums_{};
};

}  // namespace hessorbit::population
