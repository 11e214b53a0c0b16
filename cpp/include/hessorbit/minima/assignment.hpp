// A role for every neuron: what the nearest minimum with these roles costs, and where it is.
//
// With roles given, the terms of the cost are, for each teacher neuron i with copies S_i,
//
//     Σ_{k∈S_i} ‖w̃_k − s_k w̃*_i‖² + ‖r_i‖²/|S_i|,     r_i = Σ s_k v_k − v*_i
//
// (scaled copies: Coupling with Ray), the zero groups of the idle, and for the output bias
//
//     ‖ρ + Σ_constant t_k v_k‖² / (A + Σ_constant t_k²),
//     ρ = c − c* + C Σ_groups [Σ_mirrored v + |mirrored|/|S| r],   A = 1 + C² Σ_groups |mirrored| |not mirrored| / |S|
//
// where groups are the copies of each teacher neuron and the zero groups: the projection on all constraints at once.
// (The 1 in A is the output bias; without one it is 0, and where nothing else gives way ρ has to vanish.)
#pragma once

#include "coupling.hpp"
#include "group_partition.hpp"
#include "role_costs.hpp"

#include <vector>

namespace hessorbit::minima {

// The nearest minimum with given roles.
struct Placement {
    std::vector<int> role;  // (m)  index into RoleCosts::roles
    std::vector<double> x;  // (m)  scale of a scaled copy, or bias of a constant neuron
    std::vector<ZeroGroup> groups;
    double value = infinity, lower = -infinity;
};

class Assignment {
public:
    Assignment(const RoleCosts& costs, const GroupPartition& partition, Limits& limits)
        : costs_(costs), partition_(partition), limits_(limits) {
        // Sums of the teacher's weights that are 0 but for the rounding in them.
        for (int i = 0; i < costs.teachers(); ++i)
            negligible_ += 1e-12 * std::abs(costs.geometry.mirror) * costs.geometry.outgoing.row(i).norm();
    }

    // The cost of the copies of teacher i, fixed costs aside.
    Certified copies(int i, const std::vector<int>& role, double slack, int max_boxes) const {
        if (costs_.copies().scales) {
            Coupling<Ray> coupling(Ray{}, 1, -costs_.targets.row(i).transpose(), 0, 0, limits_);
            for (const int k : members(i, role)) coupling.add(costs_.along(k, i), costs_.start.outgoing.row(k));
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
        const Geometry& geometry = costs_.geometry;
        const auto [residual, spare] = joined(role, groups);
        const std::vector<int> neurons = constants(role);
        if (neurons.empty()) {
            if (spare == 0) {
                const double value = residual.norm() > negligible_ ? infinity : 0;
                return {value, value, {}, Vector::Zero(residual.size()), 0};
            }
            const double value = residual.squaredNorm() / spare;
            return {value, value, {}, residual / spare, value};
        }
        Coupling<Bias> coupling(*geometry.bias, geometry.bias->largest_q(), residual, spare, negligible_, limits_);
        for (const int k : neurons) coupling.add(costs_.bias(k), costs_.start.outgoing.row(k));
        return coupling.minimise(slack, max_boxes);
    }

    // Everything, the zero groups chosen. slack: how far `lower` may stay below `value` where boxes are cut.
    Placement place(const std::vector<int>& role, double slack, int max_boxes) const {
        std::vector<int> idle;
        for (int k = 0; k < costs_.neurons(); ++k)
            if (role[k] == costs_.idle) idle.push_back(k);
        const auto at_outputs = [&](const std::vector<ZeroGroup>& groups) {
            return outputs(role, groups, slack, max_boxes);
        };
        const bool matter = costs_.copies().shifts_outputs;
        return place(role, partition_.best(idle, matter ? at_outputs : GroupPartition::Outputs{}), slack, max_boxes);
    }

    // The same with the idle as given.
    Placement place(const std::vector<int>& role, const Partition& partition, double slack, int max_boxes) const {
        Placement result;
        result.role = role;
        result.x.assign(role.size(), 0);
        result.groups = partition.groups;
        result.value = partition.value;
        result.lower = partition.lower;
        for (int k = 0; k < costs_.neurons(); ++k) {
            if (role[k] == costs_.idle) continue;
            result.value += costs_.fixed(k, role[k]);
            result.lower += costs_.fixed(k, role[k]);
        }
        for (int i = 0; i < costs_.teachers(); ++i) {
            const Certified part = copies(i, role, slack, max_boxes);
            add(result, part, members(i, role));
            if (result.value == infinity) return {role, result.x, {}, infinity, infinity};
        }
        if (result.value == infinity) return result;
        Certified last = outputs(role, result.groups, slack, max_boxes);
        if (partition.holds_outputs) last.value = last.lower = 0;
        add(result, last, constants(role));
        return result;
    }

    // The nearest minimum itself, and what each neuron does there.
    struct Minimum {
        Weights weights;
        std::vector<int> teacher;  // (m)  of a copy, else a NeuronRole
        std::vector<int> group;    // (m)  number of the zero group, or −1
        std::vector<double> t;     // (m)  of a copy, the output of a constant neuron; in a zero group ±1 or n
    };

    Minimum minimum(const Placement& placement) const;

private:
    // Copies of one teacher neuron, or members of a zero group: what the constraints need to know of them.
    struct Sum {
        Vector residual, mirrored, residual_of_others;  // (K)  r; Σ v of the mirrored; r without these
        int count = 0, mirrored_count = 0;

        // Where all are mirrored, what they add is −v* to the last bit.
        void join(Vector& rho, double& spare, double mirror) const {
            if (count == 0) return;
            const double m = mirrored_count;
            rho += mirror / count * ((count - m) * mirrored + m * residual_of_others);
            spare += mirror * mirror * m * (count - m) / count;
        }

        void add(const Vector& outgoing, double sign) {
            residual += sign * outgoing;
            ++count;
            if (sign > 0) {
                residual_of_others += outgoing;
                return;
            }
            mirrored += outgoing;
            ++mirrored_count;
        }
    };

    // ρ and A without constant neurons.
    std::pair<Vector, double> joined(const std::vector<int>& role, const std::vector<ZeroGroup>& groups) const {
        std::pair<Vector, double> result{costs_.start.output, costs_.geometry.output_give()};
        if (!costs_.copies().shifts_outputs) return result;
        for (int i = 0; i < costs_.teachers(); ++i)
            sum_of(i, role).join(result.first, result.second, costs_.geometry.mirror);
        for (const ZeroGroup& group : groups) sum_of(group).join(result.first, result.second, costs_.geometry.mirror);
        return result;
    }

    Sum sum_of(int i, const std::vector<int>& role) const {
        const Vector rest = -costs_.targets.row(i).transpose();
        Sum sum{rest, Vector::Zero(costs_.outputs()), rest};
        for (const int k : members(i, role)) sum.add(costs_.start.outgoing.row(k), costs_.roles[role[k]].sign);
        return sum;
    }

    Sum sum_of(const ZeroGroup& group) const {
        const Vector rest = Vector::Zero(costs_.outputs());
        Sum sum{rest, rest, rest};
        for (std::size_t a = 0; a < group.members.size(); ++a)
            sum.add(costs_.start.outgoing.row(group.members[a]), group.direction[a] < 0 ? -1 : 1);
        return sum;
    }

    std::vector<int> members(int i, const std::vector<int>& role) const {
        std::vector<int> result;
        for (int k = 0; k < costs_.neurons(); ++k)
            if (costs_.roles[role[k]].teacher == i) result.push_back(k);
        return result;
    }

    std::vector<int> constants(const std::vector<int>& role) const {
        std::vector<int> result;
        for (int k = 0; k < costs_.neurons(); ++k)
            if (costs_.roles[role[k]].kind == Role::Kind::constant) result.push_back(k);
        return result;
    }

    static void add(Placement& placement, const Certified& part, const std::vector<int>& neurons) {
        placement.value += part.value;
        placement.lower += part.lower;
        for (std::size_t a = 0; a < part.x.size(); ++a) placement.x[neurons[a]] = part.x[a];
    }

    // Lets the neuron of the largest |t| take what rounding has left of Σ t v = target.
    void close(Weights& weights, const std::vector<int>& neurons, const std::vector<double>& t,
               const Vector& target) const {
        std::size_t largest = 0;
        for (std::size_t a = 1; a < neurons.size(); ++a)
            if (std::abs(t[a]) > std::abs(t[largest])) largest = a;
        Vector rest = target;
        for (std::size_t a = 0; a < neurons.size(); ++a)
            if (a != largest) rest -= t[a] * weights.outgoing.row(neurons[a]).transpose();
        weights.outgoing.row(neurons[largest]) = rest / t[largest];
    }

    void place_constants(const Placement& placement, Minimum& result, Vector& multiplier) const;
    void place_copies(int i, const Placement& placement, Minimum& result, const Vector& multiplier) const;
    void place_group(std::size_t g, const Placement& placement, Minimum& result, const Vector& multiplier) const;
    void place_lone(int k, Minimum& result) const;

    const RoleCosts& costs_;
    const GroupPartition& partition_;
    Limits& limits_;
    double negligible_ = 0;
};

inline Assignment::Minimum Assignment::minimum(const Placement& placement) const {
    const int m = costs_.neurons();
    Minimum result{costs_.start, std::vector<int>(m, static_cast<int>(NeuronRole::silent)), std::vector<int>(m, -1),
                   std::vector<double>(m, 0)};
    // The output bias first: its multiplier enters the outgoing weights of mirrored neurons.
    Vector multiplier = Vector::Zero(costs_.outputs());
    result.weights.output.setZero();
    if (costs_.geometry.couples_outputs()) place_constants(placement, result, multiplier);
    for (int i = 0; i < costs_.teachers(); ++i) place_copies(i, placement, result, multiplier);
    for (std::size_t g = 0; g < placement.groups.size(); ++g) place_group(g, placement, result, multiplier);
    for (int k = 0; k < m; ++k)
        if (placement.role[k] == costs_.idle && result.group[k] < 0) place_lone(k, result);
    if (!costs_.geometry.output_bias) return result;
    for (int k = 0; k < m; ++k) {
        const bool constant = result.teacher[k] == static_cast<int>(NeuronRole::constant);
        const bool shifts = costs_.copies().shifts_outputs && !constant && result.t[k] < 0;
        const double joins = constant ? result.t[k] : shifts ? costs_.geometry.mirror : 0;
        if (joins != 0) result.weights.output -= joins * result.weights.outgoing.row(k).transpose();
    }
    return result;
}

// Constant neurons, with v' = v − t μ; μ is the multiplier of the sum at the output bias.
inline void Assignment::place_constants(const Placement& placement, Minimum& result, Vector& multiplier) const {
    auto [residual, spare] = joined(placement.role, placement.groups);
    const std::vector<int> neurons = constants(placement.role);
    for (const int k : neurons) {
        const double x = placement.x[k], t = costs_.geometry.bias->t(x);
        result.teacher[k] = static_cast<int>(NeuronRole::constant);
        result.t[k] = t;
        result.weights.incoming.row(k).setZero();
        if (costs_.geometry.hidden_bias) result.weights.incoming(k, costs_.start.incoming.cols() - 1) = x;
        residual += t * costs_.start.outgoing.row(k).transpose();
        spare += t * t;
    }
    if (spare == 0) return;
    multiplier = residual / spare;
    for (const int k : neurons) result.weights.outgoing.row(k) -= result.t[k] * multiplier.transpose();
}

inline void Assignment::place_copies(int i, const Placement& placement, Minimum& result,
                                     const Vector& multiplier) const {
    const Geometry& geometry = costs_.geometry;
    const CopyTraits& copies = costs_.copies();
    const std::vector<int> neurons = members(i, placement.role);
    std::vector<double> t;  // on outgoing weights
    Vector residual = -geometry.outgoing.row(i).transpose();
    double weight = 0;
    for (const int k : neurons) {
        const double sign = copies.outgoing_signs ? costs_.roles[placement.role[k]].sign : costs_.side(k, i);
        const double size = copies.scales ? placement.x[k] / geometry.incoming.row(i).norm() : 1;
        result.teacher[k] = i;
        result.t[k] = sign * size;
        result.weights.incoming.row(k) = sign * size * geometry.incoming.row(i);
        t.push_back(copies.on_outgoing(sign * size));
        residual += t.back() * costs_.start.outgoing.row(k).transpose();
        weight += t.back() * t.back();
        if (copies.shifts_outputs && sign < 0) residual += geometry.mirror * multiplier;
    }
    for (std::size_t a = 0; a < neurons.size(); ++a) {
        auto outgoing = result.weights.outgoing.row(neurons[a]);
        outgoing -= t[a] / weight * residual.transpose();
        if (copies.shifts_outputs && t[a] < 0) outgoing -= geometry.mirror * multiplier.transpose();
    }
    close(result.weights, neurons, t, geometry.outgoing.row(i).transpose());
}

inline void Assignment::place_group(std::size_t g, const Placement& placement, Minimum& result,
                                    const Vector& multiplier) const {
    const Geometry& geometry = costs_.geometry;
    const CopyTraits& copies = costs_.copies();
    const auto& [neurons, n] = placement.groups[g];
    std::vector<double> outer;  // n as outgoing weights feel it
    Eigen::RowVectorXd shared = Eigen::RowVectorXd::Zero(costs_.start.incoming.cols());
    Vector residual = Vector::Zero(costs_.outputs());
    int mirrored = 0;
    for (std::size_t a = 0; a < neurons.size(); ++a) {
        outer.push_back(copies.on_outgoing(n[a]));
        shared += n[a] * costs_.start.incoming.row(neurons[a]);
        residual += outer[a] * costs_.start.outgoing.row(neurons[a]).transpose();
        mirrored += n[a] < 0;
    }
    if (copies.shifts_outputs) residual += geometry.mirror * mirrored / std::sqrt(double(neurons.size())) * multiplier;
    for (std::size_t a = 0; a < neurons.size(); ++a) {
        const int k = neurons[a];
        result.group[k] = static_cast<int>(g);
        result.t[k] = copies.scales ? n[a] : n[a] < 0 ? -1 : 1;
        result.weights.incoming.row(k) = n[a] * shared;
        result.weights.outgoing.row(k) -= outer[a] * residual.transpose();
        if (copies.shifts_outputs && n[a] < 0)
            result.weights.outgoing.row(k) -= geometry.mirror * multiplier.transpose();
    }
    close(result.weights, neurons, outer, Vector::Zero(costs_.outputs()));
}

// Silent or off, whichever is nearer.
inline void Assignment::place_lone(int k, Minimum& result) const {
    if (!(costs_.off_cost(k) < costs_.silent_cost(k))) {
        result.weights.outgoing.row(k).setZero();
        return;
    }
    result.teacher[k] = static_cast<int>(NeuronRole::off);
    result.weights.incoming.row(k).setZero();
    if (costs_.geometry.off == Off::half_line && costs_.geometry.hidden_bias)
        result.weights.incoming(k, costs_.start.incoming.cols() - 1) = std::min(costs_.bias(k), 0.0);
}

}  // namespace hessorbit::minima
