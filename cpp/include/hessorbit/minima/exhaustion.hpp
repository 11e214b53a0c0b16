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

    // `dual` has been raised at `root`, whose roles may have been struck out. Every assignment that is looked at adds to
    // `looked_at`; `poll` may end it all by an exception, after which bound() holds what is known.
    Exhaustion(const Problem& problem, const ZeroGroups& zero_groups, const Assignment& assignment, const Dual& dual,
               const Node& root, Placement& best, int64_t& looked_at,
               std::function<double(double)> slack, const Poll& poll)
        : problem_(problem), zero_groups_(zero_groups), assignment_(assignment), best_(best),
          looked_at_(looked_at), slack_(std::move(slack)), poll_(poll), output_multiplier_(dual.output_multiplier()),
          costs_(problem, zero_groups, assignment, excess(problem, dual, root), cutoff() - dual.bound(),
                 output_multiplier_, poll) {}

    // Improves `best`, and returns a lower bound on all assignments.
    double run() {
        for (int i = 0; i < problem_.teachers(); ++i) copies_.push_back(costs_.copies(i));
        group_ = costs_.zero_group();
        others_ = {partitions(group_, poll_)};
        for (const SetFunction& f : copies_) others_.push_back(convolve(f, others_.back(), poll_));
        return problem_.geometry.copies == Copies::mirrored ? look_at_all_below() : refine();
    }

    // A lower bound on all assignments, also where run() did not come to its end.
    double bound() const { return std::min(bound_, cutoff()); }

private:
    static constexpr int max_boxes = 4000;

    static Matrix<double> excess(const Problem& problem, const Dual& dual, const Node& root) {
        Matrix<double> result = dual.costs();
        for (int k = 0; k < problem.neurons(); ++k) {
            result.row(k).array() -= dual.costs().row(k).minCoeff();
            for (int o = 0; o < problem.num_roles(); ++o)
                if (!root.allowed[k * problem.num_roles() + o]) result(k, o) = infinity;
        }
        return result;
    }

    Set all() const { return static_cast<Set>(group_.size() - 1); }
    int constant() const { return problem_.num_roles() - 1; }
    double slack() const { return slack_(best_.value); }
    double cutoff() const { return best_.value - slack(); }

    // Returns the assignment's own lower bound.
    double look_at(const std::vector<int>& role, const std::vector<ZeroGroup>& groups) {
        if (poll_) poll_();
        ++looked_at_;
        const Placement placement = assignment_.place(role, zero_groups_.partition(role, groups), slack() / 4, max_boxes);
        if (placement.value < best_.value) best_ = placement;
        return placement.lower;
    }

    // A neuron set of each kind, and the zero groups.
    struct Division {
        Set constant;
        std::vector<Set> copies, groups;
    };

    Division least(const SetFunction& constants) const {
        Division result{least_part(constants, others_.back(), all()), std::vector<Set>(problem_.teachers()), {}};
        Set rest = all() ^ result.constant;
        for (int i = problem_.teachers(); i-- > 0;) {
            result.copies[i] = least_part(copies_[i], others_[i], rest);
            rest ^= result.copies[i];
        }
        result.groups = least_partition(group_, others_[0], rest);
        return result;
    }

    std::vector<int> roles(const Division& division) const {
        std::vector<int> role(problem_.neurons(), problem_.idle);
        for (const int k : elements(division.constant)) role[k] = constant();
        for (int i = 0; i < problem_.teachers(); ++i) {
            const std::vector<int> members = elements(division.copies[i]);
            double least = infinity;
            costs_.for_each_sign(i, members, [&](double cost, const std::vector<int>& chosen) {
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
            if (set & (set - 1)) result.push_back(zero_groups_.group(elements(set)));
        return result;
    }

    double fixed(const std::vector<int>& role, Set set) const {
        double sum = 0;
        for (const int k : elements(set)) sum += problem_.fixed(k, role[k]);
        return sum;
    }

    double refine() {
        const int r = problem_.teachers();
        SetFunction constants = costs_.no_constants();
        if (problem_.geometry.constants != Constants::none) constants = costs_.constants(output_multiplier_);
        const bool known = problem_.geometry.copies != Copies::scaled;
        std::vector<std::vector<char>> settled(r + 1, std::vector<char>(group_.size(), known));
        settled[r].assign(group_.size(), problem_.geometry.constants == Constants::none);
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
                const SetFunction cut = costs_.constants(output.multiplier);
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
                if (changed) others_[i + 1] = convolve(copies_[i], others_[i], poll_);
            }
            if (!raised && !changed) return std::min(bound, cutoff());
        }
    }

    double look_at_all_below() {
        const SetFunction constants = costs_.constants(output_multiplier_);
        const Division division = least(constants);
        bound_ = constants[division.constant] + others_.back()[all() ^ division.constant];
        if (bound_ < cutoff()) look_at(roles(division), groups(division));
        lower_ = infinity;
        std::vector<int> role(problem_.neurons(), problem_.idle);
        for_each_subset(all(), [&](Set set) {
            const Set rest = all() ^ set;
            if (constants[set] + others_.back()[rest] < cutoff())
                with_roles(elements(set), std::vector<int>(problem_.neurons(), constant()), role,
                           [&] { choose_copies(problem_.teachers() - 1, rest, constants[set], role); });
        });
        return std::min(lower_, cutoff());
    }

    template <class Body>
    void with_roles(const std::vector<int>& members, const std::vector<int>& chosen, std::vector<int>& role, Body body) {
        for (std::size_t a = 0; a < members.size(); ++a) role[members[a]] = chosen[a];
        body();
        for (const int k : members) role[k] = problem_.idle;
    }

    // Copies of teacher neurons 0, …, i are yet to be chosen among `whole`; the other neurons cost `cost`.
    void choose_copies(int i, Set whole, double cost, std::vector<int>& role) {
        std::vector<ZeroGroup> groups;
        if (i < 0) return choose_groups(whole, cost, role, groups);
        for_each_subset(whole, [&](Set set) {
            const Set rest = whole ^ set;
            if (!(cost + copies_[i][set] + others_[i][rest] < cutoff())) return;
            const std::vector<int> members = elements(set);
            costs_.for_each_sign(i, members, [&](double own, const std::vector<int>& chosen) {
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
            const Set set = first | others, rest = whole ^ set;
            if (!(cost + group_[set] + others_[0][rest] < cutoff())) return;
            if (others == 0) return choose_groups(rest, cost + group_[set], role, groups);
            zero_groups_.for_each_sign(elements(set), costs_.shift(), [&](double own, const ZeroGroup& group) {
                if (!(cost + own + others_[0][rest] < cutoff())) return;
                groups.push_back(group);
                choose_groups(rest, cost + own, role, groups);
                groups.pop_back();
            });
        });
    }

    const Problem& problem_;
    const ZeroGroups& zero_groups_;
    const Assignment& assignment_;
    Placement& best_;
    int64_t& looked_at_;  // assignments
    std::function<double(double)> slack_;
    Poll poll_;
    Vector output_multiplier_;  // λ_c
    SetCosts costs_;
    std::vector<SetFunction> copies_;  // f_i
    SetFunction group_;                // one zero group
    std::vector<SetFunction> others_;  // [i]: the idle and the copies of teacher neurons before i
    double lower_ = infinity, bound_ = -infinity;
};

}  // namespace hessorbit::minima
