// Functions of the subsets of n things, as tables over the 2ⁿ bit masks, and what can be made of them in 3ⁿ steps:
//
//     (f ∗ g)(R) = min over S ⊆ R of f(S) + g(R ∖ S)          one part of each kind
//     p(R) = min over partitions of R of Σ f(part)            any number of parts of one kind, p(∅) = 0
//
// (Dynamic programming over subsets: Björklund, Husfeldt, Kaski and Koivisto, "Fourier meets Möbius", STOC 2007, §1.)
#pragma once

#include "limits.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace hessorbit::minima {

using Set = std::uint32_t;
using SetFunction = std::vector<double>;  // (2ⁿ), infinite for sets that are ruled out

inline std::vector<int> elements(Set set) {
    std::vector<int> result;
    for (int k = 0; set >> k; ++k)
        if (set >> k & 1) result.push_back(k);
    return result;
}

// Calls body(part) for every subset of `whole`, `whole` first and ∅ last.
template <class Body>
void for_each_subset(Set whole, Body body) {
    for (Set part = whole;; part = (part - 1) & whole) {
        body(part);
        if (part == 0) return;
    }
}

inline SetFunction convolve(const SetFunction& f, const SetFunction& g, Limits& limits) {
    const Set all = static_cast<Set>(f.size() - 1);
    SetFunction result(f.size(), infinity);
    for (Set part = 0; part <= all; ++part) {
        limits.poll();
        if (f[part] == infinity) continue;
        for_each_subset(all ^ part,
                        [&](Set rest) { result[part | rest] = std::min(result[part | rest], f[part] + g[rest]); });
    }
    return result;
}

// The S at which (f ∗ g)(whole) is attained.
inline Set least_part(const SetFunction& f, const SetFunction& g, Set whole) {
    Set best = whole;
    for_each_subset(whole, [&](Set part) {
        if (f[part] + g[whole ^ part] < f[best] + g[whole ^ best]) best = part;
    });
    return best;
}

inline SetFunction partitions(const SetFunction& f, Limits& limits) {
    SetFunction p(f.size(), infinity);
    p[0] = 0;
    for (Set whole = 1; whole < f.size(); ++whole) {
        limits.poll();
        const Set first = whole & -whole, others = whole ^ first;  // one part holds the first element
        for_each_subset(others, [&](Set part) { p[whole] = std::min(p[whole], f[first | part] + p[others ^ part]); });
    }
    return p;
}

// The parts of the best partition of `whole`, given p = partitions(f).
inline std::vector<Set> least_partition(const SetFunction& f, const SetFunction& p, Set whole) {
    std::vector<Set> parts;
    while (whole != 0) {
        const Set first = whole & -whole, others = whole ^ first;
        Set best = others;
        for_each_subset(others, [&](Set part) {
            if (f[first | part] + p[others ^ part] < f[first | best] + p[others ^ best]) best = part;
        });
        parts.push_back(first | best);
        whole = others ^ best;
    }
    return parts;
}

}  // namespace hessorbit::minima
