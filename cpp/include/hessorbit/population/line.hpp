// Rules for integrals over a line against the normal density: ∫ f(t) φ(t) dt ≈ Σ_k weight_k f(t_k).
//
// Every activation is analytic away from z = 0, and its singularities lie close to Re z = 0. So an integrand changes fast
// at known places only, each of a known width. Two rules serve:
//
//     trapezoid   equal steps: converges geometrically where f is analytic beside the whole line
//     panels      Gauss–Legendre on panels that shrink towards the places: also where f has kinks, and where the
//                 places are so narrow that equal steps would be many
#pragma once

#include "../kernel/rows.hpp"
#include "legendre.hpp"

#include <algorithm>
#include <vector>

namespace hessorbit::population {

inline constexpr double pi = std::numbers::pi;

// The normal density.
inline double density(double t) { return std::exp(-t * t / 2) / std::sqrt(2 * pi); }

// Beyond this many standard deviations nothing is left: φ(10) = 8e-23, which even t⁸ does not raise to rounding.
inline constexpr double normal_reach = 10;

// A place where an integrand changes within a width. It is split where the integrand has a kink there.
struct Place {
    double at, width;
    bool split;
};

// What must be integrated: f φ from lower to upper, without steps longer than `longest` in panels, or `step` in equal
// steps; step is 0 where equal steps do not converge.
struct Line {
    double lower, upper, longest, step;
    std::array<Place, 2> places{};
    int count = 0;

    void add(Place place) { places[count++] = place; }
};

struct LineRule {
    std::vector<double> node, weight;

    void clear() { node.clear(), weight.clear(); }
    void add(double t, double w) { node.push_back(t), weight.push_back(w * density(t)); }
    Index size() const { return static_cast<Index>(node.size()); }
};

inline constexpr int panel_points = 16;

inline const Legendre<panel_points> legendre;

// Calls panel(from, to) for panels of [from, to] no longer than `longest`, nor than any place is wide and far.
template <class Panel>
void cut(const Line& line, double from, double to, const Panel& panel) {
    while (from < to) {
        double length = line.longest;
        for (int i = 0; i < line.count; ++i) {
            const double ahead = line.places[i].at - from, width = line.places[i].width;
            length = std::min(length, ahead > 0 ? (width + ahead) / 2 : width - ahead);
        }
        const double end = to - from < 1.25 * length ? to : from + length;
        panel(from, end);
        from = end;
    }
}

template <class Panel>
void for_each_panel(const Line& line, const Panel& panel) {
    std::array<double, 2> splits{line.upper, line.upper};
    for (int i = 0; i < line.count; ++i)
        if (line.places[i].split && line.places[i].at > line.lower && line.places[i].at < line.upper)
            splits[i] = line.places[i].at;
    const auto [first, second] = std::minmax(splits[0], splits[1]);
    cut(line, line.lower, first, panel);
    cut(line, first, second, panel);
    cut(line, second, line.upper, panel);
}

inline void panel_rule(const Line& line, LineRule& rule) {
    rule.clear();
    for_each_panel(line, [&](double from, double to) {
        const double middle = (from + to) / 2, half = (to - from) / 2;
        for (int i = 0; i < panel_points; ++i) rule.add(middle + half * legendre.node[i], half * legendre.weight[i]);
    });
}

inline void equal_rule(const Line& line, LineRule& rule) {
    rule.clear();
    const Index count = static_cast<Index>(std::ceil((line.upper - line.lower) / line.step));
    const double step = (line.upper - line.lower) / count;
    for (Index i = 0; i <= count; ++i) rule.add(line.lower + i * step, step);
}

inline double equal_count(const Line& line) { return (line.upper - line.lower) / line.step; }

inline double panel_count(const Line& line) {
    Index points = 0;
    for_each_panel(line, [&](double, double) { points += panel_points; });
    return static_cast<double>(points);
}

// Whether equal steps are fewer.
inline bool prefers_equal(const Line& line) { return line.step > 0 && equal_count(line) < panel_count(line); }

}  // namespace hessorbit::population
