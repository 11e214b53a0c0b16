// The scalar left of one neuron once everything else is minimised away:
//
//     ψ(x) = (x − x₀)² + 2 p σ(x) − q σ(x)²     over lower ≤ x ≤ upper,     p = μ·v,  q = ‖μ‖²
//
// A neuron whose contribution to a constrained sum is t v', t = σ(x), pays (x − x₀)² + ‖v' − v‖² + 2 μ·(t v'); the
// best v' is v − t μ, which leaves ψ. For copies of a homogeneous neuron t is the scale itself (Ray); for a neuron
// with zero weights x is its bias and t its constant output (Bias).
#pragma once

#include "../activation.hpp"
#include "limits.hpp"

#include <cmath>
#include <limits>
#include <memory>
#include <queue>
#include <vector>

namespace hessorbit::minima {

// The minimum of ψ. As a function of μ it is concave, with gradient 2 t (v − t μ) and Hessian
// −2 t² I − stiffness (v − 2 t μ)(v − 2 t μ)ᵀ.
struct Inner {
    double value, x, t, stiffness;
};

// t = x, for copies of a homogeneous neuron scaled by t ≥ 0.
struct Ray {
    static constexpr double lowest = 0;
    static double t(double x) { return x; }

    Inner minimise(double start, double p, double q, Limits&, double lower = 0, double upper = infinity) const {
        const auto psi = [&](double x) { return (x - start) * (x - start) + (2 * p - q * x) * x; };
        if (q < 1) {
            const double free = (start - p) / (1 - q), x = std::clamp(free, lower, upper);
            return {psi(x), x, x, x == free ? 2 / (1 - q) : 0};
        }
        if (upper == infinity) return {-infinity, lower, lower, 0};
        const double x = psi(lower) < psi(upper) ? lower : upper;
        return {psi(x), x, x, 0};
    }
};

// t = s σ(x/u), for a neuron with zero weights and bias x, s the multiplier of the output layer and u the unit of x;
// or x held at 0 where there is no bias. Below σ stands for that function.
//
// The minimum is global to rounding: intervals are cut, the one of the lowest bound first, until a bound from
// |ψ''| ≥ −bend on it, or from |σ|, shows that no other holds anything lower. Where p or q are so large that this takes
// too many cuts, the value is what the intervals that are left cannot fall below. σ may have a kink at 0, where the
// line is cut in two.
class Bias {
public:
    Bias(const Activation& activation, double multiplier, bool held)
        : activation_(activation), multiplier_(multiplier), held_(held) {
        measure();
        at_zero_ = sample(0.0).value;
    }

    static constexpr double lowest = -infinity;

    // The same for parameters that are all multiplied by u, a power of 2.
    Bias in_units_of(double u) const {
        Bias result = *this;
        result.unit_ = u;
        result.per_unit_ = 1 / u;
        return result;
    }

    double t(double x) const { return held_ ? at_zero_ : sample(x).value; }

    // The largest q for which ψ is known to be bounded below.
    double largest_q() const {
        return !held_ && std::isinf(largest_value_) ? 0.999999 / (steepest() * steepest()) : infinity;
    }

    Inner minimise(double start, double p, double q, Limits& limits, double lower = -infinity,
                   double upper = infinity) const {
        if (held_) return {2 * p * at_zero_ - q * at_zero_ * at_zero_, 0, at_zero_, 0};
        if (std::isinf(lower) || std::isinf(upper)) {
            const double radius = reach(start, p, q);
            if (std::isinf(radius)) return {-infinity, start, 0, 0};
            lower = std::max(lower, start - radius);
            upper = std::min(upper, start + radius);
        }
        Search search{*this, start, p, q, limits, {}, {infinity, start, 0, 0}};
        if (lower < 0 && upper > 0) {
            search.add(lower, 0);
            // Right of the kink: the least x at which σ is evaluated above 0.
            search.add(std::min(upper, std::max(unit_, 1.0) * std::numeric_limits<double>::min()), upper);
        } else {
            search.add(lower, upper);
        }
        return search.run();
    }

private:
    static constexpr int points = 8;       // σ is evaluated on rows of this many
    static constexpr int most_cuts = 200;  // some twenty are usual
    static_assert(points % row_multiple == 0);

    struct Point {
        double x, value, slope, curvature;
    };

    // Suprema of |σ''| and (σ²/2)''.
    struct Sharpness {
        double value = 0, square = 0;

        Sharpness with(const Sharpness& other) const {
            return {std::max(value, other.value), std::max(square, other.square)};
        }
    };

    // Cells of |z|: of an eighth up to 40, from where on each is as wide as all before it. In the last one every
    // derivative that decays has underflowed.
    static constexpr double end = 40;
    static constexpr int fine = 320, cells = fine + 380;

    static double start_of(int cell) { return cell < fine ? end * cell / fine : std::ldexp(end, cell - fine); }
    static int cell_of(double z) {
        return z < end ? static_cast<int>(z * fine / end) : fine + std::min(std::ilogb(z / end), cells - fine - 1);
    }

    // Where σ is flat far from 0, ψ bends there as its square alone.
    Sharpness sharpest_between(double lower, double upper) const {
        const Sharpness& most = lower > 0   ? tails_->right[cell_of(lower * per_unit_)]
                                : upper < 0 ? tails_->left[cell_of(-upper * per_unit_)]
                                            : tails_->everywhere;
        return {most.value * per_unit_ * per_unit_, most.square * per_unit_ * per_unit_};
    }

    double steepest() const { return steepest_ * per_unit_; }

    struct Interval {
        Point a, b;
        double bound;
        bool operator<(const Interval& other) const { return bound > other.bound; }  // the lowest bound first
    };

    struct Search {
        const Bias& bias;
        double start, p, q;
        Limits& limits;
        std::priority_queue<Interval> open;
        Inner best;

        double psi(const Point& z) const { return (z.x - start) * (z.x - start) + (2 * p - q * z.value) * z.value; }
        double psi_slope(const Point& z) const { return 2 * (z.x - start) + 2 * (p - q * z.value) * z.slope; }

        void offer(const Point& z) {
            const double value = psi(z);
            if (!(value < best.value)) return;
            const double curvature = 2 + 2 * (p - q * z.value) * z.curvature - 2 * q * z.slope * z.slope;
            best = {value, z.x, z.value, curvature > 0 ? 4 * z.slope * z.slope / curvature : 0};
        }

        // Below what ψ can be between two points: from the tangent at either and the bound on the bend, or from what σ
        // can be anywhere.
        double bound(const Point& a, const Point& b) const {
            const Sharpness sharpest = bias.sharpest_between(a.x, b.x);
            const double bend = std::max(0.0, 2 * std::abs(p) * sharpest.value + 2 * q * sharpest.square - 2);
            const double h = b.x - a.x, sag = bend * h * h / 2;
            const double away = std::max({0.0, a.x - start, start - b.x}), most = bias.largest_value_;
            return std::max({std::min(psi(a), psi(a) + psi_slope(a) * h - sag),
                             std::min(psi(b), psi(b) - psi_slope(b) * h - sag),
                             away * away - (2 * std::abs(p) + q * most) * most});
        }

        // How far the terms of ψ, where it is least, are rounded.
        double rounding() const {
            const double unit = std::min(bias.unit_, 1.0), t = std::abs(best.t);
            return 1e-14 * (unit * unit + start * start + (best.x - start) * (best.x - start) +
                            (std::abs(p) + q * t) * std::max(t, 1.0) + q);
        }

        void add(double lower, double upper) {
            const std::array<Point, points> z = bias.sample_between(lower, upper);
            for (const Point& point : z) offer(point);
            for (int i = 1; i < points; ++i) {
                const Point &a = z[i - 1], &b = z[i];
                if (b.x - a.x <= 1e-13 * (std::min(bias.unit_, 1.0) + std::abs(a.x))) continue;
                const double least = bound(a, b);
                if (least < best.value - rounding()) open.push({a, b, least});
            }
        }

        Inner run() {
            for (int cuts = 0; !open.empty() && open.top().bound < best.value - rounding(); ++cuts) {
                if (cuts == most_cuts) {
                    best.value = open.top().bound;
                    break;
                }
                limits.poll();
                const double lower = open.top().a.x, upper = open.top().b.x;
                open.pop();
                add(lower, upper);
            }
            return best;
        }
    };

    Point sample(double x) const { return sample_between(x, x)[0]; }

    std::array<Point, points> sample_between(double lower, double upper) const {
        alignas(64) double z[points], value[points], slope[points], curvature[points];
        std::array<Point, points> result;
        const std::array<double, points> x = points_between(lower, upper);
        for (int i = 0; i < points; ++i) {
            result[i].x = x[i];
            z[i] = x[i] * per_unit_;
        }
        evaluate<double>(activation_, z, points, value, slope, curvature);
        for (int i = 0; i < points; ++i) {
            result[i].value = multiplier_ * value[i];
            result[i].slope = multiplier_ * slope[i] * per_unit_;
            result[i].curvature = multiplier_ * curvature[i] * per_unit_ * per_unit_;
        }
        return result;
    }

    // Evenly; or, if they are of many sizes, evenly in asinh x: by ratios far from 0, and as close near 0 as σ bends.
    std::array<double, points> points_between(double lower, double upper) const {
        constexpr double largest = 1e300;
        std::array<double, points> result;
        const double near = std::min(std::abs(lower), std::abs(upper)), far = std::max(std::abs(lower), std::abs(upper));
        const bool by_size = far > 100 * unit_ + 4 * near;
        const auto on_scale = [&](double x) { return std::asinh(std::clamp(x * per_unit_, -largest, largest)); };
        const double first = by_size ? on_scale(lower) : lower, last = by_size ? on_scale(upper) : upper;
        for (int i = 1; i < points - 1; ++i) {
            const double at = first + (last - first) * i / (points - 1);
            result[i] = by_size ? unit_ * std::sinh(at) : at;
        }
        result.front() = lower;
        result.back() = upper;
        return result;
    }

    // Suprema of |σ'|, |σ''| and (σ²/2)'', from a grid; a hundredth more than measured covers what lies between the
    // points. Waves are everywhere as sharp as anywhere.
    void measure() {
        const Properties known =
            activation_table[static_cast<std::size_t>(activation_.kind)].properties(activation_.parameter);
        largest_value_ = known.bound ? std::abs(multiplier_) * *known.bound : infinity;
        Tails tails{std::vector<Sharpness>(cells), std::vector<Sharpness>(cells), {}};
        for (int i = cells; i-- > 0;)
            for (const bool right : {true, false}) {
                std::vector<Sharpness>& side = right ? tails.right : tails.left;
                const double near = std::max(start_of(i), std::numeric_limits<double>::min()), far = start_of(i + 1);
                if (i + 1 < cells) side[i] = side[i + 1];
                for (const Point& z : right ? sample_between(near, far) : sample_between(-far, -near)) {
                    steepest_ = std::max(steepest_, 1.01 * std::abs(z.slope));
                    side[i] = side[i].with(
                        {1.01 * std::abs(z.curvature), 1.01 * (z.slope * z.slope + z.value * z.curvature)});
                }
            }
        tails.everywhere = tails.left[0].with(tails.right[0]);
        if (known.phase) tails.left.assign(cells, tails.everywhere), tails.right = tails.left;
        tails_ = std::make_shared<const Tails>(std::move(tails));
    }

    // How far from x₀ the minimum can lie: ψ(x) ≤ ψ(x₀) bounds (x − x₀)² by what 2 p σ − q σ² can gain.
    double reach(double start, double p, double q) const {
        const double here = std::abs(sample(start).value), s = std::abs(p), l = steepest();
        double radius = infinity;
        if (q * l * l < 1) radius = 2 * (s + q * here) * l / (1 - q * l * l);
        if (std::isfinite(largest_value_))
            radius = std::min(radius, std::sqrt(4 * s * largest_value_ + 2 * q * largest_value_ * largest_value_));
        return radius + 1e-12 * std::min(unit_, 1.0);
    }

    // Of all cells from one on, away from 0 on either side.
    struct Tails {
        std::vector<Sharpness> left, right;
        Sharpness everywhere;
    };

    Activation activation_;
    double multiplier_;
    bool held_;
    double unit_ = 1, per_unit_ = 1;
    double largest_value_ = 0, steepest_ = 0, at_zero_ = 0;
    std::shared_ptr<const Tails> tails_;
};

}  // namespace hessorbit::minima
