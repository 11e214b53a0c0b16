// The even-linear move for Python, for one scalar.
#pragma once

#include "bindings.hpp"

#include <hessorbit/even_linear.hpp>

#include <utility>

namespace hessorbit::bindings {

using Indices = std::vector<Index>;

// θ moved, and for each θ the remainder and the asymmetry of the move.
template <class T>
py::tuple flip_even_linear(const Network& network, Index layer, const Indices& flipped, const Indices& linear,
                           const std::vector<std::pair<Index, Index>>& pairs, const Array<T>& theta) {
    std::vector<MirroredPair> mirrored;
    for (const auto& [plus, minus] : pairs) mirrored.push_back({plus, minus});
    const EvenLinearFlip<T> flip(network, layer, flipped, linear, mirrored);
    const Index p = network.num_parameters();
    const Batch<T> batch(theta, p);
    Array<T> moved = batch.result({p}), remainder = batch.result({}), asymmetry = batch.result({});
    T *data = moved.mutable_data(), *left = remainder.mutable_data(), *apart = asymmetry.mutable_data();
    {
        const py::gil_scoped_release release;
        std::copy(batch.data, batch.data + batch.count * p, data);
        for (Index b = 0; b < batch.count; ++b) {
            const auto outcome = flip.act(data + b * p);
            left[b] = outcome.remainder, apart[b] = outcome.asymmetry;
        }
    }
    return py::make_tuple(moved, remainder, asymmetry);
}

template <class T>
void bind_flip(py::module_& module) {
    module.def("flip_even_linear", &flip_even_linear<T>, py::arg("network"), py::arg("layer"), py::arg("flipped"),
               py::arg("linear"), py::arg("pairs"), py::arg("theta").noconvert());
}

}  // namespace hessorbit::bindings
