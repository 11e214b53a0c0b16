// The nearest global minimum: set functions against their definitions, copies and zero groups against theirs, shares
// against all groups, searches against all assignments, for every kind of copy.
#include "problem.hpp"

#include <doctest/doctest.h>

#include <hessorbit/minima.hpp>

using namespace hessorbit;
using namespace hessorbit::minima;
using hessorbit::testing::Uniform;

namespace {

constexpr int subset_elements = 5;

SetFunction random_function(Uniform& uniform) { return uniform.draw<double>(1 << subset_elements); }

Matrix<double> random_matrix(Uniform& uniform, Index rows, Index cols) {
    const std::vector<double> values = uniform.draw<double>(rows * cols);
    return 2 * Eigen::Map<const Matrix<double>>(values.data(), rows, cols);
}

Geometry random_geometry(const CopyTraits& copies, int teachers, int inputs, int outputs, bool output_bias = true) {
    Uniform uniform(1);
    Geometry geometry{random_matrix(uniform, teachers, inputs),
                      random_matrix(uniform, teachers, outputs),
                      copies,
                      0.0,
                      false,
                      output_bias,
                      Constants::none,
                      Off::never,
                      std::nullopt};
    if (copies.shifts_outputs) {
        geometry.mirror = 1;
        geometry.constants = Constants::fixed;
        geometry.bias.emplace(Activation{ActivationKind::sigmoid}, 1.0, true);
    }
    return geometry;
}

Weights random_start(std::uint64_t seed, int neurons, int inputs, int outputs, bool output_bias = true) {
    Uniform uniform(seed);
    Weights start{random_matrix(uniform, neurons, inputs), random_matrix(uniform, neurons, outputs),
                  random_matrix(uniform, outputs, 1).col(0)};
    if (!output_bias) start.output.setZero();
    return start;
}

// What a search is made of.
struct Parts {
    Limits limits;
    RoleCosts costs;
    GroupCost group_cost;
    GroupBounds bounds;
    GroupPartition partition;
    Assignment assignment;

    Parts(const Geometry& geometry, const Weights& start)
        : costs(geometry, start), group_cost(costs), bounds(group_cost, limits), partition(group_cost, bounds, limits),
          assignment(costs, partition, limits) {}
};

// The least cost over all roles of all neurons, zero groups left to GroupPartition, which enumerates so few.
double least_over_roles(const Parts& parts) {
    const RoleCosts& costs = parts.costs;
    std::vector<int> role(costs.neurons(), 0);
    double least = infinity;
    while (true) {
        least = std::min(least, parts.assignment.place(role, 1e-12, 10000).value);
        int k = 0;
        while (k < costs.neurons() && ++role[k] == costs.num_roles()) role[k++] = 0;
        if (k == costs.neurons()) return least;
    }
}

// The distance² of a group of given n (not normed), by its definition.
double distance_to_group(const Weights& start, const std::vector<int>& members, minima::Vector n, bool outgoing_signs) {
    n.normalize();
    minima::Vector shared = minima::Vector::Zero(start.incoming.cols()),
                   sum = minima::Vector::Zero(start.outgoing.cols());
    for (std::size_t a = 0; a < members.size(); ++a) {
        shared += n[a] * start.incoming.row(members[a]).transpose();
        sum += (outgoing_signs ? n[a] : std::abs(n[a])) * start.outgoing.row(members[a]).transpose();
    }
    double cost = sum.squaredNorm();
    for (std::size_t a = 0; a < members.size(); ++a)
        cost += (start.incoming.row(members[a]).transpose() - n[a] * shared).squaredNorm();
    return cost;
}

// σ for which copies are of this kind, and θ of two neurons and an output bias computes Σ v σ(w̃·x) + c.
minima::Vector outputs_of(const Weights& weights, const minima::Vector& x, const CopyTraits& copies) {
    const auto sigma = [&](double z) {
        switch (copies.kind) {
            case CopyKind::plain:
                return std::exp(z);
            case CopyKind::odd:
                return std::tanh(z);
            case CopyKind::even:
                return std::cos(z);
            case CopyKind::mirrored:
                return 1 / (1 + std::exp(-z));
            case CopyKind::scaled:
                return std::max(z, 0.0);
            case CopyKind::scaled_even:
                return std::abs(z);
        }
        return 0.0;
    };
    minima::Vector result = weights.output;
    for (Index k = 0; k < weights.incoming.rows(); ++k)
        result += sigma(weights.incoming.row(k).dot(x)) * weights.outgoing.row(k).transpose();
    return result;
}

}  // namespace

TEST_CASE("convolution of set functions is the least over all divisions in two") {
    Uniform uniform(0);
    Limits limits;
    const SetFunction f = random_function(uniform), g = random_function(uniform), both = convolve(f, g, limits);
    for (Set whole = 0; whole < both.size(); ++whole) {
        double least = infinity;
        for (Set part = 0; part < both.size(); ++part)
            if ((part & whole) == part) least = std::min(least, f[part] + g[whole ^ part]);
        CHECK(both[whole] == least);
        const Set part = least_part(f, g, whole);
        CHECK((part & whole) == part);
        CHECK(f[part] + g[whole ^ part] == least);
    }
}

TEST_CASE("the best partition is a partition, and no division of it in two is better") {
    Uniform uniform(1);
    Limits limits;
    const SetFunction f = random_function(uniform), p = partitions(f, limits);
    for (Set whole = 1; whole < p.size(); ++whole) {
        CHECK(p[whole] <= f[whole]);
        for_each_subset(whole, [&](Set part) { CHECK(p[whole] <= p[part] + p[whole ^ part] + 1e-15); });
        Set together = 0;
        double cost = 0;
        for (const Set part : least_partition(f, p, whole)) {
            CHECK((together & part) == 0);
            together |= part;
            cost += f[part];
        }
        CHECK(together == whole);
        CHECK(cost == doctest::Approx(p[whole]));
    }
}

TEST_CASE("the traits of copies are what their activations do") {
    // One neuron (w, v) and its copy with t = −2 or −1, or 2, compute the same function where the traits say so.
    for (const CopyTraits& copies : copy_table) {
        CAPTURE(copies.name);
        Weights one{Matrix<double>::Constant(1, 1, 0.7), Matrix<double>::Constant(1, 1, 1.3), minima::Vector::Zero(1)};
        for (const double t : {-2.0, -1.0, 2.0}) {
            Weights copy = one;
            copy.incoming *= t;
            copy.outgoing /= copies.on_outgoing(t);
            if (copies.shifts_outputs && t < 0) copy.output[0] = -copy.outgoing(0, 0);  // C = 1
            const bool allowed = (t > 0 || copies.signs) && (std::abs(t) == 1 || copies.scales);
            double difference = 0;
            for (const double x : {-1.5, -0.4, 0.3, 2.0}) {
                const minima::Vector at = minima::Vector::Constant(1, x);
                difference = std::max(difference, (outputs_of(one, at, copies) - outputs_of(copy, at, copies)).norm());
            }
            CHECK((difference < 1e-14) == allowed);
        }
    }
}

TEST_CASE("the nearest minimum is the best of all assignments, and computes the teacher") {
    constexpr int inputs = 2, outputs = 2, teachers = 2, neurons = 5;
    for (const CopyTraits& copies : copy_table)
        for (const bool output_bias : {true, false})
            for (std::uint64_t seed = 0; seed < 3; ++seed) {
                const Geometry geometry = random_geometry(copies, teachers, inputs, outputs, output_bias);
                const Weights start = random_start(seed, neurons, inputs, outputs, output_bias);
                const Parts parts(geometry, start);
                const double least = std::sqrt(least_over_roles(parts));
                const Found found = nearest(geometry, start, Options{});
                CAPTURE(copies.name);
                CAPTURE(output_bias);
                CAPTURE(seed);
                CHECK(found.distance == doctest::Approx(least).epsilon(1e-9));
                CHECK(found.lower_bound <= least * (1 + 1e-12));
                CHECK(found.lower_bound >= least * (1 - 2e-9));
                // A search that is cut off holds its bound.
                const Found early = nearest(geometry, start, Options{1e-9, 0, infinity, {}});
                CHECK(early.lower_bound <= least * (1 + 1e-12));
                CHECK(early.distance >= least * (1 - 1e-12));
                const Weights teacher{geometry.incoming, geometry.outgoing, minima::Vector::Zero(outputs)};
                Uniform uniform(seed);
                for (const Found* each : {&found, &early})
                    for (int sample = 0; sample < 5; ++sample) {
                        const minima::Vector x = random_matrix(uniform, inputs, 1).col(0);
                        CHECK((outputs_of(each->minimum.weights, x, copies) - outputs_of(teacher, x, copies)).norm() <
                              1e-12);
                    }
            }
}

TEST_CASE("the cost of a zero group is its distance at the n that is given, and the least over all n") {
    constexpr int neurons = 4;
    for (const CopyTraits& copies : copy_table) {
        const Geometry geometry = random_geometry(copies, 1, 3, 2);
        const Weights start = random_start(5, neurons, 3, 2);
        const Parts parts(geometry, start);
        CAPTURE(copies.name);
        for (Set set = 1; set < Set(1) << neurons; ++set) {
            const std::vector<int> members = elements(set);
            if (members.size() < 2) continue;
            const auto [cost, group] = parts.group_cost.best(members);
            if (cost == infinity) continue;  // the least is at a smaller group
            const minima::Vector n = Eigen::Map<const minima::Vector>(group.direction.data(), group.direction.size());
            CHECK(cost == doctest::Approx(distance_to_group(start, members, n, copies.outgoing_signs)));
            Uniform uniform(set);
            for (int trial = 0; trial < 50; ++trial) {
                minima::Vector other = random_matrix(uniform, members.size(), 1).col(0);
                if (!copies.signs) other = other.cwiseAbs();
                if (!copies.scales) other = other.cwiseSign();
                CHECK(cost <= distance_to_group(start, members, other, copies.outgoing_signs) + 1e-12);
            }
        }
    }
}

TEST_CASE("shares add up to no more than any zero group costs") {
    constexpr int neurons = 7;
    for (const CopyTraits& copies : copy_table)
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
            const Geometry geometry = random_geometry(copies, 1, 2, 2);
            const Weights start = random_start(seed, neurons, 2, 2);
            Parts parts(geometry, start);
            const minima::Vector alone = parts.costs.fixed.col(parts.costs.idle);
            const minima::Vector shares = GroupShares(parts.group_cost, alone, parts.limits).shares();
            CAPTURE(copies.name);
            CHECK(shares.sum() > 0);
            for (Set set = 1; set < Set(1) << neurons; ++set) {
                const std::vector<int> members = elements(set);
                double share = 0;
                for (const int k : members) share += shares[k];
                const double least = members.size() == 1 ? alone[members[0]] : parts.group_cost.best(members).first;
                CHECK(share <= least + 1e-12);
            }
        }
}

TEST_CASE("shares hold where mirrored members shift the output bias") {
    constexpr int neurons = 7;
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        const Geometry geometry = random_geometry(traits(CopyKind::mirrored), 1, 2, 2);
        const Weights start = random_start(seed, neurons, 2, 2);
        Parts parts(geometry, start);
        if (seed % 2) parts.bounds.improve(parts.costs.fixed.col(parts.costs.idle));
        const minima::Vector nu = 0.3 * random_start(seed + 100, 1, 1, 2).outgoing.row(0);
        const minima::Vector shares = parts.bounds.shares(elements((Set(1) << neurons) - 1), nu).value;
        for (Set set = 1; set < Set(1) << neurons; ++set) {
            const std::vector<int> members = elements(set);
            double share = 0, least = infinity;
            for (const int k : members) share += shares[k];
            if (members.size() == 1)
                least = parts.costs.alone(members[0]);
            else
                parts.group_cost.for_each_sign(members, Shift(start, nu),
                                               [&](double cost, const ZeroGroup&) { least = std::min(least, cost); });
            CHECK(share <= least + 1e-12);
        }
    }
}

TEST_CASE("a minimum satisfies the equations of its own piece, and a step off it violates them") {
    for (const CopyTraits& copies : copy_table) {
        const Geometry geometry = random_geometry(copies, 2, 3, 2);
        const auto [minimum, distance, lower, nodes] = nearest(geometry, random_start(3, 6, 3, 2), Options{});
        const Piece piece{minimum.teacher, minimum.group, minimum.t};
        CAPTURE(copies.name);
        CHECK(violation(geometry, minimum.weights, piece) < 1e-12);
        Weights off = minimum.weights;
        off.outgoing.array() += 0.1;
        CHECK(violation(geometry, off, piece) > 1e-2);
    }
}

TEST_CASE("distances scale with all weights, to where their squares overflow or underflow") {
    for (const CopyTraits& copies : copy_table) {
        const Geometry geometry = random_geometry(copies, 2, 2, 2);
        const Weights start = random_start(2, 4, 2, 2);
        const double distance = nearest(geometry, start, Options{}).distance;
        CAPTURE(copies.name);
        for (const int exponent : {-600, 600}) {
            const double unit = std::ldexp(1.0, exponent);
            Geometry there = geometry;  // t of constant neurons is fixed here, and has no unit
            there.incoming *= unit;
            there.outgoing *= unit;
            CHECK(nearest(there, in_units_of(unit, start), Options{}).distance / unit ==
                  doctest::Approx(distance).epsilon(1e-9));
        }
    }
}

TEST_CASE("a search that has to end at once has a point and a bound that hold") {
    for (const CopyTraits& copies : copy_table) {
        const Geometry geometry = random_geometry(copies, 2, 2, 2);
        const Weights start = random_start(4, 5, 2, 2);
        const Found exact = nearest(geometry, start, Options{});
        Options now;
        now.time_limit = 1e-300;
        const Found found = nearest(geometry, start, now);
        CAPTURE(copies.name);
        CHECK(found.distance >= exact.lower_bound);
        CHECK(found.lower_bound <= exact.distance);
        CHECK(violation(geometry, found.minimum.weights,
                        {found.minimum.teacher, found.minimum.group, found.minimum.t}) < 1e-12);
    }
}

TEST_CASE("the best bias is found at every scale of biases, where the activation varies on one of size 1") {
    Uniform uniform(7);
    for (const ActivationDescription& each : activation_table) {
        const Properties known = each.properties(each.parameter.value_or(0));
        if (known.exponential || known.power) continue;  // whose neurons are never constant with a free bias
        const Bias plain(Activation{each.kind, each.parameter.value_or(0)}, 1.0, false);
        for (const int exponent : {0, -20, -200, -450, 20, 200}) {
            // Waves that floating-point numbers are too far apart to follow have no least value to be found.
            if (known.phase && exponent < -20) continue;
            const Bias bias = plain.in_units_of(std::ldexp(1.0, exponent));
            CAPTURE(each.name);
            CAPTURE(exponent);
            for (int trial = 0; trial < 20; ++trial) {
                const std::vector<double> draw = uniform.draw<double>(3);
                const double start = 2 * draw[0], limit = bias.largest_q();
                const double mu = std::isinf(limit) ? 3 * draw[1] : std::sqrt(limit) * draw[1];
                const double p = mu * 3 * draw[2], q = mu * mu;
                const auto psi = [&](double x) {
                    const double t = bias.t(x);
                    return (x - start) * (x - start) + (2 * p - q * t) * t;
                };
                Limits limits;
                const Inner inner = bias.minimise(start, p, q, limits);
                const double t = std::abs(inner.t), away = inner.x - start;
                const double rounding =
                    1e-13 * (start * start + away * away + (std::abs(p) + q * t) * std::max(t, 1.0) + q);
                // A search that is cut off has a value below that of its point.
                CHECK(std::abs(psi(inner.x) - inner.value) <= rounding);
                double least = infinity;
                for (int k = -60; k <= 60; ++k)
                    for (const double unit : {std::ldexp(1.0, exponent), std::abs(start), std::abs(away)})
                        for (const double centre : {0.0, start, inner.x})
                            least = std::min(least, psi(centre + 0.05 * k * std::abs(k) * unit));
                CHECK(least >= inner.value - rounding);
            }
        }
    }
}
