// A role for every neuron: what the nearest minimum with these roles costs, and where it is.
//
// With roles given, the pieces of the cost are, for each teacher neuron i with copies S_i,
//
//     Σ_{k∈S_i} ‖w̃_k − s_k w̃*_i‖² + ‖r_i‖²/|S_i|,     r_i = Σ s_k v_k − v*_i
//
// (scaled copies: Coupling with Ray), the zero groups of the idle, and for the output bias
//
//     ‖ρ + Σ_constant t_k v_k‖² / (A + Σ_constant t_k²),
//     ρ = c − c* + C Σ_groups [Σ_mirrored v + |mirrored|/|S| r],     A = 1 + C² Σ_groups |mirrored| |not mirrored| / |S|
//
// where groups are the copies of each teacher neuron and the zero groups: the projection on all constraints at once.
#pragma once

#include "coupling.hpp"
#include "problem.hpp"
#include "zero_groups.hpp"

#include <vector>

namespace hessorbit::minima {

// The nearest minimum with given roles.
struct Placement {
    std::vector<int> role;          // (m)  index into Problem::roles
    std::vector<double> x;          // (m)  scale of a scaled copy, or bias of a constant neuron
    std::vector<ZeroGroup> groups;
    double value = infinity, lower = -infinity;
};

class Assignment {
public:
    Assignment(const Problem& problem, const ZeroGroups& zero_groups) : problem_(problem), zero_groups_(zero_groups) {}

    // The cost of the copies of teacher i, fixed costs aside.
    Certified copies(int i, const std::vector<int>& role, double slack, int max_boxes) const {
        if (problem_.geometry.copies == Copies::scaled) {
            Coupling<Ray> coupling(Ray{}, 1, -problem_.targets.row(i).transpose(), 0);
            for (const int k : members(i, role)) coupling.add(problem_.along(k, i), problem_.start.outgoing.row(k));
            if (members(i, role).empty()) return {infinity, infinity, {}, {}, infinity};
            return coupling.minimise(slack, max_boxes);
        }
        const Sum sum = sum_of(i, role);
        const double value = sum.count ? sum.residual.squaredNorm() / sum.count : infinity;
        return {value, value, {}, {}, value};
    }

    // The cost at the output bias.
    Certified outputs(const std::vector<int>& role, const std::vector<ZeroGroup>& groups, double slack,
                      int max_boxes) const {
        const Geometry& geometry = problem_.geometry;
        Vector residual = problem_.start.output;
        double spare = 1;
        if (geometry.copies == Copies::mirrored) {
            for (int i = 0; i < problem_.teachers(); ++i) sum_of(i, role).join(residual, spare, geometry.mirror);
            for (const ZeroGroup& group : groups) sum_of(group).join(residual, spare, geometry.mirror);
        }
        if (geometry.constants == Constants::none) {
            const double value = residual.squaredNorm() / spare;
            return {value, value, {}, residual / spare, value};
        }
        Coupling<Bias> coupling(*geometry.bias, geometry.bias->largest_q(), residual, spare);
        for (const int k : constants(role)) coupling.add(problem_.bias(k), problem_.start.outgoing.row(k));
        return coupling.minimise(slack, max_boxes);
    }

    // Everything, the zero groups chosen. slack: how far `lower` may stay below `value` where boxes are cut.
    Placement place(const std::vector<int>& role, double slack, int max_boxes) const {
        std::vector<int> idle;
        for (int k = 0; k < problem_.neurons(); ++k)
            if (role[k] == problem_.idle) idle.push_back(k);
        const auto at_outputs = [&](const std::vector<ZeroGroup>& groups) {
            return outputs(role, groups, slack, max_boxes);
        };
        const bool mirrored = problem_.geometry.copies == Copies::mirrored;
        return place(role, zero_groups_.best(idle, mirrored ? at_outputs : ZeroGroups::Outputs{}), slack, max_boxes);
    }

    // The same with the idle as given.
    Placement place(const std::vector<int>& role, const Partition& partition, double slack, int max_boxes) const {
        Placement result;
        result.role = role;
        result.x.assign(role.size(), 0);
        result.groups = partition.groups;
        result.value = partition.value;
        result.lower = partition.lower;
        for (int k = 0; k < problem_.neurons(); ++k) {
            if (role[k] == problem_.idle) continue;
            result.value += problem_.fixed(k, role[k]);
            result.lower += problem_.fixed(k, role[k]);
        }
        for (int i = 0; i < problem_.teachers(); ++i) {
            const Certified part = copies(i, role, slack, max_boxes);
            add(result, part, members(i, role));
            if (result.value == infinity) return {role, result.x, {}, infinity, infinity};
        }
        Certified last = outputs(role, result.groups, slack, max_boxes);
        if (partition.holds_outputs) last.value = last.lower = 0;
        add(result, last, constants(role));
        return result;
    }

    // The nearest minimum itself, and what each neuron does there.
    struct Minimum {
        Weights weights;
        std::vector<int> teacher;   // (m)  of a copy, else −1 silent or in a zero group, −2 off, −3 constant
        std::vector<int> group;     // (m)  number of the zero group, or −1
        std::vector<double> factor; // (m)  t: sign or scale of a copy, output of a constant neuron; in a zero group ±1 or n
    };

    Minimum minimum(const Placement& placement) const;

private:
    // Copies of one teacher neuron, or members of a zero group: what the constraints need to know of them.
    struct Sum {
        Vector residual, mirrored;  // (K)  r, and Σ v of the mirrored
        int count = 0, mirrored_count = 0;

        void join(Vector& rho, double& spare, double mirror) const {
            if (count == 0) return;
            const double m = mirrored_count;
            rho += mirror * (mirrored + m / count * residual);
            spare += mirror * mirror * m * (count - m) / count;
        }

        void add(const Vector& outgoing, double sign) {
            residual += sign * outgoing;
            ++count;
            if (sign > 0) return;
            mirrored += outgoing;
            ++mirrored_count;
        }
    };

    Sum sum_of(int i, const std::vector<int>& role) const {
        Sum sum{-problem_.targets.row(i).transpose(), Vector::Zero(problem_.outputs())};
        for (const int k : members(i, role)) sum.add(problem_.start.outgoing.row(k), problem_.roles[role[k]].sign);
        return sum;
    }

    Sum sum_of(const ZeroGroup& group) const {
        Sum sum{Vector::Zero(problem_.outputs()), Vector::Zero(problem_.outputs())};
        for (std::size_t a = 0; a < group.members.size(); ++a)
            sum.add(problem_.start.outgoing.row(group.members[a]), group.factor[a] < 0 ? -1 : 1);
        return sum;
    }

    std::vector<int> members(int i, const std::vector<int>& role) const {
        std::vector<int> result;
        for (int k = 0; k < problem_.neurons(); ++k)
            if (problem_.roles[role[k]].teacher == i) result.push_back(k);
        return result;
    }

    std::vector<int> constants(const std::vector<int>& role) const {
        std::vector<int> result;
        for (int k = 0; k < problem_.neurons(); ++k)
            if (problem_.roles[role[k]].kind == Role::Kind::constant) result.push_back(k);
        return result;
    }

    static void add(Placement& placement, const Certified& part, const std::vector<int>& neurons) {
        placement.value += part.value;
        placement.lower += part.lower;
        for (std::size_t a = 0; a < part.x.size(); ++a) placement.x[neurons[a]] = part.x[a];
    }

    const Problem& problem_;
    const ZeroGroups& zero_groups_;
};

inline Assignment::Minimum Assignment::minimum(const Placement& placement) const {
    const Geometry& geometry = problem_.geometry;
    const int m = problem_.neurons();
    Minimum result{problem_.start, std::vector<int>(m, -1), std::vector<int>(m, -1), std::vector<double>(m, 0)};
    auto& [weights, teacher, group, factor] = result;
    std::vector<Vector> multiplier(m, Vector::Zero(problem_.outputs()));  // v' = v − multiplier

    // The output bias first: its multiplier enters those of mirrored neurons.
    Vector output = Vector::Zero(problem_.outputs());
    if (geometry.couples_outputs()) {
        Vector residual = problem_.start.output;
        double spare = 1;
        if (geometry.copies == Copies::mirrored) {
            for (int i = 0; i < problem_.teachers(); ++i) sum_of(i, placement.role).join(residual, spare, geometry.mirror);
            for (const ZeroGroup& each : placement.groups) sum_of(each).join(residual, spare, geometry.mirror);
        }
        for (const int k : constants(placement.role)) {
            const double x = placement.x[k], t = geometry.bias->factor(x);
            teacher[k] = -3;
            factor[k] = t;
            weights.incoming.row(k).setZero();
            if (geometry.hidden_bias) weights.incoming(k, weights.incoming.cols() - 1) = x;
            residual += t * problem_.start.outgoing.row(k).transpose();
            spare += t * t;
        }
        output = residual / spare;
        for (const int k : constants(placement.role)) multiplier[k] = factor[k] * output;
        weights.output -= output;
    } else {
        weights.output.setZero();
    }

    for (int i = 0; i < problem_.teachers(); ++i) {
        const std::vector<int> neurons = members(i, placement.role);
        Vector residual = -problem_.geometry.outgoing.row(i).transpose();
        double weight = 0;
        for (const int k : neurons) {
            const double sign = problem_.roles[placement.role[k]].sign;
            teacher[k] = i;
            factor[k] = geometry.copies == Copies::scaled ? placement.x[k] / geometry.incoming.row(i).norm()
                        : geometry.copies == Copies::even ? problem_.along(k, i)
                                                          : sign;
            weights.incoming.row(k) = factor[k] * geometry.incoming.row(i);
            const double t = geometry.copies == Copies::even ? 1 : factor[k];
            residual += t * problem_.start.outgoing.row(k).transpose();
            weight += t * t;
        }
        const Sum sum = sum_of(i, placement.role);
        if (geometry.copies == Copies::mirrored) residual += geometry.mirror * sum.mirrored_count * output;
        for (const int k : neurons) {
            const double t = geometry.copies == Copies::even ? 1 : factor[k];
            multiplier[k] = t * residual / weight;
            if (geometry.copies == Copies::mirrored && t < 0) multiplier[k] += geometry.mirror * output;
        }
    }

    std::vector<char> grouped(m, 0);
    for (std::size_t g = 0; g < placement.groups.size(); ++g) {
        const ZeroGroup& each = placement.groups[g];
        Eigen::RowVectorXd shared = Eigen::RowVectorXd::Zero(weights.incoming.cols());
        Vector residual = Vector::Zero(problem_.outputs());
        int mirrored = 0;
        for (std::size_t a = 0; a < each.members.size(); ++a) {
            const double n = each.factor[a], outer = geometry.copies == Copies::even ? std::abs(n) : n;
            shared += n * problem_.start.incoming.row(each.members[a]);
            residual += outer * problem_.start.outgoing.row(each.members[a]).transpose();
            mirrored += n < 0;
        }
        if (geometry.copies == Copies::mirrored)
            residual += geometry.mirror * mirrored / std::sqrt(double(each.members.size())) * output;
        for (std::size_t a = 0; a < each.members.size(); ++a) {
            const int k = each.members[a];
            const double n = each.factor[a], outer = geometry.copies == Copies::even ? std::abs(n) : n;
            grouped[k] = 1;
            group[k] = static_cast<int>(g);
            factor[k] = geometry.copies == Copies::scaled ? n : n < 0 ? -1 : 1;
            weights.incoming.row(k) = n * shared;
            multiplier[k] = outer * residual;
            if (geometry.copies == Copies::mirrored && n < 0) multiplier[k] += geometry.mirror * output;
        }
    }

    for (int k = 0; k < m; ++k) {
        if (placement.role[k] != problem_.idle || grouped[k]) continue;
        if (problem_.off_cost(k) < problem_.silent_cost(k)) {
            teacher[k] = -2;
            const double b = problem_.bias(k);
            weights.incoming.row(k).setZero();
            if (geometry.off == Off::half_line && geometry.hidden_bias)
                weights.incoming(k, weights.incoming.cols() - 1) = std::min(b, 0.0);
        } else {
            weights.outgoing.row(k).setZero();
        }
    }
    for (int k = 0; k < m; ++k) weights.outgoing.row(k) -= multiplier[k].transpose();
    return result;
}

}  // namespace hessorbit::minima
