// Idle neurons, divided into zero groups and lone ones at least cost.
//
// Few neurons that hang together (GroupCost::linked) are divided in all ways; more are gathered greedily, and their
// cost is bounded by shares (GroupBounds). Where mirrored members shift the output bias the groups matter there too.
#pragma once

#include "coupling.hpp"
#include "group_bounds.hpp"

#include <functional>
#include <map>
#include <vector>

namespace hessorbit::minima {

struct Partition {
    std::vector<ZeroGroup> groups;  // of two members and more; the other idle neurons are alone
    double value = infinity;        // all idle costs, and where mirrored members shift the output bias, those there
    double lower = infinity;
    bool holds_outputs = false;  // whether these are counted
};

class GroupPartition {
public:
    // The cost at the output bias, given the groups.
    using Outputs = std::function<Certified(const std::vector<ZeroGroup>&)>;

    GroupPartition(const GroupCost& cost, const GroupBounds& bounds, Limits& limits)
        : costs_(cost.role_costs()), cost_(cost), bounds_(bounds), limits_(limits) {}

    // The best partition of `members`. `outputs` is empty unless the groups matter there.
    Partition best(const std::vector<int>& members, const Outputs& outputs) const {
        Partition result;
        result.value = result.lower = 0;
        if (!outputs) {
            const Shift none(costs_.start);
            for (const std::vector<int>& component : cost_.components(members, none, limits_))
                add(result, divided(component, none, {}, 0));
            return result;
        }
        // Any partition costs at least the dual at the multiplier that is best without groups: unless that falls below
        // the cost without groups, there are none. (Where only groups can meet the constraint, that multiplier is 0.)
        const Certified without = outputs({});
        const Shift shift(costs_.start, costs_.geometry.mirror * without.multiplier);
        const bool lone = members.size() < 2 || (without.value < infinity &&
                                                 cost_.components(members, shift, limits_).size() == members.size());
        if (lone) {
            for (const int k : members) result.value += costs_.alone(k);
            result.lower = result.value + without.lower;
            result.value += without.value;
        } else {
            result = divided(members, shift, outputs, without.dual);
        }
        result.holds_outputs = true;
        return result;
    }

    // What these zero groups cost together with the idle that are in none.
    Partition given(const std::vector<int>& role, const std::vector<ZeroGroup>& groups) const {
        const Shift none(costs_.start);
        Partition result{groups, 0, 0, false};
        std::vector<char> grouped(role.size(), 0);
        for (const ZeroGroup& group : groups) {
            std::vector<double> sign;
            for (const double n : group.direction) sign.push_back(n < 0 ? -1 : 1);
            for (const int k : group.members) grouped[k] = 1;
            result.value += cost_(group.members, sign, none).first;
        }
        for (int k = 0; k < costs_.neurons(); ++k)
            if (role[k] == costs_.idle && !grouped[k]) result.value += costs_.alone(k);
        result.lower = result.value;
        return result;
    }

private:
    static constexpr std::size_t largest_enumerated = 8;
    static constexpr int most_sweeps = 100;  // some ten are usual

    // One group, or one neuron alone.
    struct Cluster {
        std::vector<int> members;
        std::vector<double> sign;
        double cost;
    };

    static void add(Partition& whole, const Partition& part) {
        whole.groups.insert(whole.groups.end(), part.groups.begin(), part.groups.end());
        whole.value += part.value;
        whole.lower += part.lower;
    }

    Partition divided(const std::vector<int>& members, const Shift& shift, const Outputs& outputs, double dual) const {
        if (members.size() == 1) return {{}, costs_.alone(members[0]), costs_.alone(members[0]), false};
        return members.size() <= largest_enumerated ? enumerate(members, shift, outputs, dual)
                                                    : gather(members, shift, outputs, dual);
    }

    double group_cost(const std::vector<int>& members, const std::vector<double>& sign, const Shift& shift) const {
        return members.size() == 1 ? costs_.alone(members[0]) : cost_(members, sign, shift).first;
    }

    // All partitions of up to largest_enumerated neurons, with all signs.
    Partition enumerate(const std::vector<int>& component, const Shift& shift, const Outputs& outputs,
                        double dual) const {
        Partition best;
        std::vector<std::vector<int>> members;
        std::vector<std::vector<double>> sign;
        std::map<std::pair<std::vector<int>, std::vector<double>>, double> known;  // costs that take an eigenvalue
        const auto cost = [&](std::size_t g) {
            if (members[g].size() == 1 || !cost_.copies().scales) return group_cost(members[g], sign[g], shift);
            const auto [entry, is_new] = known.try_emplace({members[g], sign[g]}, 0);
            if (is_new) entry->second = group_cost(members[g], sign[g], shift);
            return entry->second;
        };
        const auto offer = [&] {
            limits_.poll();
            double value = dual;
            for (std::size_t g = 0; g < members.size(); ++g) value += cost(g);
            if (value >= best.value) return;  // a lower bound where there are outputs
            std::vector<ZeroGroup> groups = chosen(members, sign, shift);
            if (outputs) {
                const Certified at_outputs = outputs(groups);
                const double idle = idle_cost(members, sign);
                best.lower = std::min(best.lower, idle + at_outputs.lower);
                value = idle + at_outputs.value;
            } else {
                best.lower = value;
            }
            if (value < best.value) best = {std::move(groups), value, best.lower, false};
        };
        const std::function<void(std::size_t)> place = [&](std::size_t next) {
            if (next == component.size()) return offer();
            for (std::size_t g = 0; g < members.size(); ++g)
                for (const double s : {1.0, -1.0}) {
                    if (s < 0 && !cost_.copies().signs) continue;
                    members[g].push_back(component[next]);
                    sign[g].push_back(s);
                    place(next + 1);
                    members[g].pop_back();
                    sign[g].pop_back();
                }
            members.push_back({component[next]});
            sign.push_back({1.0});
            place(next + 1);
            members.pop_back();
            sign.pop_back();
        };
        place(0);
        return best;
    }

    std::vector<ZeroGroup> chosen(const std::vector<std::vector<int>>& members,
                                  const std::vector<std::vector<double>>& sign, const Shift& shift) const {
        std::vector<ZeroGroup> groups;
        for (std::size_t g = 0; g < members.size(); ++g)
            if (members[g].size() > 1) groups.push_back({members[g], cost_(members[g], sign[g], shift).second});
        return groups;
    }

    // What the groups cost by themselves, without a shift.
    double idle_cost(const std::vector<std::vector<int>>& members, const std::vector<std::vector<double>>& sign) const {
        const Shift none(costs_.start);
        double sum = 0;
        for (std::size_t g = 0; g < members.size(); ++g)
            if (!members[g].empty()) sum += group_cost(members[g], sign[g], none);
        return sum;
    }

    // Two clusters made one, the second with sign s on it where that is better.
    Cluster joined(const Cluster& a, const Cluster& b, const Shift& shift) const {
        limits_.poll();
        Cluster best{{}, {}, infinity};
        if (cost_.copies().scales && a.members.size() + b.members.size() > largest_enumerated) return best;
        for (const double s : {1.0, -1.0}) {
            if (s < 0 && !cost_.copies().signs) continue;
            Cluster both = a;
            both.members.insert(both.members.end(), b.members.begin(), b.members.end());
            for (const double t : b.sign) both.sign.push_back(s * t);
            both.cost = cost_(both.members, both.sign, shift).first;
            if (both.cost < best.cost) best = std::move(both);
        }
        return best;
    }

    Cluster lone(int k) const { return {{k}, {1.0}, costs_.alone(k)}; }

    Cluster without(const Cluster& cluster, std::size_t a, const Shift& shift) const {
        Cluster rest = cluster;
        rest.members.erase(rest.members.begin() + a);
        rest.sign.erase(rest.sign.begin() + a);
        rest.cost = rest.members.empty() ? 0 : group_cost(rest.members, rest.sign, shift);
        return rest;
    }

    // Moves a member to another cluster, or exchanges two, as long as that is cheaper.
    void rearrange(std::vector<Cluster>& clusters, const Shift& shift) const {
        const double enough = 1e-12 * costs_.scale;
        const auto move = [&](std::size_t a, std::size_t b) {
            for (std::size_t i = 0; i < clusters[a].members.size(); ++i) {
                const Cluster left = without(clusters[a], i, shift), one = lone(clusters[a].members[i]);
                const Cluster more = clusters[b].members.empty() ? one : joined(clusters[b], one, shift);
                if (left.cost + more.cost < clusters[a].cost + clusters[b].cost - enough) {
                    clusters[a] = left;
                    clusters[b] = more;
                    return true;
                }
                for (std::size_t j = 0; a < b && j < clusters[b].members.size(); ++j) {
                    const Cluster other = lone(clusters[b].members[j]), rest = without(clusters[b], j, shift);
                    const Cluster first = left.members.empty() ? other : joined(left, other, shift);
                    if (first.cost >= clusters[a].cost + clusters[b].cost - enough) continue;
                    const Cluster second = rest.members.empty() ? one : joined(rest, one, shift);
                    if (first.cost + second.cost >= clusters[a].cost + clusters[b].cost - enough) continue;
                    clusters[a] = first;
                    clusters[b] = second;
                    return true;
                }
            }
            return false;
        };
        bool moved = true;
        for (int sweep = 0; sweep < most_sweeps && moved; ++sweep) {
            moved = false;
            for (std::size_t a = 0; a < clusters.size(); ++a)
                for (std::size_t b = 0; b < clusters.size(); ++b)
                    if (a != b && !clusters[a].members.empty()) moved |= move(a, b);
        }
    }

    // Too many for all partitions: join the two clusters that gain most, as long as any two do. Bounded by shares.
    Partition gather(const std::vector<int>& component, const Shift& shift, const Outputs& outputs, double dual) const {
        std::vector<Cluster> clusters;
        for (const int k : component) clusters.push_back(lone(k));
        const auto gain = [&](std::size_t a, std::size_t b) {
            return clusters[a].cost + clusters[b].cost - joined(clusters[a], clusters[b], shift).cost;
        };
        const std::size_t count = clusters.size();
        Eigen::MatrixXd gains = Eigen::MatrixXd::Constant(count, count, -infinity);  // of joining a < b
        for (std::size_t a = 0; a < count; ++a)
            for (std::size_t b = a + 1; b < count; ++b) gains(a, b) = gain(a, b);
        for (Index a, b; gains.maxCoeff(&a, &b) > 1e-14 * costs_.scale;) {
            clusters[a] = joined(clusters[a], clusters[b], shift);
            gains.row(b).setConstant(-infinity);
            gains.col(b).setConstant(-infinity);
            clusters[b] = {{}, {}, 0};
            for (Index other = 0; other < static_cast<Index>(count); ++other)
                if (other != a && !clusters[other].members.empty())
                    gains(std::min(a, other), std::max(a, other)) = gain(std::min(a, other), std::max(a, other));
        }
        rearrange(clusters, shift);
        std::vector<std::vector<int>> members;
        std::vector<std::vector<double>> sign;
        for (Cluster& cluster : clusters) {
            members.push_back(std::move(cluster.members));
            sign.push_back(std::move(cluster.sign));
        }
        Partition result{chosen(members, sign, shift), idle_cost(members, sign), dual, false};
        if (outputs) result.value += outputs(result.groups).value;
        const Shares least = bounds_.shares(component, shift.nu);
        for (const int k : component) result.lower += least.value[k];
        return result;
    }

    const RoleCosts& costs_;
    const GroupCost& cost_;
    const GroupBounds& bounds_;
    Limits& limits_;
};

}  // namespace hessorbit::minima
