// The nearest minimum by branch and bound over the roles of all neurons, and over how many copies a teacher neuron has.
//
// Nodes are opened in order of their bound (Dual). A node is closed when its bound reaches the best distance² known,
// or its roles are decided; roles whose cost exceeds the least by more than what is left of the gap are struck out.
// Where the expected number of copies of a teacher neuron is far from an integer, the branch is on that number: with
// many nearly equal neurons, numbers decide and roles do not. Otherwise it is on the neuron most torn between roles.
// Where the tree of a small student has grown large, sets of neurons are tabulated instead (Exhaustion).
#pragma once

#include "assignment.hpp"
#include "dual.hpp"
#include "exhaustion.hpp"
#include "local_search.hpp"
#include "../kernel/interruption.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <queue>
#include <utility>
#include <vector>

namespace hessorbit::minima {

struct Options {
    double gap_tolerance = 1e-9;   // of the distance²: how far the bound may stay below it
    int64_t max_nodes = 10000;     // and assignments looked at
    double time_limit = infinity;  // seconds after which the search ends
    // Asked every now and then, where there is one; ends the search, before its first point by throwing Interrupted.
    std::function<bool()> stop;
};

struct Nearest {
    Assignment::Minimum minimum;
    double value, lower;  // distance²
    int64_t nodes;
};

class Search {
public:
    Search(const RoleCosts& costs, const Options& options)
        : costs_(costs), options_(options), limits_(options.time_limit, options.stop), group_cost_(costs),
          bounds_(group_cost_, limits_), partition_(group_cost_, bounds_, limits_),
          assignment_(costs, partition_, limits_), dual_(costs, bounds_, limits_) {}

    Nearest run() {
        try {
            best_ = first();
        } catch (const Ended&) {
            throw Interrupted();
        }
        try {
            search();
        } catch (const Ended&) {
            close(under_way_);
            if (!open_.empty()) close(open_.top().bound);
        }
        // At a minimum itself rounding may leave less than nothing.
        const double value = std::max(best_.value, 0.0);
        return {assignment_.minimum(best_), value, std::clamp(lower_, 0.0, value), nodes_};
    }

private:
    struct LowestBoundFirst {
        bool operator()(const Node& a, const Node& b) const {
            return a.bound != b.bound ? a.bound > b.bound : a.order < b.order;
        }
    };

    static constexpr int max_boxes = 4000;
    static constexpr int64_t least_looks = 1000;  // at assignments; few against the tables

    // Every neuron in its cheapest role, alone if idle, and none joins the sum at the output bias: what is found at
    // once, for which there is always time.
    Placement first() {
        Limits unhurried(infinity, options_.stop);
        const Assignment assignment(costs_, partition_, unhurried);
        Matrix<double> fixed = costs_.fixed;
        for (int o = 0; o < costs_.num_roles(); ++o)
            if (costs_.joins_outputs(costs_.roles[o]) != 0) fixed.col(o).setConstant(infinity);
        const std::vector<int> role = LocalSearch(costs_, assignment, std::move(fixed), unhurried).cheapest();
        return assignment.place(role, partition_.given(role, {}), 0, 0);
    }

    void search() {
        Node root = dual_.root();
        under_way_ = dual_.first_bound(root);
        hoped_ = bounds_.hoped();
        improve(LocalSearch(costs_, assignment_, costs_.fixed, limits_).cheapest());
        if (costs_.neurons() > Exhaustion::most_neurons && costs_.fixed.col(costs_.idle) != hoped_)
            bounds_.improve(costs_.fixed.rowwise().minCoeff());
        look_at(std::move(root));
        under_way_ = infinity;
        bool stopped = false;
        while (!open_.empty() && open_.top().bound < cutoff() && nodes_ < worth_exhausting()) {
            limits_.check();
            stopped = nodes_ >= options_.max_nodes;
            if (stopped) break;
            const Node node = open_.top();
            open_.pop();
            under_way_ = node.bound;
            for (Node& child : branch(node)) look_at(std::move(child));
            under_way_ = infinity;
        }
        if (!open_.empty()) close(open_.top().bound);
        // The tree has grown large, or the minima of some of its leaves are not known exactly.
        if (!stopped && lower_ < cutoff() && worth_exhausting() <= options_.max_nodes) exhaust();
    }

    void look_at(Node node) {
        if (!consistent(node)) return;
        ++nodes_;
        dual_.raise(node, best_.value, cutoff(), std::isinf(node.bound) ? 150 : 40);
        node.bound = std::max(node.bound, dual_.bound());
        if (node.bound >= cutoff()) return close(node.bound);
        improve_from_probabilities();
        strike_out(node);
        if (node.bound >= cutoff()) return close(node.bound);
        if (decided(node)) return close_decided(node);
        choose_branch(node);
        node.order = nodes_;
        open_.push(std::move(node));
    }

    double slack_of(double value) const { return options_.gap_tolerance * value + 1e-13 * costs_.scale; }
    double slack() const { return slack_of(best_.value); }
    double cutoff() const { return best_.value - slack(); }
    void close(double bound) { lower_ = std::min(lower_, bound); }

    bool allowed(const Node& node, int k, int o) const { return node.allowed[k * costs_.num_roles() + o]; }

    // Whether the numbers of copies can be reached with the roles left.
    bool consistent(const Node& node) {
        int fewest = 0;
        for (int i = 0; i < costs_.teachers(); ++i) {
            int possible = 0, certain = 0;
            for (int k = 0; k < costs_.neurons(); ++k) {
                limits_.poll();
                bool can = false, must = true;
                for (int o = 0; o < costs_.num_roles(); ++o)
                    if (allowed(node, k, o)) (costs_.roles[o].teacher == i ? can = true : must = false);
                possible += can;
                certain += can && must;
            }
            if (possible < node.fewest[i] || certain > node.most[i]) return false;
            fewest += node.fewest[i];
        }
        return fewest <= costs_.neurons();
    }

    void strike_out(Node& node) {
        for (int k = 0; k < costs_.neurons(); ++k) {
            const double least = dual_.costs().row(k).minCoeff();
            for (int o = 0; o < costs_.num_roles(); ++o) {
                if (!allowed(node, k, o)) continue;
                const double without = dual_.bound() + dual_.costs()(k, o) - least;
                if (without < cutoff()) continue;
                node.allowed[k * costs_.num_roles() + o] = 0;
                close(without);
            }
        }
    }

    bool decided(const Node& node) const {
        for (int k = 0; k < costs_.neurons(); ++k) {
            int left = 0;
            for (int o = 0; o < costs_.num_roles(); ++o) left += allowed(node, k, o);
            if (left > 1) return false;
        }
        return true;
    }

    void close_decided(const Node& node) {
        std::vector<int> role(costs_.neurons());
        for (int k = 0; k < costs_.neurons(); ++k)
            for (int o = 0; o < costs_.num_roles(); ++o)
                if (allowed(node, k, o)) role[k] = o;
        const Placement placement = assignment_.place(role, slack() / 4, max_boxes);
        close(std::max(placement.lower, node.bound));
        if (placement.value < best_.value) best_ = placement;
    }

    // Tables over all sets of neurons take about as long as this many nodes; assignments that mirrored copies leave to
    // be looked at come on top.
    int64_t worth_exhausting() const {
        const int m = costs_.neurons();
        return m > Exhaustion::most_neurons ? std::numeric_limits<int64_t>::max() : std::llround(std::pow(3.0, m - 10));
    }

    // Settles all assignments, unless there are too many or the search has to end.
    void exhaust() {
        Node root = dual_.root();
        under_way_ = lower_;
        dual_.raise(root, best_.value, cutoff(), 150);
        strike_out(root);
        Exhaustion exhaustion(
            group_cost_, partition_, assignment_, dual_, root, best_, nodes_, std::max(options_.max_nodes, least_looks),
            [&](double value) { return slack_of(value); }, limits_);
        try {
            lower_ = std::max(lower_, exhaustion.run());
        } catch (const Ended&) {
            lower_ = std::max(lower_, exhaustion.bound());
        }
        under_way_ = infinity;
    }

    // The branch is kept in the node until it is opened: a teacher neuron and a number, or a neuron.
    void choose_branch(Node& node) const {
        const Matrix<double>& p = dual_.probabilities();
        const int roles = costs_.num_roles();
        node.branch = {};
        double most = 0.1;
        for (int i = 0; i < costs_.teachers(); ++i) {
            if (node.fewest[i] == node.most[i]) continue;
            double copies = 0;
            for (int o = 0; o < roles; ++o)
                if (costs_.roles[o].teacher == i) copies += p.col(o).sum();
            const double torn = std::abs(copies - std::round(copies));
            if (!(torn > most)) continue;
            most = torn;
            node.branch = {i, -1, std::clamp(static_cast<int>(std::floor(copies)), node.fewest[i], node.most[i] - 1)};
        }
        if (node.branch.teacher >= 0) return;
        double torn = -1;
        for (int k = 0; k < costs_.neurons(); ++k) {
            double first = -1, second = -1;
            int left = 0;
            for (int o = 0; o < roles; ++o) {
                if (!allowed(node, k, o)) continue;
                ++left;
                if (p(k, o) > first)
                    second = std::exchange(first, p(k, o));
                else
                    second = std::max(second, p(k, o));
            }
            // Where nothing is known of the probabilities, any neuron will do that has a choice.
            if (left < 2 || (node.branch.neuron >= 0 && !(second > torn))) continue;
            torn = second;
            node.branch = {-1, k, 0};
        }
    }

    std::vector<Node> branch(const Node& node) const {
        std::vector<Node> children;
        if (node.branch.teacher >= 0) {
            for (const bool few : {true, false}) {
                Node child = node;
                (few ? child.most : child.fewest)[node.branch.teacher] = node.branch.number + !few;
                children.push_back(std::move(child));
            }
            return children;
        }
        const int k = node.branch.neuron, roles = costs_.num_roles();
        for (int o = 0; o < roles; ++o) {
            if (!allowed(node, k, o)) continue;
            Node child = node;
            for (int other = 0; other < roles; ++other) child.allowed[k * roles + other] = other == o;
            children.push_back(std::move(child));
        }
        return children;
    }

    // Candidates for the minimum.

    void improve_from_probabilities() {
        std::vector<int> role(costs_.neurons());
        for (int k = 0; k < costs_.neurons(); ++k) dual_.probabilities().row(k).maxCoeff(&role[k]);
        // A full local search costs more than a node: the more nodes there have been, the rarer.
        if ((nodes_ & (nodes_ - 1)) == 0) improve(role);
    }

    // Idle neurons count as well off as they may be in zero groups, and as alone. With very many neurons there are
    // partners for all, and only the former is worth its time.
    void improve(const std::vector<int>& role) {
        improve(role, hoped_);
        const Vector alone = costs_.fixed.col(costs_.idle);
        if (alone != hoped_ && costs_.neurons() <= 64) improve(role, alone);
    }

    void improve(std::vector<int> role, const Vector& idle) {
        Matrix<double> fixed = costs_.fixed;
        fixed.col(costs_.idle) = idle;
        LocalSearch(costs_, assignment_, std::move(fixed), limits_).run(role);
        const Placement placement = assignment_.place(role, slack() / 4, max_boxes);
        if (placement.value < best_.value) best_ = placement;
    }

    const RoleCosts& costs_;
    Options options_;
    Limits limits_;
    GroupCost group_cost_;
    GroupBounds bounds_;
    GroupPartition partition_;
    Assignment assignment_;
    Dual dual_;
    Vector hoped_;  // (m)  what the idle may cost in zero groups of two
    Placement best_;
    std::priority_queue<Node, std::vector<Node>, LowestBoundFirst> open_;
    double lower_ = infinity;       // of all nodes that are closed
    double under_way_ = -infinity;  // of those that are being looked at
    int64_t nodes_ = 0;
};

}  // namespace hessorbit::minima
