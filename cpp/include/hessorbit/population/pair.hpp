// Moments of a pair of neurons on the plane of their weights, by quadrature:
//
//     M_kl = E[φ(z_a) ψ(z_b) t₁ᵏ t₂ˡ],   φ, ψ ∈ {σ, σ', σ''},   k + l ≤ 2,
//     z_a = along_a t₁ + bias_a,   z_b = along_b t₁ + across_b t₂ + bias_b,   t ~ N(0, I).
//
// The line over t₂ is inside, and turns ψ into G_l(t₁) = E[ψ(z_b) t₂ˡ | t₁], which is smooth on the scale of
// across_b / along_b even where ψ is not, and has a closed form for most activations (conditional.hpp). If across_b is 0, one line over t₁ is all there is. A jump in σ' is a delta in
// σ'', at a node of its own.
#pragma once

#include "conditional.hpp"
#include "line.hpp"
#include "neuron.hpp"
#include "products.hpp"

#include "../kernel/interruption.hpp"

#include <optional>

namespace hessorbit::population {

// Lines are not cut finer than this, however fast sin, cos and exp of long weights turn: no call hangs, and the estimate
// of its error tells what this costs.
inline constexpr double shortest_step = 0.005, most_panels = 512;

// exp(w t) φ(t) is largest at t = w. Beyond w = 38 its integral is beyond the range of float64, whatever the line.
inline constexpr double most_growth = 80;

// More phases of a lattice than this save little. A node of one costs less than one of panels by this factor.
inline constexpr double most_phases = 48, lattice_saves = 10;

// How integrals are done: in closed form where there is one, unless that is not wanted. Digits is −log of the relative
// error that equal steps leave where the poles are simple (those of σ'' are not, and leave more), and fineness divides the
// lengths of all steps and panels once more, so that errors can be estimated.
struct Method {
    double digits = 45, fineness = 1;
    bool closed = true;

    bool finer() const { return fineness > 1; }
};

class PairQuadrature {
public:
    // Moments for derivatives of the loss up to `order`.
    PairMoments<double> operator()(const Method& method, const Shape& a, const Shape& b, const Plane& plane,
                                   int order) {
        method_ = method, a_ = &a, b_ = &b, plane_ = plane, order_ = order;
        sums_ = {};
        conditional_ = method.closed && !one_line() && has_conditional(b);
        make_outer();
        const Index n = outer_.size();
        reserve(outer_rows_, 4, n);
        for (Index i = 0; i < n; ++i) outer_rows_(0, i) = plane.along_a * outer_.node[i] + plane.bias_a;
        derivatives(a, outer_rows_, n);
        prepare_inner();
        if (lattice_.phases > 0) {
            for (Index phase = 0; phase < lattice_.phases; ++phase) add_phase(phase);
        } else {
            for (Index i = 0; i < n; ++i) {
                if (i % 16 == 0) stop_if_interrupted();
                if (conditional_) take_means(inner_rows_, i);
                else inner(outer_.node[i]);
                add_outer(i);
            }
        }
        if (order == 2) add_delta_of_first(), add_delta_of_second();
        return sums_;
    }

private:
    using Three = std::array<double, 3>;

    static constexpr Index inner_row_count = 1 + conditional_means_count;

    // Points z_b of both lines' nodes; no phases: there is none.
    struct Lattice {
        Index phases = 0, shift = 0;
        Line line{};  // t₂
        Rows<double> rows;
    };

    static constexpr double infinite = std::numeric_limits<double>::infinity();

    // Where z is 0 on a line with slope `along`.
    static double zero_of(double along, double bias) { return -bias / along; }

    // How far from the line the nearest poles are.
    static double pole_distance(const Shape& shape, double along) {
        const double narrow = shape.narrowness * std::abs(along);
        return narrow > 0 ? pi / 2 / narrow : infinite;
    }

    // The step at which equal steps leave e^{−digits} of ∫ f φ: f has poles at this distance, its spectrum decays as a
    // normal density of this variance times φ's, and is shifted by up to `frequency`.
    double step(double poles, double variance, double frequency) const {
        const double digits = method_.digits, smooth = std::sqrt(2 * digits / variance);
        const double reach = smooth * variance <= poles ? smooth : digits / poles + poles / (2 * variance);
        return std::max(2 * pi / (reach + 2 + frequency), shortest_step) / method_.fineness;
    }

    Place place(const Shape& shape, double along, double bias) const {
        const double narrow = shape.narrowness * std::abs(along);
        return {zero_of(along, bias), narrow > 0 ? 1 / narrow / method_.fineness : infinite, shape.kinked};
    }

    static void widen(Place& place) { place.width = std::max(place.width, 1e-15 * (1 + std::abs(place.at))); }

    void add_place(Line& line, Place place) const {
        if (!std::isfinite(place.at)) return;
        widen(place);
        line.add(place);
    }

    Line normal_line(double growth, double frequency) const {
        const double reach = normal_reach + std::min(growth, most_growth);
        const double longest = std::max(std::min(2.5, 6 / frequency), 2 * reach / most_panels) / method_.fineness;
        return {-reach, reach, longest, 0};
    }

    bool one_line() const { return plane_.across_b == 0; }

    // t₁
    void make_outer() {
        const auto [along_a, bias_a, along_b, across_b, bias_b] = plane_;
        const double frequency = a_->frequency * std::abs(along_a) + b_->frequency * std::abs(along_b);
        Line line = normal_line(a_->growth * std::abs(along_a) + b_->growth * std::abs(along_b), frequency);
        add_place(line, place(*a_, along_a, bias_a));
        Place second = place(*b_, along_b, bias_b);
        const double tangent = std::abs(across_b / along_b);
        if (!one_line() && second.split) second.split = false, second.width = tangent / method_.fineness;
        add_place(line, second);
        const bool kinked = (a_->kinked && along_a != 0) || (one_line() && b_->kinked && along_b != 0);
        if (!kinked) {
            const double own = pole_distance(*a_, along_a), other = pole_distance(*b_, along_b);
            if (!b_->kinked || along_b == 0) line.step = step(std::min(own, other), 1, frequency);
            if (!one_line()) {
                const double variance = across_b * across_b / (across_b * across_b + along_b * along_b);
                line.step = std::max(line.step, step(own, variance, frequency));
            }
        }
        if (prepare_lattice(line)) equal_rule(line, outer_);
        else make_rule(line, outer_);
    }

    // What the node i of t₁ adds, with the moments over t₂ there.
    void add_outer(Index i) {
        const double w = outer_.weight[i];
        add(outer_.node[i], {w * outer_rows_(1, i), w * outer_rows_(2, i), w * outer_rows_(3, i)});
    }

    Line inner_line(double along_t1) const {
        const double across = plane_.across_b, frequency = b_->frequency * std::abs(across);
        Line line = normal_line(b_->growth * std::abs(across), frequency);
        add_place(line, place(*b_, across, along_t1));
        if (!b_->kinked) line.step = step(pole_distance(*b_, across), 1, frequency);
        return line;
    }

    // Means over t₂ of all t₁, or equal steps over t₂, which serve for every t₁.
    void prepare_inner() {
        if (one_line()) return;
        if (conditional_) {
            reserve(inner_rows_, inner_row_count, outer_.size());
            for (Index i = 0; i < outer_.size(); ++i)
                inner_rows_(0, i) = plane_.along_b * outer_.node[i] + plane_.bias_b;
            return make_means(inner_rows_, outer_.size());
        }
        const Line line = inner_line(plane_.bias_b);
        equal_ = lattice_.phases > 0 || prefers_equal(line);
        if (lattice_.phases > 0) equal_rule(lattice_.line, inner_), fill_inner();
        else if (equal_) equal_rule(line, inner_), fill_inner();
    }

    // Where both lines can have equal steps, z_b of all their nodes may lie on few lattices, on which σ_b is evaluated: a
    // step of t₁ moves z_b by `shift` steps of a lattice, or one step of t₂ by `phases` of t₁. Whether this is cheaper.
    bool prepare_lattice(const Line& outer) {
        lattice_.phases = 0;
        if (one_line() || conditional_ || outer.step <= 0) return false;
        Line line = inner_line(plane_.bias_b);
        if (line.step <= 0) return false;
        const double count = std::ceil(equal_count(outer));
        const double move = std::abs(plane_.along_b) * (outer.upper - outer.lower) / count;
        const double ratio = move / (plane_.across_b * line.step);
        const double phases = ratio > 0 ? std::clamp(std::floor(1 / ratio), 1.0, most_phases) : 1;
        const double shift = ratio > 1 ? std::ceil(ratio) : ratio > 0;
        if (ratio > 0) line.step = move * phases / (shift * plane_.across_b);
        const double half = std::ceil(line.upper / line.step);
        const double evaluations = shift * count + phases * 2 * half, nodes = 2 * half * count;
        if (!(nodes / lattice_saves + evaluations < panel_count(outer) * panel_count(line))) return false;
        lattice_.shift = static_cast<Index>(shift), lattice_.phases = static_cast<Index>(phases);
        lattice_.line = {-half * line.step, half * line.step, 0, line.step * (1 + 0x1p-40)};
        return true;
    }

    // The nodes `phase`, phase + phases, … of t₁.
    void add_phase(Index phase) {
        const Index n = outer_.size(), count = (n - phase + lattice_.phases - 1) / lattice_.phases;
        if (count <= 0) return;
        const Index width = padded(inner_.size()), points = lattice_.shift * (count - 1) + width;
        const Index last = phase + (count - 1) * lattice_.phases;
        const bool falls = plane_.along_b < 0;
        // Counted from the middle, where the weights are: differences of nodes far out would have fewer digits.
        const Index first = falls ? last : phase, half = inner_.size() / 2, middle = half + lattice_.shift * (count / 2);
        const double step = plane_.across_b * ((lattice_.line.upper - lattice_.line.lower) / (inner_.size() - 1));
        const double centre = plane_.along_b * outer_.node[first + (falls ? -1 : 1) * (count / 2) * lattice_.phases] +
                              plane_.bias_b;
        reserve(lattice_.rows, 4, points);
        for (Index k = 0; k < points; ++k) lattice_.rows(0, k) = centre + (k - middle) * step;
        derivatives(*b_, lattice_.rows, points);
        const int moments = order_ == 2 ? 3 : order_ + 1;
        for (Index k = 0; k < count; ++k) {
            if (k % 64 == 0) stop_if_interrupted();
            const Index from = lattice_.shift * (falls ? count - 1 - k : k);
            for (int q = 0; q <= order_; ++q)
                for (int l = 0; l < moments; ++l)
                    inner_sums_[q][l] = (lattice_.rows.row(q + 1).segment(from, width) *
                                         inner_rows_.row(4 + l).head(width)).sum();
            add_outer(phase + k * lattice_.phases);
        }
    }

    void fill_inner() {
        const Index n = inner_.size();
        reserve(inner_rows_, inner_row_count, n);
        for (Index i = 0; i < n; ++i) {
            const double t = inner_.node[i], w = inner_.weight[i];
            inner_rows_(4, i) = w, inner_rows_(5, i) = w * t, inner_rows_(6, i) = w * t * t;
        }
        for (Index i = n; i < padded(n); ++i) inner_rows_(4, i) = inner_rows_(5, i) = inner_rows_(6, i) = 0;
    }

    // Rows 1 and on of the means of σ_b, at n points of row 0.
    void make_means(Rows<double>& rows, Index n) const {
        double* to[conditional_means_count];
        for (int k = 0; k < conditional_means_count; ++k) to[k] = rows.row(k + 1).data();
        conditional_means(*b_, plane_.across_b, rows.row(0).data(), padded(n), means_needed(order_), to);
    }

    void take_means(const Rows<double>& rows, Index i) {
        const double s = plane_.across_b;
        for (int q = 0; q <= order_; ++q) {
            const int k = 1 + first_mean(q);
            inner_sums_[q] = {rows(k, i), s * rows(k + 1, i), rows(k, i) + s * s * rows(k + 2, i)};
        }
    }

    // G of σ_b, σ_b' and σ_b'' at t₁.
    void inner(double t1) {
        const double across = plane_.across_b, z = plane_.along_b * t1 + plane_.bias_b;
        if (one_line() || conditional_) {
            single_.setZero();
            single_(0, 0) = z;
            if (conditional_) return make_means(single_, 1), take_means(single_, 0);
            derivatives(*b_, single_, 1);
            for (int q = 0; q <= order_; ++q) inner_sums_[q] = {single_(q + 1, 0), 0, single_(q + 1, 0)};
            return;
        }
        if (!equal_) panel_rule(inner_line(z), inner_), fill_inner();
        const Index n = padded(inner_.size());
        for (Index i = 0; i < inner_.size(); ++i) inner_rows_(0, i) = z + across * inner_.node[i];
        for (Index i = inner_.size(); i < n; ++i) inner_rows_(0, i) = 0;
        derivatives(*b_, inner_rows_, n);
        const int moments = order_ == 2 ? 3 : order_ + 1;
        for (int q = 0; q <= order_; ++q)
            for (int k = 0; k < moments; ++k)
                inner_sums_[q][k] = (inner_rows_.row(q + 1).head(n) * inner_rows_.row(4 + k).head(n)).sum();
    }

    // σ'' of a where its slope jumps: a node over t₁.
    void add_delta_of_first() {
        const double at = zero_of(plane_.along_a, plane_.bias_a), w = delta(*a_, plane_.along_a, at);
        if (w != 0) inner(at), add(at, {0, 0, w});
    }

    // σ'' of b where its slope jumps: a line across w_b, on which the point with the coordinate u is `foot` w_b/‖w_b‖
    // + u away from there. It has no narrow places, however small the angle between the weights is.
    void add_delta_of_second() {
        const auto [along_a, bias_a, along_b, across_b, bias_b] = plane_;
        const double length = std::hypot(along_b, across_b), foot = zero_of(length, bias_b);
        const double w = delta(*b_, length, foot);
        if (w == 0) return;
        const double cosine = along_b / length, sine = across_b / length;
        const double slope = -along_a * sine, z = along_a * cosine * foot + bias_a;
        const double frequency = a_->frequency * std::abs(slope);
        Line line = normal_line(a_->growth * std::abs(slope), frequency);
        add_place(line, place(*a_, slope, z));
        if (!a_->kinked) line.step = step(pole_distance(*a_, slope), 1, frequency);
        make_rule(line, outer_);
        const Index n = outer_.size();
        reserve(outer_rows_, 4, n);
        for (Index i = 0; i < n; ++i) outer_rows_(0, i) = slope * outer_.node[i] + z;
        derivatives(*a_, outer_rows_, n);
        for (Index i = 0; i < n; ++i) {
            const double u = outer_.node[i], p = w * outer_.weight[i] * outer_rows_(1, i);
            const double t1 = cosine * foot - sine * u, t2 = sine * foot + cosine * u;
            Moments<double>& m = sums_[product_of(0, 2)];
            m[0] += p, m[1] += p * t1, m[2] += p * t2, m[3] += p * t1 * t1, m[4] += p * t1 * t2, m[5] += p * t2 * t2;
        }
    }

    // The weight of the delta of σ'' at the distance `at` from the origin.
    static double delta(const Shape& shape, double length, double at) {
        return shape.jump != 0 && length != 0 ? shape.jump * density(at) / std::abs(length) : 0;
    }

    static void make_rule(const Line& line, LineRule& rule) {
        if (prefers_equal(line))
            equal_rule(line, rule);
        else
            panel_rule(line, rule);
    }

    void add(double t1, const Three& left) {
        for (int i = 0; i < product_count(order_); ++i) {
            const double p = left[products[i][0]];
            const Three& g = inner_sums_[products[i][1]];
            sums_[i][0] += p * g[0];
            sums_[i][1] += p * t1 * g[0];
            sums_[i][2] += p * g[1];
            sums_[i][3] += p * t1 * t1 * g[0];
            sums_[i][4] += p * t1 * g[1];
            sums_[i][5] += p * g[2];
        }
    }

    void derivatives(const Shape& shape, Rows<double>& rows, Index n) const {
        shape.derivatives(rows.row(0).data(), padded(n), rows.row(1).data(),
                          order_ > 0 ? rows.row(2).data() : nullptr, order_ > 1 ? rows.row(3).data() : nullptr);
    }

    // Room for n columns; what is beyond n in its last column of lanes is finite. Grows by half at least, so that it
    // seldom does.
    static void reserve(Rows<double>& rows, Index count, Index n) {
        if (rows.cols() < padded(n)) rows.setZero(count, padded(std::max(n, rows.cols() * 3 / 2)));
    }

    Method method_;
    const Shape *a_ = nullptr, *b_ = nullptr;
    Plane plane_{};
    int order_ = 0;
    bool equal_ = false, conditional_ = false;
    Lattice lattice_;
    LineRule outer_, inner_;
    Rows<double> outer_rows_, inner_rows_, single_ = Rows<double>::Zero(inner_row_count, row_multiple);
    std::array<Three, 3> inner_sums_{};
    PairMoments<double> sums_{};
};

}  // namespace hessorbit::population
