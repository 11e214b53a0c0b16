// The nearest minimum of a small student, by dynamic programming over sets of neurons.
//
// What the copies of teacher neuron i cost depends on which they are, S_i; so it is with the idle, Z, and their best
// partition into zero groups, and with the constant neurons, T, and the output bias. The distance² is
//
//     min over disjoint S_1, …, S_r, Z, T that hold every neuron, of  Σ_i f_i(S_i) + g(Z) + h(T),
//
// for which sets take r 3^m steps where assignments take r^m. The tables (SetCosts) may be known from below only: then
// f_i and h of the best assignment are computed to the end (Coupling) and the best assignment is sought again, until
// there is nothing left to raise.
//
// Mirrored copies (σ(−z) = C − σ(z)) tie the sets to each other at the output bias. A multiplier of it unties them, and
// makes bounds of the costs: every assignment whose bound is below the best point known is then looked at.
#pragma once

#include "dual.hpp"
#include "set_costs.hpp"

#include <functional>
#include <utility>
#include <vector>

namespace hessorbit::minima {

class Exhaustion {
public:
    static constexpr int most_neurons = 20;  // tables of 2²⁰ numbers

    // `dual` has been raised at `root`, whose roles may have been struck out. Every assignment that is looked at adds
    // to `looked_at`, which may come to `most_looks`. After Ended bound() holds what is known.
    Exhaustion(const GroupCost& group_cost, const GroupPartition& partition, const Assignment& assignment,
               const Dual& dual, const Node& root, Placement& best, int64_t& looked_at, int64_t most_looks,
               std::function<double(double)> slack, Limits& limits)
        : costs_(group_cost.role_costs()), group_cost_(group_cost), partition_(partition), assignment_(assignment),
          best_(best), looked_at_(looked_at), most_looks_(most_looks), slack_(std::move(slack)), limits_(limits),
          output_multiplier_(dual.output_multiplier()), sets_(group_cost, assignment, excess(costs_, dual, root),
                                                              cutoff() - dual.bound(), output_multiplier_, limits) {}

    // Improves `best`, and returns a lower bound on all assignments.
    double run() {
        for (int i = 0; i < costs_.teachers(); ++i) copies_.push_back(sets_.copies(i));
        group_ = sets_.zero_group();
        others_ = {partitions(group_, limits_)};
        for (const SetFunction& f : copies_) others_.push_back(convolve(f, others_.back(), limits_));
        return costs_.copies().shifts_outputs ? look_at_all_below() : refine();
    }

    // A lower bound on all assignments, also where run() did not come to its end.
    double bound() const { return std::min(bound_, cutoff()); }

private:
    static constexpr int max_boxes = 4000;

    static Matrix<double> excess(const RoleCosts& costs, const Dual& dual, const Node& root) {
        Matrix<double> result = dual.costs();
        for (int k = 0; k < costs.neurons(); ++k) {
            result.row(k).array() -= dual.costs().row(k).minCoeff();
            for (int o = 0; o < costs.num_roles(); ++o)
                if (!root.allowed[k * costs.num_roles() + o]) result(k, o) = infinity;
        }
        return result;
    }

    Set all() const { return static_cast<Set>(group_.size() - 1); }
    int constant() const { return costs_.num_roles() - 1; }
    double slack() const { return slack_(best_.value); }
    double cutoff() const { return best_.value - slack(); }

    // Returns the assignment's own lower bound.
    double look_at(const std::vector<int>& role, const std::vector<ZeroGroup>& groups) {
        limits_.check();
        if (looked_at_ >= most_looks_) throw Ended{};
        ++looked_at_;
        const Placement placement = assignment_.place(role, partition_.given(role, groups), slack() / 4, max_boxes);
        if (placement.value < best_.value) best_ = placement;
        return placement.lower;
    }

    // A neuron set of each kind, and the zero groups.
    struct Division {
        Set constant;
        std::vector<Set> copies, groups;
    };

    Division least(const SetFunction& constants) const {
        Division result{least_part(constants, others_.back(), all()), std::vector<Set>(costs_.teachers()), {}};
        Set rest = all() ^ result.constant;
        for (int i = costs_.teachers(); i-- > 0;) {
            result.copies[i] = least_part(copies_[i], others_[i], rest);
            rest ^= result.copies[i];
        }
        result.groups = least_partition(group_, others_[0], rest);
        return result;
    }

    std::vector<int> roles(const Division& division) const {
        std::vector<int> role(costs_.neurons(), costs_.idle);
        for (const int k : elements(division.constant)) role[k] = constant();
        for (int i = 0; i < costs_.teachers(); ++i) {
            const std::vector<int> members = elements(division.copies[i]);
            double least = infinity;
            sets_.for_each_sign(i, members, [&](double cost, const std::vector<int>& chosen) {
                if (!(cost < least)) return;
                least = cost;
                for (std::size_t a = 0; a < members.size(); ++a) role[members[a]] = chosen[a];
            });
        }
        return role;
    }

    std::vector<ZeroGroup> groups(const Division& division) const {
        std::vector<ZeroGroup> result;
        for (const Set set : division.groups)
            if (set & (set - 1)) result.push_back(group_cost_.best(elements(set)).second);
        return result;
    }

    double fixed(const std::vector<int>& role, Set set) const {
        double sum = 0;
        for (const int k : elements(set)) sum += costs_.fixed(k, role[k]);
        return sum;
    }

    double refine() {
        const int r = costs_.teachers();
        SetFunction constants = sets_.no_constants();
        if (costs_.geometry.constants != Constants::none) constants = sets_.constants(output_multiplier_);
        const bool known = !costs_.copies().scales;
        std::vector<std::vector<char>> settled(r + 1, std::vector<char>(group_.size(), known));
        settled[r].assign(group_.size(), costs_.geometry.constants == Constants::none);
        while (true) {
            const Division division = least(constants);
            const double bound = constants[division.constant] + others_.back()[all() ^ division.constant];
            if (bound >= cutoff()) return cutoff();
            bound_ = std::max(bound_, bound);
            const std::vector<int> role = roles(division);
            look_at(role, groups(division));
            bool raised = false;
            if (!std::exchange(settled[r][division.constant], 1)) {
                const Certified output = assignment_.outputs(role, {}, slack() / 4, max_boxes);
                const SetFunction cut = sets_.constants(output.multiplier);
                for (std::size_t set = 0; set < cut.size(); ++set) constants[set] = std::max(constants[set], cut[set]);
                double& cost = constants[division.constant];
                cost = std::max(cost, fixed(role, division.constant) + output.lower);
                raised = true;
            }
            bool changed = false;  // the tables of copies
            for (int i = 0; i < r; ++i) {
                const Set set = division.copies[i];
                if (!std::exchange(settled[i][set], 1)) {
                    double& cost = copies_[i][set];
                    cost = std::max(cost, fixed(role, set) + assignment_.copies(i, role, slack() / 4, max_boxes).lower);
                    changed = true;
                }
                if (changed) others_[i + 1] = convolve(copies_[i], others_[i], limits_);
            }
            if (!raised && !changed) return std::min(bound, cutoff());
        }
    }

    double look_at_all_below() {
        const SetFunction constants = sets_.constants(output_multiplier_);
        const Division division = least(constants);
        bound_ = constants[division.constant] + others_.back()[all() ^ division.constant];
        if (bound_ < cutoff()) look_at(roles(division), groups(division));
        lower_ = infinity;
        std::vector<int> role(costs_.neurons(), costs_.idle);
        for_each_subset(all(), [&](Set set) {
            limits_.poll();
            const Set rest = all() ^ set;
            if (constants[set] + others_.back()[rest] < cutoff())
                with_roles(elements(set), std::vector<int>(costs_.neurons(), constant()), role,
                           [&] { choose_copies(costs_.teachers() - 1, rest, constants[set], role); });
        });
        return std::min(lower_, cutoff());
    }

    template <class Body>
    void with_roles(const std::vector<int>& members, const std::vector<int>& chosen, std::vector<int>& role,
                    Body body) {
        for (std::size_t a = 0; a < members.size(); ++a) role[members[a]] = chosen[a];
        body();
        for (const int k : members) role[k] = costs_.idle;
    }

    // Copies of teacher neurons 0, …, i are yet to be chosen among `whole`; the other neurons cost `cost`.
    void choose_copies(int i, Set whole, double cost, std::vector<int>& role) {
        std::vector<ZeroGroup> groups;
        if (i < 0) return choose_groups(whole, cost, role, groups);
        for_each_subset(whole, [&](Set set) {
            limits_.poll();
            const Set rest = whole ^ set;
            if (!(cost + copies_[i][set] + others_[i][rest] < cutoff())) return;
            const std::vector<int> members = elements(set);
            sets_.for_each_sign(i, members, [&](double own, const std::vector<int>& chosen) {
                if (cost + own + others_[i][rest] < cutoff())
                    with_roles(members, chosen, role, [&] { choose_copies(i - 1, rest, cost + own, role); });
            });
        });
    }

    void choose_groups(Set whole, double cost, const std::vector<int>& role, std::vector<ZeroGroup>& groups) {
        if (whole == 0) {
            if (cost < cutoff()) lower_ = std::min(lower_, std::max(look_at(role, groups), cost));
            return;
        }
        const Set first = whole & -whole;
        for_each_subset(whole ^ first, [&](Set others) {
            limits_.poll();
            const Set set = first | others, rest = whole ^ set;
            if (!(cost + group_[set] + others_[0][rest] < cutoff())) return;
            if (others == 0) return choose_groups(rest, cost + group_[set], role, groups);
            group_cost_.for_each_sign(elements(set), sets_.shift(), [&](double own, const ZeroGroup& group) {
                limits_.poll();
                if (!(cost + own + others_[0][rest] < cutoff())) return;
                groups.push_back(group);
                choose_groups(rest, cost + own, role, groups);
                groups.pop_back();
            });
        });
    }

    const RoleCosts& costs_;
    const GroupCost& group_cost_;
    const GroupPartition& partition_;
    const Assignment& assignment_;
    Placement& best_;
    int64_t& looked_at_;  // assignments
    int64_t most_looks_;
    std::function<double(double)> slack_;
    Limits& limits_;
    Vector output_multiplier_;  // λ_c
    SetCosts sets_;
    std::vector<SetFunction> copies_;  // f_i
    SetFunction group_;                // one zero group
    std::vector<SetFunction> others_;  // [i]: the idle and the copies of teacher neurons before i
    double lower_ = infinity, bound_ = -infinity;
};

}  // namespace hessorbit::minima
